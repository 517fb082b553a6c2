/**
 * A token store whose values are encrypted at rest. Keys rotate while it
 * runs: put the new one first, keep the old one behind it, call `reseal()`, drop
 * the old one. A key that is missing is found out at the start.
 */
import { messageOf, SealError, StoreError } from '../core/errors.ts'
import { createSealer, type Sealer } from '../core/sealing.ts'
import { everyRecord } from './every-record.ts'
import { assertKey, type Key, keyText, type Page, type StoredRecord, type TokenStore } from './token-store.ts'
import { UnopenedRecord, UnopenedRecords } from './unopened.ts'

/** A store that seals. */
export interface SealedStore extends TokenStore {
  /**
   * Finds out whether everything in the store can be opened, and says with which key this process seals, so that others who
   * start with different keys find out too, before anything has been sealed. Call it at the start. Every other method does
   * the first half by itself.
   *
   * @throws SealError (`ERR_SEAL`) when the store holds records of a key that is not configured, or somebody else has begun
   *   to use it with one in the last hour.
   */
  ready(): Promise<void>
  /**
   * Seals every record with the first key, and forgets which others were needed; how many were sealed anew. Nothing else
   * does that to a record that nobody writes. Call it once every process has the new key first: what another one seals with
   * an old key afterwards is not noticed at the start.
   */
  reseal(): Promise<number>
}

/** Whether a store seals by itself. */
export function isSealed(store: TokenStore): store is SealedStore {
  return 'reseal' in store
}

/** Which spaces have records of which key: a witness for each, with the space as owner and the key's id. */
const WITNESS_SPACE = 'sealing-keys'
const WITNESS_TEXT = Buffer.from('sallyport')
/** Keys that processes have begun to seal with. By the time that such a record ends, there are witnesses. */
const IN_USE_SPACE = 'sealing-keys-in-use'
const IN_USE_MS = 3_600_000
const MAX_CONFLICTS = 50

/**
 * Wraps `store` so that values are sealed with `keys`: the first seals, all open. A record opens only under its own key
 * (space, owner and id), so a row copied to another owner is worthless.
 *
 * ```ts
 * const store = sealed(sqliteStore('tokens.db'), [newKey, oldKey])
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) for bad keys; `generateKey()` makes good ones.
 */
export function sealed(store: TokenStore, keys: readonly string[]): SealedStore {
  const sealer = createSealer(keys, 'store')
  /** Spaces that have a witness of the first key. */
  const witnessed = new Set<string>()
  let checked: Promise<void> | undefined

  function check(): Promise<void> {
    checked ??= checkWitnesses(store, sealer, witnessed).catch((error: unknown) => {
      checked = undefined
      throw error
    })
    return checked
  }

  async function ready(): Promise<void> {
    await check()
    await checkUsers(store, sealer)
    const own = { space: IN_USE_SPACE, owner: sealer.keyId, id: 'key' }
    const before = await store.get(own)
    await store.put(own, WITNESS_TEXT, { ifVersion: before?.version ?? null, ttlMs: IN_USE_MS })
    try {
      // Of two who begin at the same moment, the later one at least sees the other here.
      await checkUsers(store, sealer)
    } catch (error) {
      if (before === undefined) await store.delete(own)
      throw error
    }
  }

  async function open(key: Key, record: StoredRecord): Promise<{ record: StoredRecord; keyId: string }> {
    try {
      const { plaintext, keyId } = await sealer.open(record.value, keyText(key))
      return { record: { value: plaintext, version: record.version }, keyId }
    } catch (error) {
      // A record that does not open is never taken for one that is not there.
      const reason = error instanceof Error ? error.message : String(error)
      throw new UnopenedRecord(`the record ${keyText(key)} does not open: ${reason}`, record.version, { cause: error })
    }
  }

  /** Seals for `key`; the witness is written first. */
  async function seal(key: Key, plaintext: Uint8Array): Promise<Uint8Array> {
    if (!witnessed.has(key.space)) {
      const witness = { space: WITNESS_SPACE, owner: key.space, id: sealer.keyId }
      await store.put(witness, await sealer.seal(WITNESS_TEXT, keyText(witness)), { ifVersion: null })
      witnessed.add(key.space)
    }
    return sealer.seal(plaintext, keyText(key))
  }

  /** Goes on until the record is sealed with the first key, or gone; whether this did it. */
  async function resealNow(key: Key, found: StoredRecord): Promise<boolean> {
    let current: StoredRecord | undefined = found
    for (let tries = 0; current !== undefined && tries < MAX_CONFLICTS; tries++) {
      const { record, keyId } = await open(key, current)
      if (keyId === sealer.keyId) return false
      const options = { ifVersion: record.version, ttlMs: 'keep' } as const
      if ((await store.put(key, await seal(key, record.value), options)) !== 'conflict') return true
      current = await store.get(key)
    }
    if (current === undefined) return false
    throw new StoreError(`the record ${keyText(key)} keeps changing`)
  }

  async function openPage(page: Page): Promise<Page> {
    const all = await Promise.allSettled(
      page.records.map(async ({ key, ...record }) => ({ key, ...(await open(key, record)).record })),
    )
    const records = all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const opened = page.next === undefined ? { records } : { records, next: page.next }
    const failed = all.find((each) => each.status === 'rejected')
    if (failed === undefined) return opened
    const keys = page.records.flatMap(({ key }, index) => (all[index]?.status === 'rejected' ? [key] : []))
    throw new UnopenedRecords(messageOf(failed.reason), opened, keys, { cause: failed.reason })
  }

  return {
    ready,
    async get(key) {
      assertKey(key)
      await check()
      const found = await store.get(key)
      // Never sealed anew here: processes that are a step apart would do it in turn, and a late one would undo reseal().
      return found && (await open(key, found)).record
    },
    async put(key, value, options) {
      assertKey(key)
      // The caller may change its bytes while this waits.
      const plaintext = new Uint8Array(value)
      await check()
      return store.put(key, await seal(key, plaintext), options)
    },
    async take(key) {
      assertKey(key)
      await check()
      const found = await store.take(key)
      return found && (await open(key, found)).record
    },
    async delete(key, options) {
      assertKey(key)
      await check()
      return store.delete(key, options)
    },
    async list(space, owner, page) {
      await check()
      return openPage(await store.list(space, owner, page))
    },
    async scan(space, page) {
      await check()
      return openPage(await store.scan(space, page))
    },
    lease: (key, ttlMs) => store.lease(key, ttlMs),
    ...(store.changes === undefined ? {} : { changes: store.changes.bind(store) }),
    async reseal() {
      await check()
      const witnesses: (StoredRecord & { readonly key: Key })[] = []
      for await (const witness of everyRecord((page) => store.scan(WITNESS_SPACE, page))) witnesses.push(witness)
      let count = 0
      for (const space of new Set(witnesses.map(({ key }) => key.owner))) {
        for await (const { key, ...found } of everyRecord((page) => store.scan(space, page)))
          if (await resealNow(key, found)) count++
      }
      for (const { key, version } of witnesses) {
        if (key.id !== sealer.keyId) await store.delete(key, { ifVersion: version })
      }
      for await (const { key } of everyRecord((page) => store.scan(IN_USE_SPACE, page))) {
        if (key.owner !== sealer.keyId) await store.delete(key)
      }
      return count
    },
    close: () => store.close(),
  }
}

/** Every key that has sealed something must be there and be the right one. Notes what the first has sealed. */
async function checkWitnesses(store: TokenStore, sealer: Sealer, witnessed: Set<string>): Promise<void> {
  const missing = new Map<string, string[]>()
  for await (const { key, value } of everyRecord((page) => store.scan(WITNESS_SPACE, page))) {
    if (sealer.keyIds.includes(key.id)) await sealer.open(value, keyText(key))
    else missing.set(key.id, [...(missing.get(key.id) ?? []), key.owner])
    if (key.id === sealer.keyId) witnessed.add(key.owner)
  }
  if (missing.size === 0) return
  const keys = [...missing].map(([id, spaces]) => `${id} (in ${spaces.join(', ')})`)
  throw new SealError(
    `the store holds records sealed with ${keys.length === 1 ? 'a key that is' : 'keys that are'} not configured: ` +
      `${keys.join('; ')}. Configured: ${sealer.keyIds.join(', ')}. Add the old key behind the new one, then reseal()`,
  )
}

/** Whoever uses the store now must seal with a key that is there. */
async function checkUsers(store: TokenStore, sealer: Sealer): Promise<void> {
  const missing: string[] = []
  for await (const { key } of everyRecord((page) => store.scan(IN_USE_SPACE, page))) {
    if (!sealer.keyIds.includes(key.owner)) missing.push(key.owner)
  }
  if (missing.length === 0) return
  throw new SealError(
    `somebody else uses the store with ${missing.length === 1 ? 'a key that is' : 'keys that are'} not configured here: ` +
      `${missing.join(', ')}. Configured: ${sealer.keyIds.join(', ')}. Whoever shares a store needs the same keys: ` +
      'a guard and its gateway, and every process of them',
  )
}
