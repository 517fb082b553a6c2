/**
 * Operations on a server: each ends in bounded time, whatever the server does, and
 * what goes wrong is a `StoreError`. Closing waits for what is under way.
 */
import { setMaxListeners } from 'node:events'
import { messageOf, SallyportError, StoreError } from '../core/errors.ts'

/** See the top of the file. */
export interface Operations {
  /** Runs `work`; its signal aborts when its time is over. Rejects with a `StoreError`. */
  run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** The same for what an operation leaves to be done, which nobody waits for but `close()`. It may fail. */
  runAside(work: (signal: AbortSignal) => Promise<unknown>): void
  /** Refuses new operations and waits for those under way. */
  close(): Promise<void>
}

/**
 * @param server - how messages call it: `Redis`
 * @param timeoutMs - how long an operation may take
 * @param trouble - what is known to be wrong with the connection, to be said where an operation takes too long
 */
export function createOperations(
  server: string,
  timeoutMs: number,
  trouble: () => string | undefined = () => undefined,
): Operations {
  const running = new Set<Promise<unknown>>()
  let closed = false

  async function runBounded<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    // An operation of many commands has a listener for each.
    setMaxListeners(0, limit.signal)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const known = trouble()
        const why = known === undefined ? '' : ` (${known})`
        const error = new StoreError(`${server} did not answer within ${timeoutMs} ms${why}`)
        reject(error)
        limit.abort(error)
      }, timeoutMs)
    })
    try {
      return await Promise.race([work(limit.signal), late])
    } catch (error) {
      if (error instanceof SallyportError) throw error
      throw new StoreError(`${server}: ${messageOf(error)}`, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  function keep<T>(result: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = result.catch(() => {}).finally(() => running.delete(settled))
    running.add(settled)
    return result
  }

  return {
    async run(work) {
      if (closed) throw new StoreError(`the ${server} store is closed`)
      return keep(runBounded(work))
    },
    runAside(work) {
      keep(runBounded(work)).catch(() => {})
    },
    async close() {
      closed = true
      while (running.size > 0) await Promise.all(running)
    },
  }
}

/** Makes something once; again for the next who asks, as long as it fails. */
export function onceMade<T, Parameters extends readonly unknown[]>(
  make: (...parameters: Parameters) => Promise<T>,
): (...parameters: Parameters) => Promise<T> {
  let made: Promise<T> | undefined
  return (...parameters) => {
    made ??= make(...parameters).catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
}

/** A time limit as it was configured, checked. */
export function checkTimeout(timeoutMs: number | undefined): number {
  const value = timeoutMs ?? 5_000
  if (!(value > 0 && value <= 2_147_483_647)) throw new TypeError('timeoutMs must be a positive number of milliseconds')
  return value
}

/** The longest time that a record can be told to stay without staying for good: 100 years. */
const LONGEST_TTL_MS = 100 * 365 * 24 * 3_600_000

/**
 * A time to live as servers take it: whole milliseconds.
 *
 * @throws TypeError for what is not a positive number.
 */
export function wholeTtl(ttlMs: number): number {
  if (!(ttlMs > 0)) throw new TypeError('ttlMs must be a positive number of milliseconds')
  return Math.min(LONGEST_TTL_MS, Math.ceil(ttlMs))
}

/** Waits for `work`, but no longer than until the signal aborts. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let giveUp = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
