/** Everything that runs: the identity providers, the guard, and the four servers behind it. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Guard } from 'sallyport'
import { createDemoGuard } from './guard.ts'
import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts'
import { freePort, LOOPBACK, stop } from './ports.ts'
import { startExpress } from './services/express.ts'
import { startFastify } from './services/fastify.ts'
import { startKoa } from './services/koa.ts'
import { startNode } from './services/node.ts'

/** A server of the demo, as a client sees it. */
export interface Target {
  readonly name: string
  readonly port: number
  readonly url: string
  /** Upgrades that a listener beside the guarded one was told about. */
  readonly overheardUpgrades: number
}

/** The running demo. */
export interface Demo {
  readonly corp: IdentityProvider
  readonly branch: IdentityProvider
  readonly guard: Guard
  readonly targets: readonly Target[]
  close(): Promise<void>
}

const SERVERS = [
  { name: 'Express', start: startExpress, preferredPort: 4001 },
  { name: 'Koa', start: startKoa, preferredPort: 4002 },
  { name: 'Fastify', start: startFastify, preferredPort: 4003 },
  { name: 'Node', start: startNode, preferredPort: 4004 },
] as const

/** Starts it all; on the usual ports where they are free, or with `anyPorts` on whichever are. */
export async function startDemo({ anyPorts }: { anyPorts: boolean }): Promise<Demo> {
  const portNear = (preferred: number) => freePort(anyPorts ? 0 : preferred)
  const corp = await startIdentityProvider(await portNear(4000))
  const branch = await startIdentityProvider(await portNear(4009))
  const servers = []
  for (const { name, start, preferredPort } of SERVERS)
    servers.push({ name, start, port: await portNear(preferredPort) })

  const guard = await createDemoGuard({ corp: corp.issuer, branch: branch.issuer, servers })
  await guard.ready()

  const running: Server[] = []
  const sockets = new Set<Socket>()
  const targets: Target[] = []
  for (const { name, start, port } of servers) {
    const server = await start(guard, port, LOOPBACK)
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
      url: `http://${LOOPBACK}:${port}`,
      get overheardUpgrades() {
        return overheardUpgrades
      },
    })
  }

  return {
    corp,
    branch,
    guard,
    targets,
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all([...running.map(stop), corp.stop(), branch.stop(), guard.close()])
    },
  }
}
