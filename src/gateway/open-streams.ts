/**
 * Looks after answers that go on: a stream is ended when its caller may no longer have it (a key is revoked, a token has expired,
 * a grant is gone). All of them are looked at now and then, and at once after a change.
 */
import type { Readable } from 'node:stream'

/** An answer that is being sent. */
export interface OpenStream {
  readonly body: Readable
  /** Whether it has no end of its own: somebody listens for whatever there is to be told. */
  readonly lasting: boolean
  /** Why the stream was ended, for whoever is told of its end. */
  ended: StreamEnd | undefined
}

/** Why a stream was ended: its caller is nobody any more, or may no longer, or the gateway is closing. */
export type StreamEnd = 'unauthenticated' | 'denied' | 'closed'

/** See the top of the file. */
export interface OpenStreams<Stream extends OpenStream> {
  readonly size: number
  /** How often something has changed in this process by which streams end. */
  readonly changes: number
  /** Looks after a stream until it is closed. */
  watch(stream: Stream): void
  /** Looks at one of them now. Never rejects. */
  look(stream: Stream): Promise<void>
  /** Something has changed: looks at all of them now. Never rejects. */
  check(): Promise<void>
  /** Ends those without an end of their own, and such as come. */
  closeLasting(): void
  /** Ends all of them, and those that come. */
  close(): void
}

/** Callers asked about at once: a store should not hear of thousands in one moment. */
const AT_ONCE = 16

/**
 * @param judge - whether a stream may go on; while that cannot be found out (a store is down), it does
 * @param everyMs - the time between two looks
 */
export function createOpenStreams<Stream extends OpenStream>(
  judge: (stream: Stream) => Promise<StreamEnd | undefined> | StreamEnd | undefined,
  everyMs: number,
): OpenStreams<Stream> {
  const open = new Set<Stream>()
  let timer: NodeJS.Timeout | undefined
  let checking: Promise<void> | undefined
  let again = false
  let changes = 0
  let closed: 'lasting' | 'all' | undefined

  function closeThose(which: 'lasting' | 'all'): void {
    closed = which
    for (const stream of open) if (which === 'all' || stream.lasting) end(stream, 'closed')
  }

  function end(stream: Stream, why: StreamEnd): void {
    if (stream.body.destroyed) return
    stream.ended = why
    stream.body.destroy()
  }

  async function look(stream: Stream): Promise<void> {
    try {
      const verdict = judge(stream)
      const why = verdict instanceof Promise ? await verdict : verdict
      if (why !== undefined) end(stream, why)
    } catch {
      // Nobody could tell; the next look will.
    }
  }

  async function checkAll(): Promise<void> {
    do {
      again = false
      const waiting = [...open].values()
      const work = async () => {
        for (const stream of waiting) await look(stream)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      // Something has changed since some of them were looked at.
    } while (again)
  }

  function lookAtAll(): Promise<void> {
    if (checking !== undefined) {
      again = true
      return checking
    }
    checking = checkAll().finally(() => {
      checking = undefined
    })
    return checking
  }

  return {
    get size() {
      return open.size
    },
    get changes() {
      return changes
    },
    watch(stream) {
      if (closed === 'all' || (closed === 'lasting' && stream.lasting)) {
        end(stream, 'closed')
        return
      }
      if (stream.body.destroyed) return
      open.add(stream)
      stream.body.once('close', () => {
        open.delete(stream)
        if (open.size > 0 || timer === undefined) return
        clearInterval(timer)
        timer = undefined
      })
      timer ??= setInterval(lookAtAll, everyMs).unref()
    },
    look,
    check() {
      changes++
      return lookAtAll()
    },
    closeLasting: () => closeThose('lasting'),
    close() {
      clearInterval(timer)
      closeThose('all')
    },
  }
}
