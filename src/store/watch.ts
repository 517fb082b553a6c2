/**
 * Hearing of changes that others make, over one connection that is opened when
 * somebody listens and opened again whenever it is lost. What may have been missed
 * meanwhile is said as `'all'`, after every time that listening begins.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Unsubscribe } from '../core/events.ts'
import { warnOfThrown } from '../core/warnings.ts'
import type { Key } from './token-store.ts'

/** A connection on which messages come in. */
export interface Subscription {
  /** Resolves when the connection is gone. */
  readonly ended: Promise<void>
  /** Asks the server for an answer, which shows that the connection lives. */
  ping(): Promise<unknown>
  /** Closes the connection at once. */
  close(): void
}

/** Listens for messages. Resolves once the server confirms; gives up, and leaves nothing open, when the signal aborts. */
export type Subscribe = (onMessage: (message: string) => void, signal: AbortSignal) => Promise<Subscription>

/** What is told about a key: `'all'` when it is not known what has changed. */
export type ChangeListener = (key: Key | 'all') => void

/** See the top of the file. */
export interface Watch {
  listen(listener: ChangeListener): Unsubscribe
  /** Ends listening. */
  close(): Promise<void>
}

const SHORTEST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000
/** A connection that says nothing is asked for a sign of life so often; longest for it to be found dead, with `timeoutMs`. */
const PING_EVERY_MS = 10_000

/**
 * @param self - who writes through this store; messages of its own are not passed on
 * @param timeoutMs - how long connecting and a ping may take
 */
export function createWatch(subscribe: Subscribe, self: string, timeoutMs: number): Watch {
  const listeners = new Set<ChangeListener>()
  let stop: AbortController | undefined
  let running: Promise<void> = Promise.resolve()
  let closed = false

  function tell(key: Key | 'all'): void {
    for (const listener of listeners) {
      try {
        listener(key)
      } catch (error) {
        warnOfThrown(listener, 'SALLYPORT_LISTENER', "a listener of a store's changes", error)
      }
    }
  }

  function onMessage(message: string): void {
    const change = decodeChange(message)
    if (change?.writer !== self) tell(change?.key ?? 'all')
  }

  async function keepListening(signal: AbortSignal): Promise<void> {
    let delay = SHORTEST_PAUSE_MS
    while (!signal.aborted) {
      try {
        const subscription = await withinTime(signal, timeoutMs, (limit) => subscribe(onMessage, limit))
        delay = SHORTEST_PAUSE_MS
        tell('all')
        await untilLost(subscription, signal)
      } catch {
        // The server is away; the store's other methods say so.
      }
      await pause(delay * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
      delay = Math.min(LONGEST_PAUSE_MS, delay * 2)
    }
  }

  async function untilLost(subscription: Subscription, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = () => over.abort()
    signal.addEventListener('abort', end)
    subscription.ended.then(end, end)
    try {
      while (!signal.aborted && !over.signal.aborted) {
        await pause(PING_EVERY_MS, undefined, { signal: over.signal })
        await withinTime(over.signal, timeoutMs, () => subscription.ping())
      }
    } catch {
      // Lost, no longer wanted, or dead.
    } finally {
      signal.removeEventListener('abort', end)
      subscription.close()
    }
  }

  return {
    listen(listener) {
      // A function of its own, so that the same listener can be there twice.
      const own: ChangeListener = (key) => listener(key)
      listeners.add(own)
      if (closed) return () => {}
      if (stop === undefined) {
        stop = new AbortController()
        const { signal } = stop
        running = running.then(() => keepListening(signal))
      }
      return () => {
        listeners.delete(own)
        if (listeners.size > 0) return
        stop?.abort()
        stop = undefined
      }
    },
    async close() {
      closed = true
      listeners.clear()
      stop?.abort()
      stop = undefined
      await running
    },
  }
}

/** Waits for `work` until `outer` aborts or the time is over, and tells it so. */
async function withinTime<T>(
  outer: AbortSignal,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController()
  const giveUp = () => limit.abort(new Error('no answer'))
  const timer = setTimeout(giveUp, timeoutMs)
  outer.addEventListener('abort', giveUp)
  if (outer.aborted) giveUp()
  const late = new Promise<never>((_, reject) => {
    if (limit.signal.aborted) reject(limit.signal.reason)
    limit.signal.addEventListener('abort', () => reject(limit.signal.reason))
  })
  try {
    return await Promise.race([work(limit.signal), late])
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', giveUp)
  }
}

/** What goes over the wire about a change. At most 6,300 bytes for the largest key. */
export function encodeChange(writer: string, { space, owner, id }: Key): string {
  return JSON.stringify([writer, space, owner, id])
}

function decodeChange(message: string): { writer: string; key: Key } | undefined {
  try {
    const parts: unknown = JSON.parse(message)
    if (!Array.isArray(parts) || parts.length !== 4) return undefined
    const [writer, space, owner, id] = parts.map(String)
    if (writer === undefined || space === undefined || owner === undefined || id === undefined) return undefined
    return { writer, key: { space, owner, id } }
  } catch {
    return undefined
  }
}
