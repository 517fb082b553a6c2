/**
 * The writes of one connection, one after the other. SQLite lets one writer in at a time, and its own waiting stops the
 * process: if every write asked by itself, a few dozen of them behind somebody else's would stop it for good. So only
 * the first asks whether the way is free, for all that are behind it.
 */
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { isBusy } from './sqlite-errors.ts'

/** See the top of the file. */
export interface SqliteQueue {
  /** Runs `work`, which throws what `isBusy` knows for as long as others write, until the time `until` at least. */
  run<T>(work: () => T, until: number): Promise<T>
}

interface Waiting {
  readonly until: number
  /** What was thrown if somebody else is in the way; it is over otherwise. */
  attempt(): unknown
  reject(error: unknown): void
}

/** How long writes follow one another before the process gets a turn. */
const SLICE_MS = 10

/** How long to wait before the next attempt: somewhat, so that processes do not try in step. */
export const PAUSES = {
  firstMs: 2,
  next: (delay: number) => Math.min(50, delay * 1.5),
  async wait(delay: number) {
    await pause(delay * Math.random())
    // After an attempt, the timer can be due in the same turn, in which nobody else gets one.
    await turn()
  },
}

/** @param lateError - what those are told whose time is over, from what was thrown */
export function createSqliteQueue(lateError: (cause: unknown) => Error): SqliteQueue {
  const queue = new Set<Waiting>()
  let running = false

  async function work(): Promise<void> {
    let turnEnds = performance.now() + SLICE_MS
    let delay = PAUSES.firstMs
    // Those that come meanwhile are behind the others.
    for (const first of queue) {
      for (let busy = first.attempt(); busy !== undefined; busy = first.attempt()) {
        endLate(busy)
        await PAUSES.wait(delay)
        delay = PAUSES.next(delay)
        turnEnds = performance.now() + SLICE_MS
        if (!queue.has(first)) break
      }
      if (queue.delete(first)) delay = PAUSES.firstMs
      if (performance.now() < turnEnds) continue
      await turn()
      turnEnds = performance.now() + SLICE_MS
    }
    running = false
  }

  /** Nobody could write just now, so it is over for everyone whose time is. */
  function endLate(busy: unknown): void {
    const now = performance.now()
    for (const waiting of queue) {
      if (waiting.until >= now) continue
      queue.delete(waiting)
      waiting.reject(lateError(busy))
    }
  }

  return {
    run(once, until) {
      return new Promise((resolve, reject) => {
        function attempt(): unknown {
          try {
            resolve(once())
          } catch (error) {
            if (isBusy(error)) return error
            reject(error)
          }
          return undefined
        }
        queue.add({ until, attempt, reject })
        if (running) return
        running = true
        void work()
      })
    },
  }
}
