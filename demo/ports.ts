/** Ports on loopback: the ones the demo likes, or any that are free. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The demo never listens on any other address. */
export const LOOPBACK = '127.0.0.1'

/** `preferred` if nobody listens there, else any free port; 0 for any. */
export async function freePort(preferred: number): Promise<number> {
  const probe = createServer()
  try {
    await listen(probe, preferred)
  } catch (error) {
    if (preferred !== 0 && isInUse(error)) return freePort(0)
    throw error
  }
  const { port } = probe.address() as AddressInfo
  await stop(probe)
  return port
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
