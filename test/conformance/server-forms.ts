/** The forms in which a gateway is a server to the suite: each a gateway that anybody may use, in front of the fixture. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKey } from 'sallyport'
import { createGateway, type GatewayConfig } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { memoryStore } from 'sallyport/stores/memory'
import { startFixture } from './fixture/start-fixture.ts'

/** A server for the suite. */
export interface TriedServer {
  readonly url: string
  close(): Promise<void>
}

/** One way to be a server. */
export interface ServerForm {
  readonly name: string
  /** Whether it counts; the fixture alone is there to tell whose fault something is. */
  readonly counts: boolean
  start(): Promise<TriedServer>
}

const ANYBODY = { to: 'anonymous', on: '*' } as const

/** All of them. A form of its own is one more line: what the gateway is configured with, and the server that is tried. */
export const SERVER_FORMS: readonly ServerForm[] = [
  {
    name: 'fixture',
    counts: false,
    async start() {
      const fixture = await startFixture()
      return { url: fixture.url, close: () => fixture.close() }
    },
  },
  throughGateway('plain', 'conformance/fixture', (url) => ({
    servers: { 'conformance/fixture': { url, auth: { type: 'none' } } },
  })),
]

function throughGateway(
  name: string,
  tried: string,
  configure: (url: string) => Pick<GatewayConfig, 'servers'> & Partial<GatewayConfig>,
): ServerForm {
  return {
    name,
    counts: true,
    async start() {
      const fixture = await startFixture()
      const server = createServer()
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const gateway = createGateway({
        url: origin,
        store: memoryStore(),
        keys: [generateKey()],
        access: [ANYBODY],
        ...configure(fixture.url),
      })
      await gateway.ready()
      server.on(
        'request',
        sallyport(gateway)((_request, response) => void response.writeHead(404).end()),
      )
      return {
        url: `${origin}/mcp/${tried}/server`,
        async close() {
          const closed = once(server, 'close')
          server.close()
          server.closeAllConnections()
          await closed
          await gateway.close()
          await fixture.close()
        },
      }
    },
  }
}
