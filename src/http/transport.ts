/** What carries a connection, asked only of those that have no address. */
import type { IncomingMessage } from 'node:http'
import { type Closable, isClosed } from './closed.ts'

interface Handle {
  readonly constructor: { readonly name: string }
  /** What TLS goes over. */
  readonly _parent?: Handle
}

/**
 * Whether `message` came over a TCP connection of which nothing is known any more: it has been closed, or the client has reset it and
 * Node has yet to notice. A socket that is none of Node's (`inject`, a `Duplex`) has no address either, and is not lost.
 */
export function isLost(message: IncomingMessage, answer: Closable): boolean {
  // Of an HTTP/2 session that is about to close, the streams are open still.
  return isClosed(message, answer) || message.socket?.readyState === 'closed' || transportOf(message) === 'TCP'
}

/** By the name that Node gives to the handle, which a socket has as long as it is open: no address is what pipes and lost ones have in common. */
function transportOf({ socket }: IncomingMessage): string | undefined {
  const { _handle: handle } = (socket ?? {}) as { readonly _handle?: Handle | null }
  return (handle?._parent ?? handle)?.constructor.name
}
