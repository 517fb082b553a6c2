/**
 * API keys of people (personal tokens) and of virtual accounts: made, shown once, listed, revoked, verified. Only a
 * key's digest is kept.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { suggest } from '../core/suggest.ts'
import type { TokenStore } from '../store/token-store.ts'
import { ApiKeyError } from './identity-errors.ts'
import { type KeyEvent, VIA } from './key-event.ts'
import { digestOfKey, isWellFormedKey, kindOfKey, makeKey, makeKeyId, prefixOfKey } from './key-format.ts'
import { type KeyOwner, ownerId, ownerText } from './key-owner.ts'
import { createKeyRecords, isExpired, KEYS, type KeyRecord, tooManyKeys } from './key-records.ts'
import { createLastUse } from './last-use.ts'
import { createReadCache, forgetOnChange } from './read-cache.ts'

/** A key as it is asked for. */
export interface KeyRequest {
  readonly owner: KeyOwner
  /** What its owner calls it: 1 to 100 characters. */
  readonly name: string
  /** When it ends, in epoch milliseconds; never by default. */
  readonly expiresAt?: number
  /** The same, counted from now. At most one of them. */
  readonly ttlSeconds?: number
}

/** What may be known of a key. Times are in epoch milliseconds. */
export interface ApiKey {
  /** Names the key, for `revoke` and in the audit; no secret. */
  readonly id: string
  /** What its owner calls it. */
  readonly name: string
  /** When it was made. */
  readonly createdAt: number
  /** When it ends; absent for never. */
  readonly expiresAt?: number
  /** How its text begins: `spp_` and 4 more characters. Absent of keys from before that was kept. */
  readonly prefix?: string
  /** To the minute; absent where it has not been used in the last 400 days. */
  readonly lastUsedAt?: number
}

/** A key that has just been made, with its text, which nobody can find out again. */
export interface NewApiKey extends ApiKey {
  /** `spp_…` of a person, `spv_…` of a virtual account: the bearer token. */
  readonly key: string
}

/** What became of looking a key up. `malformed`: mistyped or cut off; `unknown`: revoked, or never made. */
export type KeyVerification =
  | { readonly kind: 'found' | 'expired'; readonly record: KeyRecord }
  | { readonly kind: 'unknown' | 'malformed' }

/** See the top of the file. Methods reject with a `StoreError` where the store fails. */
export interface ApiKeys {
  /**
   * Makes a key. After a failure no key is left that anybody knows; one that could not be taken back is listed.
   *
   * @throws ApiKeyError (`ERR_API_KEY`) for a bad name or time, an option that does not exist, or too many keys.
   */
  create(request: KeyRequest): Promise<NewApiKey>
  /** The owner's keys, oldest first; expired ones too, for 30 days. Without those whose records cannot be read. */
  list(owner: KeyOwner): Promise<ApiKey[]>
  /** Ends a key; `false` where the owner has none of this id. Done again after a failure, it finishes the work. */
  revoke(owner: KeyOwner, id: string): Promise<boolean>
  /** Ends all keys of the owner; how many. What the index cannot tell stays: for owners that are gone, whose keys are worthless anyway. */
  revokeAll(owner: KeyOwner): Promise<number>
  /** Finds a key. Others' revocations are noticed within `cacheMs`, mostly at once where the store tells of changes. */
  verify(key: string): Promise<KeyVerification>
  /** Notes that a key has let somebody in. Never fails, and nobody has to wait for it. */
  noteUse(record: KeyRecord): void
  /** Waits for what is being noted, and no longer listens to the store. */
  close(): Promise<void>
}

/** What API keys need. */
export interface ApiKeySettings {
  readonly store: TokenStore
  readonly clock: Clock
  /** Keys that one owner may have; 50 by default. */
  readonly maxKeysPerOwner?: number
  /** How long a key that was looked up is believed to be there; 5,000 by default. */
  readonly cacheMs?: number
  /** Told of keys made and revoked; must not throw. */
  readonly on?: (event: KeyEvent) => void
}

const MAX_TRIES = 5
/** The last moment that a `Date` can be (ECMA-262 §21.4.1.1). */
const LAST_TIME = 8.64e15
const ID = /^[0-9A-Za-z]{1,64}$/
/** Control characters, line ends of Unicode, and half surrogate pairs. */
const NOT_IN_NAMES = /[\p{Cc}\p{Cs}\u2028\u2029]/u

/** API keys in `settings.store`. */
export function createApiKeys(settings: ApiKeySettings): ApiKeys {
  const { store, clock, maxKeysPerOwner = 50, cacheMs = 5_000, on = () => {} } = settings
  const lastUse = createLastUse(store, clock)
  const records = createKeyRecords({
    store,
    clock,
    maxKeysPerOwner,
    lastUse,
    onChange: (digest) => cache.forget(digest),
  })
  const cache = createReadCache(records.read, cacheMs)
  const unsubscribe = forgetOnChange(store, KEYS, cache)

  function tell(kind: KeyEvent['kind'], owner: KeyOwner, { id, name }: Pick<KeyRecord, 'id' | 'name'>): void {
    on({
      kind,
      via: VIA[owner.kind],
      keyId: id,
      name,
      id: ownerId(owner),
      virtualAccount: owner.kind === 'person' ? null : owner.name,
      reason: null,
      detail: null,
    })
  }

  return {
    async create(request) {
      const { owner, name } = request
      checkOptions(request)
      checkName(name)
      const now = clock.now()
      const expiresAt = endOf(request, now)
      const key = makeKey(owner.kind)
      const id = makeKeyId()
      const prefix = prefixOfKey(key)
      const record = { id, owner, name, prefix, createdAt: now, ...(expiresAt === undefined ? {} : { expiresAt }) }
      for (let tries = 1; !(await records.add(digestOfKey(key), record)); tries++) {
        if (tries === MAX_TRIES) throw tooManyKeys(maxKeysPerOwner)
        await pause(Math.random() * 20 * 2 ** tries)
      }
      tell('created', owner, record)
      const { owner: _, ...known } = record
      return { key, ...known }
    },

    async list(owner) {
      const [entries, used] = await Promise.all([records.entries(owner), lastUse.read(ownerText(owner))])
      const found = await Promise.all(entries.map(({ digest }) => records.readable(digest)))
      return found
        .filter((record) => record !== undefined)
        .map(({ owner: _, ...known }) => {
          const lastUsedAt = used.get(known.id)
          return lastUsedAt === undefined ? known : { ...known, lastUsedAt }
        })
        .toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
    },

    async revoke(owner, id) {
      if (!ID.test(id)) return false
      const entry = await records.entry(owner, id)
      if (entry === undefined) return false
      return records.remove(owner, entry, () => tell('revoked', owner, entry))
    },

    async revokeAll(owner) {
      const entries = await records.entries(owner)
      const gone = await Promise.all(
        entries.map((entry) => records.remove(owner, entry, () => tell('revoked', owner, entry))),
      )
      return gone.filter(Boolean).length
    },

    async verify(key) {
      if (!isWellFormedKey(key)) return { kind: 'malformed' }
      const record = await cache.read(digestOfKey(key))
      if (record === undefined || record.owner.kind !== kindOfKey(key)) return { kind: 'unknown' }
      return { kind: isExpired(record, clock.now()) ? 'expired' : 'found', record }
    },

    noteUse: ({ owner, id }) => lastUse.note(ownerText(owner), id),

    async close() {
      unsubscribe()
      await lastUse.close()
    },
  }
}

/** Of a mistyped time, say, nothing would be seen: the key would never end. */
function checkOptions(request: object): void {
  const known = ['name', 'expiresAt', 'ttlSeconds']
  for (const option of Object.keys(request)) {
    if (option === 'owner' || known.includes(option)) continue
    throw new ApiKeyError('option', `unknown option ${JSON.stringify(option)}${suggest(option, known)}`)
  }
}

function checkName(name: string): void {
  const fits = typeof name === 'string' && name.length <= 200 && [...name].length <= 100
  if (!fits || name.trim() === '' || NOT_IN_NAMES.test(name)) {
    throw new ApiKeyError('name', 'the name of a key has 1 to 100 characters, none of them a control character')
  }
}

/** When a key ends that is made now. */
function endOf({ expiresAt, ttlSeconds }: KeyRequest, now: number): number | undefined {
  if (expiresAt !== undefined && ttlSeconds !== undefined) {
    throw new ApiKeyError('expiry', 'expected at most one of expiresAt and ttlSeconds')
  }
  if (ttlSeconds !== undefined && !(ttlSeconds > 0 && Number.isFinite(ttlSeconds))) {
    throw new ApiKeyError('expiry', 'ttlSeconds is a positive number of seconds')
  }
  const end = ttlSeconds === undefined ? expiresAt : now + ttlSeconds * 1000
  if (end !== undefined && !(end > now && Number.isFinite(end))) {
    throw new ApiKeyError('expiry', 'expiresAt is a time to come, in milliseconds since 1970')
  }
  if (end !== undefined && end > LAST_TIME) {
    throw new ApiKeyError(
      'expiry',
      'no calendar reaches as far; for a key that does not end, leave expiresAt and ttlSeconds out',
    )
  }
  return end
}
