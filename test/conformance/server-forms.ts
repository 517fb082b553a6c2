/** The forms in which a gateway is a server to the suite: each a gateway that anybody may use, in front of the fixture. */
import type { GatewayConfig } from 'sallyport/gateway'
import { startFixture } from './fixture/start-fixture.ts'
import { startGatewayServer } from './gateway-server.ts'

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
  // The revision that the fixture does not speak crosses the bridge.
  throughGateway('bridged-legacy', 'conformance/fixture', bridged, 'legacy'),
  throughGateway('bridged-modern', 'conformance/fixture', bridged, 'modern'),
  throughGateway('virtual', 'conformance/virtual', virtual),
  throughGateway('virtual-legacy', 'conformance/virtual', virtual, 'legacy'),
  throughGateway('virtual-modern', 'conformance/virtual', virtual, 'modern'),
]

function bridged(url: string): Pick<GatewayConfig, 'servers'> {
  return { servers: { 'conformance/fixture': { url, auth: { type: 'none' }, bridge: true } } }
}

function virtual(url: string): Pick<GatewayConfig, 'servers' | 'virtualServers'> {
  const all = { 'conformance/fixture': '*' } as const
  return {
    servers: { 'conformance/fixture': { url, auth: { type: 'none' } } },
    virtualServers: { 'conformance/virtual': { tools: all, prompts: all, resources: all } },
  }
}

function throughGateway(
  name: string,
  tried: string,
  configure: (url: string) => Pick<GatewayConfig, 'servers'> & Partial<GatewayConfig>,
  eras: 'both' | 'legacy' | 'modern' = 'both',
): ServerForm {
  return {
    name,
    counts: true,
    async start() {
      const fixture = await startFixture(eras)
      const gateway = await startGatewayServer({ access: [ANYBODY], ...configure(fixture.url) })
      return {
        url: `${gateway.origin}/mcp/${tried}/server`,
        async close() {
          await gateway.close()
          await fixture.close()
        },
      }
    },
  }
}
