/** A network in front of a local server that can go silent: nothing is closed, and nothing comes any more. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** See the top of the file. */
export interface CutNetwork {
  readonly port: number
  /** The connections that there are go silent for good; later ones are good. */
  cut(): void
  /** Connections that come from now on are taken and never answered; until `false`. */
  swallow(on: boolean): void
  /** Later connections go to this port. */
  lead(port: number): void
  close(): void
}

/** @param port - where the server listens, on 127.0.0.1 */
export async function startCutNetwork(port: number): Promise<CutNetwork> {
  const open = new Set<readonly Socket[]>()
  const all = new Set<Socket>()
  let target = port
  let swallowing = false
  const server = createServer((near) => {
    const far = swallowing ? undefined : connect(target, '127.0.0.1')
    const pair = far === undefined ? [near] : [near, far]
    const end = () => {
      open.delete(pair)
      for (const socket of pair) {
        socket.destroy()
        all.delete(socket)
      }
    }
    for (const socket of pair) {
      all.add(socket)
      socket.on('error', end).on('close', end)
    }
    if (far === undefined) return
    open.add(pair)
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    cut() {
      for (const pair of open) for (const socket of pair) socket.unpipe().pause()
      open.clear()
    },
    swallow(on) {
      swallowing = on
    },
    lead(to) {
      target = to
    },
    close() {
      server.close()
      for (const socket of all) socket.destroy()
    },
  }
}
