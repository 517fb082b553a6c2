/** The client of version 2 of the TypeScript SDK, in each of its ways to settle on a revision. */
import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client'
import { type ClientKind, type OAuthMemory, type OpenClient, type OpenOptions, textOf } from './client-kind.ts'

/** Legacy, auto, and pinned to the modern revision. */
export const SDK2_CLIENTS: readonly ClientKind[] = [
  sdk2('sdk2-legacy', 'legacy', 'legacy'),
  sdk2('sdk2-auto', 'auto', 'modern'),
  sdk2('sdk2-pinned', { pin: '2026-07-28' }, 'modern'),
]

function sdk2(name: string, mode: VersionNegotiationMode, era: 'legacy' | 'modern'): ClientKind {
  const url = (of: string) => new URL(of)
  return {
    name,
    era,
    speaksLegacy: typeof mode === 'string',
    open(endpoint, options) {
      const headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
      return connect(mode, options, new StreamableHTTPClientTransport(url(endpoint), { requestInit: { headers } }))
    },
    signIn(endpoint, memory) {
      const authProvider = provider(memory)
      const transport = () => new StreamableHTTPClientTransport(url(endpoint), { authProvider })
      const first = transport()
      return {
        async begin() {
          await makeClient(mode, {}).connect(first)
        },
        async finish(callback) {
          await first.finishAuth(callback.searchParams)
          return connect(mode, {}, transport())
        },
      }
    },
  }
}

function makeClient(mode: VersionNegotiationMode, options: OpenOptions): Client {
  const { visit, answer, toolsChanged } = options
  const elicitation = { ...(visit && { url: {} }), ...(answer && { form: {} }) }
  const client = new Client(
    { name: 'sallyport-test', version: '1.0.0' },
    {
      versionNegotiation: { mode },
      capabilities: { ...((visit ?? answer) && { elicitation }), ...(answer && { sampling: {} }) },
      ...(toolsChanged && {
        listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => toolsChanged() } },
      }),
    },
  )
  if (visit !== undefined || answer !== undefined) {
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      if (params.mode === 'url') {
        await visit?.(params.url)
        return { action: 'accept' }
      }
      return { action: 'accept', content: (answer?.(params.message) ?? {}) as Record<string, string | boolean> }
    })
  }
  if (answer !== undefined) {
    client.setRequestHandler('sampling/createMessage', async () => ({
      model: 'test',
      role: 'assistant',
      content: { type: 'text', text: String(answer('sampling').text) },
    }))
  }
  return client
}

async function connect(
  mode: VersionNegotiationMode,
  options: OpenOptions,
  transport: StreamableHTTPClientTransport,
): Promise<OpenClient> {
  const client = makeClient(mode, options)
  try {
    await client.connect(transport)
  } catch (error) {
    await client.close()
    throw error
  }
  return {
    version: client.getNegotiatedProtocolVersion() ?? '',
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    prompt: async (name, args) =>
      (await client.getPrompt({ name, arguments: args })).messages.map(({ content }) => textOf([content])).join(''),
    resource: async (uri) => textOf((await client.readResource({ uri })).contents),
    async call(name, args = {}, { onprogress, signal } = {}) {
      const { content, structuredContent, isError } = await client.callTool(
        { name, arguments: args },
        { ...(onprogress && { onprogress: ({ progress }) => onprogress(progress) }), ...(signal && { signal }) },
      )
      return { text: textOf(content), structured: structuredContent, isError: isError === true }
    },
    async close() {
      if (transport.sessionId !== undefined) await transport.terminateSession()
      await client.close()
    },
  }
}

function provider(memory: OAuthMemory): OAuthClientProvider {
  let information: StoredOAuthClientInformation | undefined = memory.client
  let tokens: StoredOAuthTokens | undefined
  let verifier = ''
  let discovered: OAuthDiscoveryState | undefined
  return {
    redirectUrl: memory.redirectUrl,
    clientMetadata: {
      client_name: 'sallyport-test',
      redirect_uris: [memory.redirectUrl],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...(memory.scope !== undefined && { scope: memory.scope }),
    },
    state: () => memory.state ?? '',
    clientInformation: () => information,
    saveClientInformation: (saved) => {
      information = saved
    },
    tokens: () => tokens,
    saveTokens: (saved) => {
      tokens = saved
    },
    redirectToAuthorization: (to) => {
      memory.authorizationUrl = to
    },
    saveCodeVerifier: (saved) => {
      verifier = saved
    },
    codeVerifier: () => verifier,
    saveDiscoveryState: (saved) => {
      discovered = saved
    },
    discoveryState: () => discovered,
  }
}
