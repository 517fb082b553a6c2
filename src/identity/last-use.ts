/**
 * When API keys were last used: in records of their own, so that a key's record is never written by those who use it.
 * Written now and then, behind the request's back; what cannot be written is given up.
 */
import { setImmediate as afterThis } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import { everyRecord } from '../store/every-record.ts'
import type { Key, TokenStore } from '../store/token-store.ts'

/** See the top of the file. */
export interface LastUse {
  /** The key has been used just now. */
  note(owner: string, id: string): void
  /** When each of the owner's keys was used, in epoch milliseconds. */
  read(owner: string): Promise<ReadonlyMap<string, number>>
  forget(owner: string, id: string): Promise<void>
  /** Waits for what is being written. */
  close(): Promise<void>
}

const SPACE = 'api-keys-last-use'
/** A key's use is written at most so often by one process. */
const WRITE_EVERY_MS = 60_000
/** After so long it is forgotten, and so is what another process wrote while the key was being revoked. */
const KEPT_MS = 400 * 24 * 3_600_000
const REMEMBERED_KEYS = 10_000

/** Times of use in `store`. */
export function createLastUse(store: TokenStore, clock: Clock): LastUse {
  const written = new LRUCache<string, number>({ max: REMEMBERED_KEYS })
  const writing = new Set<Promise<void>>()
  const keyOf = (owner: string, id: string): Key => ({ space: SPACE, owner, id })

  async function write(key: Key, at: number): Promise<void> {
    // A store in this process works at once; the request goes first.
    await afterThis()
    const before = await store.get(key)
    // Somebody else who is faster has about the same to say.
    await store.put(key, Buffer.from(String(at)), { ifVersion: before?.version ?? null, ttlMs: KEPT_MS })
  }

  return {
    note(owner, id) {
      const now = performance.now()
      const before = written.get(id)
      if (before !== undefined && now - before < WRITE_EVERY_MS) return
      written.set(id, now)
      const work: Promise<void> = write(keyOf(owner, id), clock.now())
        .catch(() => {})
        .finally(() => writing.delete(work))
      writing.add(work)
    },
    async read(owner) {
      const times = new Map<string, number>()
      for await (const { key, value } of everyRecord((page) => store.list(SPACE, owner, page)))
        times.set(key.id, timeIn(value))
      return times
    },
    async forget(owner, id) {
      await store.delete(keyOf(owner, id))
    },
    async close() {
      await Promise.all(writing)
    },
  }
}

function timeIn(value: Uint8Array): number {
  return Number(Buffer.from(value).toString('latin1'))
}
