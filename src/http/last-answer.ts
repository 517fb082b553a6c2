/** The answer to an upgrade that is refused: nothing reads HTTP from its socket any more, so it is the connection's last. */
import type { ServerResponse } from 'node:http'

/** How long a refused client has to close its side. */
const LINGER_MS = 1_000

/** Makes `response`, which has not been sent yet, the last one on its connection. */
export function closeAfter(response: ServerResponse): void {
  const { socket } = response
  // Without one the answer goes nowhere, and the socket is somebody else's.
  if (socket === null) return
  response.shouldKeepAlive = false
  socket.on('error', ignore)
  // Closing on bytes that nobody has read would reset the connection, and the answer might be lost with it.
  socket.resume()
  response.once('finish', () => {
    socket.end()
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
    socket.once('close', () => clearTimeout(timer))
  })
}

function ignore(): void {}
