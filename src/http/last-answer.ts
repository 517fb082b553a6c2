/** The answer to an upgrade that is refused: nothing reads HTTP from its socket any more, so it is the connection's last. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import { type Duplex, Readable } from 'node:stream'
import type { Reply } from './gate.ts'
import { writeReply } from './writer.ts'

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

/** Answers an upgrade on the bare socket and closes it. */
export function answerOnSocket(request: IncomingMessage, socket: Duplex, reply: Reply): void {
  const response = new ServerResponse(request)
  try {
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0])
  } catch {
    // An earlier answer is still on the socket: no client that wants to upgrade asks for something else right before.
    breakOff(socket, reply)
    return
  }
  closeAfter(response)
  writeReply(response, reply)
}

/**
 * Answers an upgrade whose `response` is none of Node's: engine.io has one for middleware that sends nothing, and koa-websocket,
 * which asks middleware when the socket speaks WebSocket already, has none.
 */
export function answerUpgrade(request: IncomingMessage, response: unknown, reply: Reply): void {
  if (response === undefined) breakOff(request.socket, reply)
  else answerOnSocket(request, request.socket, reply)
}

function breakOff(socket: Duplex, { body }: Reply): void {
  if (body instanceof Readable) body.destroy()
  socket.destroy()
}

function ignore(): void {}
