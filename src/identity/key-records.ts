/**
 * How API keys are kept. The record under a key's digest alone decides whether the key is good; an index lists the keys of an
 * owner. The index is written first and deleted last, so that a process that dies half-way leaves no key that works and
 * is not listed.
 */
import type { Clock } from '../core/clock.ts'
import { StoreError } from '../core/errors.ts'
import { deepFreeze } from '../core/freeze.ts'
import { everyRecord } from '../store/every-record.ts'
import type { Key, PageRequest, TokenStore } from '../store/token-store.ts'
import { objectIn, readable, readReplaceable, unreadable, warnOnce } from '../store/unopened.ts'
import { ApiKeyError } from './identity-errors.ts'
import { type KeyOwner, ownerText } from './key-owner.ts'
import type { LastUse } from './last-use.ts'

/** A key's record. Times are in epoch milliseconds. */
export interface KeyRecord {
  readonly id: string
  readonly owner: KeyOwner
  readonly name: string
  readonly createdAt: number
  readonly expiresAt?: number
  /** How its text begins, for people to tell their keys apart; absent of keys that are older than this. */
  readonly prefix?: string
}

/** What the index has of a key. */
export interface KeyEntry {
  readonly id: string
  readonly digest: string
  readonly name: string
  readonly createdAt: number
}

/** See the top of the file. Methods reject with a `StoreError` where the store fails. */
export interface KeyRecords {
  /** Rejects where the record cannot be read: such a key lets nobody in. */
  read(digest: string): Promise<KeyRecord | undefined>
  /** The same for lists, which leave out what cannot be read. */
  readable(digest: string): Promise<KeyRecord | undefined>
  /** What the index has of an owner's keys, of some that are no longer or not yet there, too; not what cannot be read. */
  entries(owner: KeyOwner): Promise<KeyEntry[]>
  entry(owner: KeyOwner, id: string): Promise<KeyEntry | undefined>
  /**
   * Writes a new key; `false` where somebody got in its way and it may be tried again.
   *
   * @throws ApiKeyError (`ERR_API_KEY`) where the owner has as many keys as they may have.
   */
  add(digest: string, record: KeyRecord): Promise<boolean>
  /** Takes a key away; whether there was anything. `onGone` is called once the key is no longer good, if it was before. */
  remove(owner: KeyOwner, entry: KeyEntry, onGone?: () => void): Promise<boolean>
}

/** What keeping keys needs. */
export interface KeyRecordSettings {
  readonly store: TokenStore
  readonly clock: Clock
  readonly maxKeysPerOwner: number
  readonly lastUse: LastUse
  /** Told of every digest whose record is deleted, or may be. */
  readonly onChange: (digest: string) => void
}

/** The space of the records, which are found by their digest as the owner. */
export const KEYS = 'api-keys'
const BY_OWNER = 'api-keys-by-owner'
const DAY_MS = 24 * 3_600_000
/** An expired key is told from an unknown one for so long. */
const KEEP_EXPIRED_MS = 30 * DAY_MS
/** A key is written within this time after its index entry, or not at all. */
const WRITE_WITHIN_MS = 60_000
/** An index entry without a key is left alone for so long: its key may be on its way. */
const ORPHAN_AGE_MS = 60 * WRITE_WITHIN_MS

/** Records of keys in `settings.store`. */
export function createKeyRecords(settings: KeyRecordSettings): KeyRecords {
  const { store, clock, maxKeysPerOwner, lastUse, onChange } = settings

  const leftOut = warnOnce('API keys are left out')

  async function read(digest: string): Promise<KeyRecord | undefined> {
    const found = await store.get(recordKey(digest))
    if (found === undefined) return undefined
    const record = decodeRecord(found.value)
    if (record === undefined) throw new StoreError(unreadable(recordKey(digest)).message)
    return deepFreeze(record)
  }

  async function readableRecord(digest: string): Promise<KeyRecord | undefined> {
    return (await readReplaceable(store, recordKey(digest), decodeRecord, leftOut))?.value
  }

  async function entries(owner: KeyOwner): Promise<KeyEntry[]> {
    const found: KeyEntry[] = []
    const list = (page: PageRequest) => readable(store.list(BY_OWNER, ownerText(owner), page), leftOut)
    for await (const { key, value } of everyRecord(list)) {
      const entry = decodeEntry(value)
      if (entry === undefined) leftOut(unreadable(key))
      else found.push({ ...entry, id: key.id })
    }
    return found
  }

  /** Makes room: takes away what is expired, and what somebody who died has left. How many entries remain. */
  async function tidy(owner: KeyOwner): Promise<number> {
    const found = await entries(owner)
    const gone = await Promise.all(
      found.map(async (entry) => {
        const record = await readableRecord(entry.digest)
        const over =
          record === undefined ? clock.now() - entry.createdAt > ORPHAN_AGE_MS : isExpired(record, clock.now())
        if (over) await remove(owner, entry)
        return over
      }),
    )
    return gone.filter((over) => !over).length
  }

  async function add(digest: string, record: KeyRecord): Promise<boolean> {
    const { owner, id, name, createdAt } = record
    const began = performance.now()
    if ((await entries(owner)).length >= maxKeysPerOwner && (await tidy(owner)) >= maxKeysPerOwner) {
      throw tooManyKeys(maxKeysPerOwner)
    }
    const entry = { id, digest, name, createdAt }
    const { id: _, ...listed } = entry
    const keptMs = record.expiresAt === undefined ? undefined : record.expiresAt - clock.now() + KEEP_EXPIRED_MS
    try {
      await writeNew(entryKey(owner, id), listed, keptMs === undefined ? undefined : keptMs + DAY_MS)
      // Counted again with this one: of several at once, each sees those that were written before.
      if ((await entries(owner)).length > maxKeysPerOwner) {
        await store.delete(entryKey(owner, id))
        return false
      }
      if (performance.now() - began > WRITE_WITHIN_MS) throw new StoreError('the store took too long to write a key')
      await writeNew(recordKey(digest), record, keptMs)
      if ((await store.get(entryKey(owner, id))) !== undefined) return true
      // Everything of this owner is being revoked, and what was not there yet could not be.
      await remove(owner, entry)
      return false
    } catch (error) {
      // The store may have done what it says has failed. Should this fail too, a key that nobody knows remains, and is listed.
      await remove(owner, entry).catch(() => {})
      throw error
    }
  }

  async function writeNew(key: Key, value: object, ttlMs: number | undefined): Promise<void> {
    const options = { ifVersion: null, ...(ttlMs === undefined ? {} : { ttlMs }) }
    const written = await store.put(key, Buffer.from(JSON.stringify(value)), options)
    if (written === 'conflict') throw new StoreError('a new key is in the store already')
  }

  async function remove(owner: KeyOwner, { id, digest }: KeyEntry, onGone: () => void = () => {}): Promise<boolean> {
    const gone = await removeRecord(digest)
    if (gone) onGone()
    await lastUse.forget(ownerText(owner), id)
    const wasListed = await store.delete(entryKey(owner, id))
    // Somebody who is just making it has written it by now, or will not find its entry.
    if (!gone) await removeRecord(digest)
    return gone || wasListed
  }

  async function removeRecord(digest: string): Promise<boolean> {
    try {
      return await store.delete(recordKey(digest))
    } finally {
      onChange(digest)
    }
  }

  return {
    read,
    readable: readableRecord,
    entries,
    async entry(owner, id) {
      const found = await store.get(entryKey(owner, id))
      if (found === undefined) return undefined
      const entry = decodeEntry(found.value)
      // Nobody is told that a key has ended of which nobody knows which it is.
      if (entry === undefined) throw new StoreError(unreadable(entryKey(owner, id)).message)
      return { ...entry, id }
    },
    add,
    remove,
  }
}

/** What somebody is told who has `limit` keys and wants another. */
export function tooManyKeys(limit: number): ApiKeyError {
  return new ApiKeyError('limit', `there are ${limit} keys already, which is as many as there may be; revoke one first`)
}

/** Whether a key is over at `now`. */
export function isExpired({ expiresAt }: KeyRecord, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt
}

function recordKey(digest: string): Key {
  return { space: KEYS, owner: digest, id: 'key' }
}

function entryKey(owner: KeyOwner, id: string): Key {
  return { space: BY_OWNER, owner: ownerText(owner), id }
}

function decodeEntry(value: Uint8Array): Omit<KeyEntry, 'id'> | undefined {
  const entry = objectIn<KeyEntry>(value)
  return typeof entry?.digest === 'string' && entry.digest !== '' ? (entry as KeyEntry) : undefined
}

function decodeRecord(value: Uint8Array): KeyRecord | undefined {
  const { id, owner, name, createdAt, expiresAt } = objectIn<KeyRecord>(value) ?? {}
  const isNamed = typeof id === 'string' && typeof name === 'string' && typeof owner?.kind === 'string'
  const hasTimes = typeof createdAt === 'number' && ['number', 'undefined'].includes(typeof expiresAt)
  return isNamed && hasTimes ? (objectIn<KeyRecord>(value) as KeyRecord) : undefined
}
