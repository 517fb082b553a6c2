/**
 * The gateway as a client, for `conformance client --command`: starts it with the scenario's server as its upstream, and does through
 * it what the scenario wants to see. The URL of that server is the last argument.
 */
import { parseArgs } from 'node:util'
import type { McpServer } from 'sallyport/gateway'
import { startScenarioGateway } from './gateway.ts'
import { playScenario, type Scenario } from './scenarios.ts'

const { positionals } = parseArgs({ allowPositionals: true })
const { MCP_CONFORMANCE_SCENARIO: name = '', MCP_CONFORMANCE_PROTOCOL_VERSION: revision = '' } = process.env
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as Scenario['context']
const scenario: Scenario = { name, revision, context }

const gateway = await startScenarioGateway(await serverOf(positionals.at(-1) ?? '', scenario), visitorOf(context))
try {
  await playScenario(scenario, gateway)
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await gateway.close()
}

async function serverOf(url: string, { name: played, context: given }: Scenario): Promise<McpServer> {
  const { client_id: clientId, client_secret: clientSecret, private_key_pem: privateKey } = given
  const { idp_issuer: idpIssuer, idp_client_id: idpClientId = '' } = given
  if (!played.startsWith('auth/')) return { url, auth: { type: 'none' } }
  if (clientId === undefined || (clientSecret ?? privateKey) === undefined) return { url, auth: { type: 'oauth2' } }
  // A secret goes to nobody but the authorization server that it is of, which has to be written down.
  const client = {
    issuer: await issuerOf(url),
    clientId,
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(privateKey === undefined ? {} : { privateKey }),
  }
  if (idpIssuer !== undefined) {
    return { url, auth: { type: 'identity_assertion', idp: { issuer: idpIssuer, clientId: idpClientId }, ...client } }
  }
  return {
    url,
    auth: { type: played.startsWith('auth/client-credentials') ? 'client_credentials' : 'oauth2', ...client },
  }
}

/** Somebody of the scenario's own identity provider, where it has one. */
function visitorOf({ idp_id_token: token, idp_issuer: issuer, idp_client_id: audience }: Scenario['context']) {
  return token === undefined || issuer === undefined || audience === undefined ? undefined : { token, issuer, audience }
}

/** What whoever registered the client knows: at which authorization server that was. */
async function issuerOf(url: string): Promise<string> {
  const { origin, pathname } = new URL(url)
  const answer = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`)
  const { authorization_servers: [issuer = ''] = [] } = (await answer.json()) as { authorization_servers?: string[] }
  return issuer
}
