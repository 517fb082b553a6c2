/**
 * When nobody waits for an answer any more. Node tells the response whose turn it is that its connection has closed. A
 * response that waits behind another one (HTTP/1.1 pipelining) hears nothing, so that what it holds would never be let go.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** A response, or the bare socket of an upgrade. */
export type Closable = Pick<ServerResponse, 'on' | 'off' | 'writableEnded' | 'writableFinished' | 'destroyed'> | Duplex

/** Whether nobody waits for `answer` to `message` any more. */
export function isClosed(message: IncomingMessage, answer: Closable): boolean {
  // An HTTP/2 response cannot be destroyed. Its stream can be closed before it is: while there is something of the body to read.
  const { destroyed = isReset(answer) } = answer as { readonly destroyed?: boolean }
  return destroyed || message.socket?.destroyed === true
}

function isReset(answer: Closable): boolean {
  return (answer as { readonly stream?: { readonly closed?: boolean } }).stream?.closed === true
}

/** Whether `answer` has been sent whole. An HTTP/2 response that its client has reset claims to be finished without ever having been ended. */
export function isComplete(answer: Closable): boolean {
  return answer.writableEnded && answer.writableFinished
}

/** Calls `listener` once `answer` to `message` is complete or nobody waits for it any more. */
export function onceClosed(message: IncomingMessage, answer: Closable, listener: () => void): void {
  const { socket } = message
  const waits = isQueued(answer)
  const tell = () => {
    answer.off('close', tell)
    if (waits) socket.off('close', tell)
    listener()
  }
  // Not `once`, which makes another function around this one: it takes itself off.
  answer.on('close', tell)
  if (!waits) return
  // One listener for each waiting answer is no leak.
  const limit = socket.getMaxListeners()
  if (limit > 0) socket.setMaxListeners(limit + 1)
  socket.once('close', tell)
}

/** Whether `answer` has still to wait for its turn on the connection. */
export function isQueued(answer: Closable): boolean {
  return 'socket' in answer && answer.socket === null && !isComplete(answer)
}
