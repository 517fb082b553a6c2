/** What somebody does with a client in front of the gateway, by scenario, so that there is something to see behind it. */
import { Client, StreamableHTTPClientTransport, type VersionNegotiationMode } from '@modelcontextprotocol/client'
import { rpcError } from '../../clients/client-kind.ts'
import type { ScenarioGateway } from './gateway.ts'

/** What the suite says of a scenario. */
export interface Scenario {
  readonly name: string
  readonly revision: string
  readonly context: {
    readonly client_id?: string
    readonly client_secret?: string
    readonly private_key_pem?: string
    /** Of the enterprise's identity provider, with what somebody has who has signed in there. */
    readonly idp_client_id?: string
    readonly idp_id_token?: string
    readonly idp_issuer?: string
    readonly toolCalls?: readonly { readonly name: string; readonly arguments: Record<string, unknown> }[]
  }
}

type Play = (client: Client, scenario: Scenario) => Promise<void>

/** Of the user: more than a server may want at once, so that the gateway is what gives up. */
const MOST_CONSENTS = 6

const PLAYS: Readonly<Record<string, Play>> = {
  initialize: list,
  async tools_call(client) {
    await client.listTools()
    await client.callTool({ name: 'add_numbers', arguments: { a: 5, b: 3 } })
  },
  'elicitation-sep1034-client-defaults': callAll,
  'sse-retry': callAll,
  'request-metadata': list,
  'json-schema-ref-no-deref': list,
  async 'json-schema-2020-12-preservation'(client) {
    const { tools } = await client.listTools()
    const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema
    await client.callTool({ name: 'json_schema_echo', arguments: { schema } })
  },
  async 'http-standard-headers'(client) {
    await callAll(client)
    const { resources } = await client.listResources()
    for (const { uri } of resources) await client.readResource({ uri })
    const { prompts } = await client.listPrompts()
    for (const { name } of prompts) await client.getPrompt({ name, arguments: {} })
  },
  async 'http-custom-headers'(client, { context: { toolCalls = [] } }) {
    await client.listTools()
    for (const { name, arguments: given } of toolCalls) await client.callTool({ name, arguments: given })
  },
  async 'http-invalid-tool-headers'(client) {
    const { tools } = await client.listTools()
    for (const { name } of tools) await client.callTool({ name, arguments: { region: 'us-west1' } })
  },
  async 'sep-2322-client-request-state'(client) {
    for (const name of ['echo_state', 'no_state', 'unrelated']) {
      await client.callTool({ name: `test_mrtr_${name}`, arguments: {} })
    }
    // The client in front refuses this one; what is seen behind is that nothing is tried again.
    await client.callTool({ name: 'test_mrtr_no_result_type', arguments: {} }).catch(() => undefined)
  },
}

/** Does it, consenting wherever that is asked for. */
export async function playScenario(scenario: Scenario, gateway: ScenarioGateway): Promise<void> {
  const play = PLAYS[scenario.name] ?? callAll
  for (let consents = 0; ; consents++) {
    try {
      await once(scenario, gateway, play)
      return
    } catch (error) {
      const link = linkIn(error)
      if (link === undefined || consents === MOST_CONSENTS) throw error
      await gateway.consent(link)
    }
  }
}

async function once(scenario: Scenario, { endpoint, token }: ScenarioGateway, play: Play): Promise<void> {
  const mode: VersionNegotiationMode = scenario.revision >= '2026-07-28' ? 'auto' : 'legacy'
  const isElicited = /elicitation|sep-2322|request-metadata/.test(scenario.name)
  const client = new Client(
    { name: 'sallyport-conformance', version: '1.0.0' },
    {
      versionNegotiation: { mode },
      capabilities: isElicited ? { elicitation: { form: { applyDefaults: true } } } : {},
    },
  )
  if (isElicited) {
    client.setRequestHandler('elicitation/create', async ({ params }) => ({
      action: 'accept',
      content: scenario.name.startsWith('sep-2322')
        ? { confirmed: true }
        : ({} as typeof params & Record<string, never>),
    }))
  }
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  try {
    await client.connect(new StreamableHTTPClientTransport(endpoint, { requestInit }))
    await play(client, scenario)
  } finally {
    await client.close()
  }
}

async function list(client: Client): Promise<void> {
  await client.listTools()
}

async function callAll(client: Client): Promise<void> {
  const { tools } = await client.listTools()
  for (const { name } of tools) await client.callTool({ name, arguments: {} })
}

/** What the gateway asks the user to visit. */
function linkIn(error: unknown): string | undefined {
  try {
    return /Please visit:\s*(\S+)/.exec(String(rpcError(error).data))?.[1]
  } catch {
    return undefined
  }
}
