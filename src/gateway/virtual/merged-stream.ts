/** One stream out of those of several members, in one queue with backpressure: a member that is ahead waits. */
import { Readable } from 'node:stream'
import type { AbortSource } from '../../http/gate.ts'
import { pause } from '../../http/pause.ts'
import type { VirtualContext } from './context.ts'
import { beginListening, type Listening } from './listening.ts'
import type { LiveMember } from './live.ts'

/** Messages as they are sent on; an empty one keeps the connection open. */
export type VirtualStream = AsyncGenerator<Uint8Array>

const KEEP_ALIVE_MS = 25_000
const EMPTY = new Uint8Array(0)
/** Between two tries of a member, the longer the more often it has failed; streams of a member that is restarted all come back. */
const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 30_000

/** Thrown by a source: there is nothing more for this client, of any member. */
export class StreamOver extends Error {}

/**
 * What `source` gives of each member, until the client has gone. A source that fails or ends is asked again after a while, unless
 * there is nothing to be heard of that member: an MCP server that was restarted is listened to again. All of it ends when `over` aborts.
 */
export async function* mergedStream(
  context: VirtualContext,
  source: (member: LiveMember, signal: AbortSource, listening: Listening) => AsyncGenerator<Uint8Array>,
  over?: AbortSource,
): VirtualStream {
  const abort = new AbortController()
  const gone = context.exchange.request.gone ?? context.exchange.request.signal
  const onGone = () => abort.abort()
  gone.addEventListener('abort', onGone)
  over?.addEventListener('abort', onGone)
  if (gone.aborted || over?.aborted) abort.abort()
  /** Members that are ahead. */
  let waiting: (() => void)[] = []
  const goOn = () => {
    const all = waiting
    waiting = []
    for (const resolve of all) resolve()
  }
  const queue = new Readable({ objectMode: true, highWaterMark: 16, read: goOn })
  const push = (data: Uint8Array) =>
    new Promise<void>((resolve) => {
      if (queue.destroyed || queue.push(data)) resolve()
      else waiting.push(resolve)
    })
  const timer = setInterval(() => queue.readableLength === 0 && queue.push(EMPTY), KEEP_ALIVE_MS)
  abort.signal.addEventListener('abort', () => {
    goOn()
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
    over?.removeEventListener('abort', onGone)
    abort.abort()
  }

  async function pump(member: LiveMember): Promise<void> {
    const listening = beginListening()
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      const since = performance.now()
      const { rejected } = listening
      try {
        for await (const data of source(member, abort.signal, listening)) await push(data)
      } catch (error) {
        if (error instanceof StreamOver) abort.abort()
        // Otherwise it breaks off, or cannot be reached.
      }
      if (listening.over || abort.signal.aborted) return
      // Another token is tried at once, and once.
      if (listening.rejected !== undefined && listening.rejected !== rejected) continue
      if (performance.now() - since >= MAX_PAUSE_MS) pauseMs = FIRST_PAUSE_MS
      await pause(pauseMs * (0.5 + Math.random()), abort.signal)
      if (abort.signal.aborted) return
    }
  }
}
