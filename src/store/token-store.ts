/**
 * The contract of a token store: what everything that must survive (sessions,
 * connections, keys) is kept in. Small on purpose: compare-and-set by version,
 * single-use records, leases. `sallyport/testing` has a kit that checks all of it.
 */
import type { Unsubscribe } from '../core/events.ts'

/** Names a record. `space` is what kind it is, `owner` whose it is; all three are part of the identity. */
export interface Key {
  /** A lower-case name of at most 64 characters: `session`. */
  readonly space: string
  /** 1 to 512 characters. */
  readonly owner: string
  /** 1 to 512 characters. */
  readonly id: string
}

/** A record as it was at one moment. */
export interface StoredRecord {
  /** What was put, byte for byte. */
  readonly value: Uint8Array
  /** Opaque. Changes with every write and is never used again for a key, also not after a delete. */
  readonly version: string
}

/** How a record is written. */
export interface PutOptions {
  /** The version that the record must have now; `null` when it must not exist. */
  readonly ifVersion: string | null
  /**
   * How long the record is there, in milliseconds by the store's clock; it is invisible at once afterwards. `'keep'` leaves
   * the time that the record has. It stays for good by default.
   */
  readonly ttlMs?: number | 'keep'
}

/** A part of a listing. */
export interface PageRequest {
  /** `next` of the page before. */
  readonly after?: string
  /** Records on a page, 1 to 1,000; 100 by default. */
  readonly limit?: number
}

/** Records in a stable order. A record that is there all the time is listed exactly once. */
export interface Page {
  /** At most `limit`. */
  readonly records: readonly (StoredRecord & { readonly key: Key })[]
  /** Where the next page begins; absent on the last. A page can be empty and have a next one. */
  readonly next?: string
}

/** The sole right to work on a key, for a time. It ends by itself; whoever holds it must be done by then. */
export interface Lease {
  /** Makes it last `ttlMs` from now. `false` when it has ended already: somebody else may hold it now. */
  renew(ttlMs: number): Promise<boolean>
  /** Ends it, if it has not ended already; never somebody else's. */
  release(): Promise<void>
}

/**
 * Keeps records and leases. Every method rejects with a `StoreError` (`ERR_STORE`) when the store cannot be reached or
 * fails; nobody may then assume that the operation did or did not happen.
 */
export interface TokenStore {
  /** The record; `undefined` where there is none, or its time is over. */
  get(key: Key): Promise<StoredRecord | undefined>
  /** Writes if the record is as expected; the new version, or `'conflict'`. */
  put(key: Key, value: Uint8Array, options: PutOptions): Promise<string | 'conflict'>
  /** Reads and deletes in one step: of many that take a record, one gets it. */
  take(key: Key): Promise<StoredRecord | undefined>
  /** Deletes, if the record is as expected where that is said; whether it did. */
  delete(key: Key, options?: { readonly ifVersion?: string }): Promise<boolean>
  /** The records of one owner. */
  list(space: string, owner: string, page?: PageRequest): Promise<Page>
  /** All records of a space, by an index: never a sweep over whatever else is in the database. */
  scan(space: string, page?: PageRequest): Promise<Page>
  /** The lease on a key, or `undefined` while somebody else holds it. The record need not exist. */
  lease(key: Key, ttlMs: number): Promise<Lease | undefined>
  /**
   * Tells of records written or deleted through other connections, so that caches can drop them. Best effort: it may
   * miss some while the connection is down, and then calls the listener with `'all'`.
   */
  changes?(listener: (key: Key | 'all') => void): Unsubscribe
  /** Waits for what is under way and lets go of connections. */
  close(): Promise<void>
}

/** Most characters in each part of a {@link Key}. */
export const MAX_KEY_PART = 512

/** Spaces are names, not data: lower case letters, digits and dashes. */
const SPACE = /^[a-z][a-z0-9-]{0,63}$/

/** @throws TypeError for a key that stores could confuse with another or cannot hold. */
export function assertKey({ space, owner, id }: Key): void {
  assertSpace(space)
  assertPart('owner', owner)
  assertPart('id', id)
}

/** @throws TypeError for a space that is no name. */
export function assertSpace(space: string): void {
  if (!SPACE.test(space)) throw new TypeError(`the space ${JSON.stringify(space)} is not a lower-case name`)
}

/** @throws TypeError for an empty or overlong part, one with a NUL, or one that is not well-formed Unicode. */
export function assertPart(name: string, part: string): void {
  if (part === '' || part.length > MAX_KEY_PART || part.includes('\0') || !part.isWellFormed()) {
    throw new TypeError(`the ${name} of a key has 1 to ${MAX_KEY_PART} characters, no NUL, and is well-formed`)
  }
}

/** The number of records on a page. */
export function pageLimit(page: PageRequest | undefined): number {
  return Math.min(1_000, Math.max(1, Math.floor(page?.limit ?? 100)))
}

/** A key as one text, different for different keys. */
export function keyText({ space, owner, id }: Key): string {
  return `${space}/${encodeURIComponent(owner)}/${encodeURIComponent(id)}`
}
