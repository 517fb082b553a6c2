/** Ports on loopback: the ones the demo likes, or any that are free. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The demo never listens on any other address. */
export const LOOPBACK = '127.0.0.1'

/** A port for each of `preferred`: that one if nobody listens there, else any that is free; 0 for any. */
export async function freePorts(preferred: readonly number[]): Promise<number[]> {
  const probes: Server[] = []
  // All are held until the last one is found, so that they differ.
  for (const port of preferred) probes.push(await probe(port))
  const ports = probes.map((each) => (each.address() as AddressInfo).port)
  await Promise.all(probes.map(stop))
  return ports
}

/** Listens on `preferred`, or on any port where somebody else does. */
async function probe(preferred: number): Promise<Server> {
  const server = createServer()
  try {
    await listen(server, preferred)
    return server
  } catch (error) {
    if (preferred !== 0 && isInUse(error)) return probe(0)
    throw error
  }
}

/** Resolves once `server` accepts connections; rejects when it cannot. */
export async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, LOOPBACK)
  await once(server, 'listening')
}

/** Closes `server` and every connection it has. */
export async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES')
}
