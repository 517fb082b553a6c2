/** Everything that runs: the identity providers, the four servers, and the guard in front of each. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Guard } from 'sallyport'
import { createFrontDesk } from './front-desk.ts'
import { createDemoGuard, type LoginName, type Place } from './guard.ts'
import { type IdentityProvider, type LoginClient, loginClientId, startIdentityProvider } from './identity-provider.ts'
import { freePorts, LOOPBACK, stop } from './ports.ts'
import { startExpress } from './services/express.ts'
import { startFastify } from './services/fastify.ts'
import { startKoa } from './services/koa.ts'
import { startNode } from './services/node.ts'

/** A server of the demo, as a client sees it. */
export interface Target extends Place {
  readonly guard: Guard
  /** Requests that its guard was asked about, upgrades among them. */
  readonly requests: number
  /** Upgrades that a listener beside the guarded one was told about. */
  readonly overheardUpgrades: number
}

/** The running demo. */
export interface Demo {
  readonly corp: IdentityProvider
  readonly branch: IdentityProvider
  readonly targets: readonly Target[]
  close(): Promise<void>
}

/** How long the tokens last that people get for `/me/`, so that one sees them refreshed. */
export const SHORT_SECONDS = 5

const SERVERS = [
  { name: 'Express', start: startExpress, preferredPort: 4001 },
  { name: 'Koa', start: startKoa, preferredPort: 4002 },
  { name: 'Fastify', start: startFastify, preferredPort: 4003 },
  { name: 'Node', start: startNode, preferredPort: 4004 },
] as const

/** Starts it all; on the usual ports where they are free, or with `anyPorts` on whichever are. */
export async function startDemo({ anyPorts }: { anyPorts: boolean }): Promise<Demo> {
  const preferred = [4000, 4009, ...SERVERS.map(({ preferredPort }) => preferredPort)]
  const [corpPort = 0, branchPort = 0, ...ports] = await freePorts(anyPorts ? preferred.map(() => 0) : preferred)
  const originOf = (port: number) => `http://${LOOPBACK}:${port}`
  const issuers = { corp: originOf(corpPort), branch: originOf(branchPort) }
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
    logins: loginsBy('branch-id').map((client) => ({ ...client, tokenSeconds: SHORT_SECONDS })),
    pushedRequests: true,
  })
  await Promise.all(guarded.map(({ guard }) => guard.ready()))

  const running: Server[] = []
  const sockets = new Set<Socket>()
  const targets: Target[] = []
  for (const { name, start, port, url, guard } of guarded) {
    const frontDesk = createFrontDesk()
    const server = await start([frontDesk, guard], port, LOOPBACK)
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
    targets,
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all([
        ...running.map(stop),
        corp.stop(),
        branch.stop(),
        ...guarded.map(({ guard }) => guard.close()),
      ])
    },
  }
}
