/**
 * When something was last used (an API key, a connection): in records of their own, so that what is used is never written by
 * those who use it. Written now and then, behind the request's back; what cannot be written is given up. What cannot be read is
 * as if it were not there, and is written over.
 */
import { setImmediate as afterThis } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import { everyRecord } from '../store/every-record.ts'
import type { Key, PageRequest, TokenStore } from '../store/token-store.ts'
import { readable, readReplaceable } from '../store/unopened.ts'

/** See the top of the file. */
export interface LastUse {
  /** It has been used just now. */
  note(owner: string, id: string): void
  /** When each thing of the owner's was used, in epoch milliseconds. */
  read(owner: string): Promise<ReadonlyMap<string, number>>
  /** When one was used; `undefined` where that was never, or too long ago. */
  at(owner: string, id: string): Promise<number | undefined>
  forget(owner: string, id: string): Promise<void>
  /** Waits for what is being written. */
  close(): Promise<void>
}

/** What is looked at, and how closely. */
export interface LastUseOptions {
  /** Where the times are kept. */
  readonly space: string
  /** A use is written at most so often by one process. */
  readonly writeEveryMs: number
}

const KEYS: LastUseOptions = { space: 'api-keys-last-use', writeEveryMs: 60_000 }
/** After so long it is forgotten, and so is what another process wrote while the key was being revoked. */
const KEPT_MS = 400 * 24 * 3_600_000
/** Owners whose uses are remembered, and of how many things each; what is forgotten is only written once more. */
const REMEMBERED = 10_000
const REMEMBERED_EACH = 1_000

/** Times of use in `store`; of API keys, unless something else is said. */
export function createLastUse(store: TokenStore, clock: Clock, options: LastUseOptions = KEYS): LastUse {
  const { space, writeEveryMs } = options
  /** By owner, and then by id: a name made of both would have to be put together and hashed with every use. */
  const written = new LRUCache<string, Map<string, number>>({ max: REMEMBERED })
  const writing = new Set<Promise<void>>()
  const keyOf = (owner: string, id: string): Key => ({ space, owner, id })

  async function write(key: Key, at: number): Promise<void> {
    // A store in this process works at once; the request goes first.
    await afterThis()
    const before = await readReplaceable(store, key, timeIn)
    // Somebody else who is faster has about the same to say.
    await store.put(key, Buffer.from(String(at)), { ifVersion: before?.version ?? null, ttlMs: KEPT_MS })
  }

  return {
    note(owner, id) {
      const now = performance.now()
      const times = written.get(owner) ?? new Map<string, number>()
      const before = times.get(id)
      if (before !== undefined && now - before < writeEveryMs) return
      if (before === undefined && times.size === REMEMBERED_EACH) times.delete(times.keys().next().value as string)
      written.set(owner, times.set(id, now))
      const work: Promise<void> = write(keyOf(owner, id), clock.now())
        .catch(() => {})
        .finally(() => writing.delete(work))
      writing.add(work)
    },
    async read(owner) {
      const times = new Map<string, number>()
      const list = (page: PageRequest) => readable(store.list(space, owner, page), () => {})
      for await (const { key, value } of everyRecord(list)) {
        const time = timeIn(value)
        if (time !== undefined) times.set(key.id, time)
      }
      return times
    },
    async at(owner, id) {
      return (await readReplaceable(store, keyOf(owner, id), timeIn))?.value
    },
    async forget(owner, id) {
      written.get(owner)?.delete(id)
      // What lands after it would be there for more than a year.
      await Promise.all(writing)
      await store.delete(keyOf(owner, id))
    },
    async close() {
      await Promise.all(writing)
    },
  }
}

function timeIn(value: Uint8Array): number | undefined {
  const time = Number(Buffer.from(value).toString('latin1'))
  return Number.isFinite(time) ? time : undefined
}
