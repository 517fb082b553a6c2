/** Everything that runs: the identity providers, the four servers, and the guard in front of each. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Guard } from 'sallyport'
import type { Gateway } from 'sallyport/gateway'
import { createFrontDesk } from './front-desk.ts'
import { CODE_CLIENT } from './gateway.ts'
import { type Gateways, startGateways } from './gateways.ts'
import { createDemoGuard, type LoginName, type Place } from './guard.ts'
import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts'
import { freePorts, LOOPBACK, stop } from './ports.ts'
import { type LoginClient, loginClientId } from './provider-clients.ts'
import { startExpress } from './services/express.ts'
import { startFastify } from './services/fastify.ts'
import { startKoa } from './services/koa.ts'
import { startNode } from './services/node.ts'
import { CODE_SCOPE, codeUrl } from './upstreams/code.ts'

/** A server of the demo, as a client sees it. */
export interface Target extends Place {
  readonly guard: Guard
  /** The gateway in front of it, which is another one after a restart. */
  readonly gateway: Gateway
  /** Requests that its guard was asked about, upgrades among them. */
  readonly requests: number
  /** Upgrades that a listener beside the guarded one was told about. */
  readonly overheardUpgrades: number
}

/** The running demo. */
export interface Demo {
  readonly corp: IdentityProvider
  readonly branch: IdentityProvider
  /** The authorization server of the MCP server `dev/code`. */
  readonly code: IdentityProvider
  readonly gateways: Gateways
  readonly targets: readonly Target[]
  close(): Promise<void>
}

/** How long the tokens last that people get for `/me/`, so that one sees them refreshed; they sign in on four servers first. */
export const SHORT_SECONDS = 10
/** How long access to an account at `dev/code` lasts without a refresh. */
export const CODE_SECONDS = 8

/** Where the MCP servers are that the gateways lead to. */
const UPSTREAM_PORTS = [4011, 4012, 4013, 4014]

const SERVERS = [
  { name: 'Express', start: startExpress, preferredPort: 4001 },
  { name: 'Koa', start: startKoa, preferredPort: 4002 },
  { name: 'Fastify', start: startFastify, preferredPort: 4003 },
  { name: 'Node', start: startNode, preferredPort: 4004 },
] as const

/** Starts it all; on the usual ports where they are free, or with `anyPorts` on whichever are. */
export async function startDemo({ anyPorts }: { anyPorts: boolean }): Promise<Demo> {
  const preferred = [4000, 4009, 4010, ...UPSTREAM_PORTS, ...SERVERS.map(({ preferredPort }) => preferredPort)]
  const [corpPort = 0, branchPort = 0, codePort = 0, ...others] = await freePorts(
    anyPorts ? preferred.map(() => 0) : preferred,
  )
  const upstreamPorts = others.slice(0, UPSTREAM_PORTS.length)
  const ports = others.slice(UPSTREAM_PORTS.length)
  const originOf = (port: number) => `http://${LOOPBACK}:${port}`
  const issuers = { corp: originOf(corpPort), branch: originOf(branchPort), code: originOf(codePort) }
  const servers = SERVERS.map(({ name, start }, index) => {
    const port = ports[index] ?? 0
    return { name, start, port, url: originOf(port) }
  })

  // Nothing is fetched yet, but the guards know already what is to be registered at the providers.
  const guarded = await Promise.all(
    servers.map(async (server) => ({ ...server, guard: await createDemoGuard(server, { ...issuers, servers }) })),
  )
  const loginsBy = (wanted: LoginName): LoginClient[] =>
    guarded.flatMap(({ name, guard }) =>
      guard
        .redirectUrls()
        .filter(({ integration }) => integration === wanted)
        .map((redirectUrls) => ({ id: loginClientId(name, wanted), redirectUrls })),
    )
  const corp = await startIdentityProvider({
    name: 'Corp',
    issuer: issuers.corp,
    logins: loginsBy('corp'),
    pushedRequests: false,
  })
  const branch = await startIdentityProvider({
    name: 'Branch',
    issuer: issuers.branch,
    logins: [
      ...loginsBy('branch-id').map((client) => ({ ...client, tokenSeconds: SHORT_SECONDS })),
      ...loginsBy('customers'),
    ],
    pushedRequests: true,
  })
  const gateways = await startGateways(
    guarded.map((server) => ({ server, guard: server.guard })),
    upstreamPorts,
    issuers,
  )
  const code = await startIdentityProvider({
    name: 'Code',
    issuer: issuers.code,
    logins: [],
    gateway: { ...CODE_CLIENT, callbacks: gateways.redirectUrls(), tokenSeconds: CODE_SECONDS },
    resource: { url: codeUrl(upstreamPorts[2] ?? 0), scope: CODE_SCOPE },
    pushedRequests: false,
  })
  await Promise.all([...guarded.map(({ guard }) => guard.ready()), gateways.ready()])

  const running: Server[] = []
  const sockets = new Set<Socket>()
  const targets: Target[] = []
  for (const [index, { name, start, port, url, guard }] of guarded.entries()) {
    const place = gateways.placeOf(index)
    const frontDesk = createFrontDesk()
    // The first that does not skip a request decides: the gateway has the paths of MCP servers, the guard the rest.
    const server = await start([place.gate, frontDesk, guard], port, LOOPBACK)
    // A server that closes does not hang up on WebSockets.
    server.on('connection', (socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
    let overheardUpgrades = 0
    server.prependListener('upgrade', () => {
      overheardUpgrades++
    })
    running.push(server)
    targets.push({
      name,
      port,
      url,
      guard,
      get gateway() {
        return place.gateway
      },
      get requests() {
        return frontDesk.passedOn
      },
      get overheardUpgrades() {
        return overheardUpgrades
      },
    })
  }

  return {
    corp,
    branch,
    code,
    gateways,
    targets,
    async close() {
      for (const socket of sockets) socket.destroy()
      await gateways.close()
      await Promise.all([
        ...running.map(stop),
        corp.stop(),
        branch.stop(),
        code.stop(),
        ...guarded.map(({ guard }) => guard.close()),
      ])
    },
  }
}
