/** A gateway whose one server is the scenario's, and a person with a browser who may use it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKey } from 'sallyport'
import { createGateway, type GatewayConfig, type McpServer } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { memoryStore } from 'sallyport/stores/memory'
import { FormBrowser } from '../../support/form-browser.ts'
import { AUDIENCE, startKeyServer } from '../../support/identity-provider.ts'
import { recoverKey } from './recovered-key.ts'

/** See the top of the file. */
export interface ScenarioGateway {
  /** The endpoint of the scenario's server. */
  readonly endpoint: URL
  /** What the person comes with. */
  readonly token: string
  /** Follows a link to the end. @throws Error unless the server is connected then */
  consent(link: string): Promise<void>
  close(): Promise<void>
}

/** Who comes with a token that was not made here. */
export interface Visitor {
  readonly token: string
  readonly issuer: string
  readonly audience: string
}

/** The suite expects clients to have their metadata document on this host; the gateway serves it from its own origin. */
const ORIGIN = 'https://conformance-test.local'
const SERVER = 'conformance/scenario'
const KEYS = '/keys-of-the-visitor'

/** Starts it. The gateway thinks that it is at {@link ORIGIN}, behind a proxy. */
export async function startScenarioGateway(server: McpServer, visitor?: Visitor): Promise<ScenarioGateway> {
  const provider = await startKeyServer()
  const http = createServer()
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const keysAt = `http://127.0.0.1:${port}${KEYS}`
  const config: GatewayConfig = {
    url: ORIGIN,
    allowedHosts: ['127.0.0.1'],
    store: memoryStore(),
    keys: [generateKey()],
    integrations: {
      corp: visitor === undefined ? { issuer: provider.issuer, audience: AUDIENCE } : integrationOf(visitor, keysAt),
    },
    // There is no login in front of it: whose browser it is, is not what the suite is about.
    signIn: 'link',
    servers: { [SERVER]: server },
    access: [{ to: 'user:corp/*', on: SERVER }],
  }
  const gateway = createGateway(config)
  const told: string[] = []
  gateway.on('audit', (event) => {
    if (event.type === 'connection') told.push(`${event.kind}: ${event.detail}`)
  })
  http.on(
    'request',
    sallyport(gateway)((request, response) => {
      const keys = visitor !== undefined && request.url === KEYS ? [recoverKey(visitor.token)] : undefined
      response.writeHead(keys === undefined ? 404 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ keys }))
    }),
  )
  await gateway.ready()
  return {
    endpoint: new URL(`http://127.0.0.1:${port}/mcp/${SERVER}/server`),
    token: visitor?.token ?? (await provider.sign({ sub: 'somebody' })),
    async consent(link) {
      const before = told.length
      const browser = new FormBrowser(new Map([[ORIGIN, port]]))
      await browser.submit(await browser.load(link), {})
      const since = told.slice(before)
      if (!since.some((event) => event.startsWith('connected'))) throw new Error(`not connected: ${since.join('; ')}`)
    },
    async close() {
      const closed = once(http, 'close')
      http.close()
      http.closeAllConnections()
      await closed
      await gateway.close()
      await provider.close()
    },
  }
}

/** The identity provider of an ID token. */
function integrationOf(
  { issuer, audience }: Visitor,
  jwksUri: string,
): NonNullable<GatewayConfig['integrations']>[string] {
  return { issuer, audience, jwksUri, jwtSource: 'id_token' }
}
