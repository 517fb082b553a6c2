/** One stream out of those of several members, in one queue with backpressure: a member that is ahead waits. */
import { Readable } from 'node:stream'
import type { AbortSource } from '../../http/gate.ts'
import type { VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'

/** Messages as they are sent on; an empty one keeps the connection open. */
export type VirtualStream = AsyncGenerator<Uint8Array>

const KEEP_ALIVE_MS = 25_000
const EMPTY = new Uint8Array(0)

/** What `source` gives of each member, until the client has gone. Sources that fail or end are left out. */
export async function* mergedStream(
  context: VirtualContext,
  source: (member: LiveMember, signal: AbortSource) => AsyncGenerator<Uint8Array>,
): VirtualStream {
  const abort = new AbortController()
  const gone = context.exchange.request.gone ?? context.exchange.request.signal
  const onGone = () => abort.abort()
  gone.addEventListener('abort', onGone)
  if (gone.aborted) abort.abort()
  const queue = new Readable({ objectMode: true, highWaterMark: 16, read: () => more?.() })
  let more: (() => void) | undefined
  const push = (data: Uint8Array) =>
    new Promise<void>((resolve) => {
      if (queue.destroyed || queue.push(data)) resolve()
      else more = resolve
    })
  const timer = setInterval(() => queue.readableLength === 0 && queue.push(EMPTY), KEEP_ALIVE_MS)
  abort.signal.addEventListener('abort', () => {
    more?.()
    queue.destroy()
  })
  for (const member of context.virtual.members) void pump(member)
  try {
    for await (const data of queue) yield data as Uint8Array
  } catch {
    // It was destroyed: nobody listens any more.
  } finally {
    clearInterval(timer)
    gone.removeEventListener('abort', onGone)
    abort.abort()
  }

  async function pump(member: LiveMember): Promise<void> {
    try {
      for await (const data of source(member, abort.signal)) await push(data)
    } catch {
      // A member that breaks off, or cannot be reached, has nothing to tell.
    }
  }
}
