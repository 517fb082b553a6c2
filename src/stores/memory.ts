/**
 * The entry point `sallyport/stores/memory`: tokens in this process, gone when it
 * ends. For development, tests, and what may be lost.
 */
import { type Clock, systemClock } from '../core/clock.ts'
import { StoreError } from '../core/errors.ts'
import { createExpiringMap } from '../store/expiring-map.ts'
import { wholeTtl } from '../store/operations.ts'
import { decodeCursor, encodeCursor } from '../store/page-cursor.ts'
import { createSortedNames } from '../store/sorted-names.ts'
import {
  assertKey,
  assertPart,
  assertSpace,
  type Key,
  type Page,
  type PageRequest,
  pageLimit,
  type StoredRecord,
  type TokenStore,
} from '../store/token-store.ts'
import { newVersion } from '../store/version.ts'

/** How tokens are kept in memory. */
export interface MemoryStoreOptions {
  /**
   * Decides what has expired. By default records go by the machine's clock, and leases by the monotonic one, which nobody
   * sets back.
   */
  readonly clock?: Clock
}

interface Entry extends StoredRecord {
  readonly key: Key
  readonly expiresAt: number
}

interface HeldLease {
  readonly token: string
  readonly expiresAt: number
}

/** A token store in memory. Everything that shares it shares the object: it is one handle. */
export function memoryStore(options: MemoryStoreOptions = {}): TokenStore {
  const { clock } = options
  const now = () => (clock ?? systemClock).now()
  const leaseNow = () => (clock ?? performance).now()
  const names = createSortedNames()
  const records = createExpiringMap<Entry>(now, names.remove)
  const leases = createExpiringMap<HeldLease>(leaseNow)
  let closed = false

  function assertOpen(): void {
    if (closed) throw new StoreError('the memory store is closed')
  }

  /** The record's name, once it is sure that the store can be used with this key. */
  function nameOf(key: Key): string {
    assertKey(key)
    assertOpen()
    return joined(key.space, key.owner, key.id)
  }

  function pageOf(prefix: string, space: string, page: PageRequest | undefined): Page {
    assertOpen()
    const { owner, id } = decodeCursor(page?.after)
    const limit = pageLimit(page)
    const found: Entry[] = []
    for (const name of names.from(page?.after === undefined ? prefix : joined(space, owner, id), prefix)) {
      const entry = records.get(name)
      if (entry === undefined) continue
      const last = found.at(-1)
      if (found.length === limit && last !== undefined)
        return { records: found.map(listed), next: encodeCursor(last.key) }
      found.push(entry)
    }
    return { records: found.map(listed) }
  }

  return {
    async get(key) {
      const entry = records.get(nameOf(key))
      return entry && copyOf(entry)
    },

    async put(key, value, { ifVersion, ttlMs }) {
      const name = nameOf(key)
      const lasts = ttlMs === undefined || ttlMs === 'keep' ? Number.POSITIVE_INFINITY : wholeTtl(ttlMs)
      const before = records.get(name)
      if ((before?.version ?? null) !== ifVersion) return 'conflict'
      const version = newVersion()
      const expiresAt = ttlMs === 'keep' && before !== undefined ? before.expiresAt : now() + lasts
      const { space, owner, id } = key
      records.set(name, { key: { space, owner, id }, value: new Uint8Array(value), version, expiresAt })
      names.add(name)
      return version
    },

    async take(key) {
      const name = nameOf(key)
      const entry = records.get(name)
      records.delete(name)
      return entry && copyOf(entry)
    },

    async delete(key, { ifVersion } = {}) {
      const name = nameOf(key)
      const entry = records.get(name)
      if (entry === undefined || (ifVersion !== undefined && ifVersion !== entry.version)) return false
      records.delete(name)
      return true
    },

    async list(space, owner, page) {
      assertSpace(space)
      assertPart('owner', owner)
      return pageOf(joined(space, owner, ''), space, page)
    },

    async scan(space, page) {
      assertSpace(space)
      return pageOf(joined(space, ''), space, page)
    },

    async lease(key, ttlMs) {
      const name = nameOf(key)
      const lasts = wholeTtl(ttlMs)
      if (leases.get(name) !== undefined) return undefined
      const token = newVersion()
      leases.set(name, { token, expiresAt: leaseNow() + lasts })
      return {
        async renew(renewedMs) {
          assertOpen()
          const renewed = wholeTtl(renewedMs)
          if (leases.get(name)?.token !== token) return false
          leases.set(name, { token, expiresAt: leaseNow() + renewed })
          return true
        },
        async release() {
          assertOpen()
          if (leases.get(name)?.token === token) leases.delete(name)
        },
      }
    },

    async close() {
      closed = true
      records.clear()
      leases.clear()
    },
  }
}

/** Parts have no NUL, which comes before everything else: names sort by space, owner and id. */
function joined(...parts: readonly string[]): string {
  return parts.join('\0')
}

function copyOf({ value, version }: Entry): StoredRecord {
  return { value: new Uint8Array(value), version }
}

function listed(entry: Entry) {
  return { key: entry.key, ...copyOf(entry) }
}
