/**
 * What is sealed with the configured keys: the store, session ids, request states. The keys may be references that take a moment
 * to look up, so that everything here waits for them; nothing has to know that they are not there yet.
 */
import { lookedUp } from '../core/looked-up.ts'
import { createSealer, type Sealer } from '../core/sealing.ts'
import { resolveSecret, type Secret, type SecretResolver } from '../core/secrets.ts'
import { isSealed, type SealedStore, sealed } from '../store/sealed.ts'
import type { TokenStore } from '../store/token-store.ts'

/** See the top of the file. Methods reject with a `SecretError` as long as a key cannot be looked up. */
export interface SealingKeys {
  /** `store`, sealed, unless it seals by itself. */
  readonly store: TokenStore
  /** A sealer for one purpose. `keyId` and `keyIds` are there after `ready()`. */
  sealer(purpose: string): Sealer
  /** Looks the keys up, and finds out whether they open what is in the store. */
  ready(): Promise<void>
}

/** What is sealed with `keys`, which have passed `sealingKeyProblems`. */
export function createSealingKeys(
  keys: readonly Secret[],
  store: TokenStore,
  secrets: SecretResolver | undefined,
): SealingKeys {
  const ownSeal = isSealed(store) ? store : undefined
  const { get: lookUp } = lookedUp(() => Promise.all(keys.map((key) => resolveSecret(key, secrets))))
  let sealedStore: Promise<SealedStore> | undefined

  function open(): Promise<SealedStore> {
    sealedStore ??= lookUp().then(
      (texts) => ownSeal ?? sealed(store, texts),
      (error: unknown) => {
        sealedStore = undefined
        throw error
      },
    )
    return sealedStore
  }

  const late: TokenStore = {
    get: async (key) => (await open()).get(key),
    put: async (key, value, options) => (await open()).put(key, value, options),
    take: async (key) => (await open()).take(key),
    delete: async (key, options) => (await open()).delete(key, options),
    list: async (space, owner, page) => (await open()).list(space, owner, page),
    scan: async (space, page) => (await open()).scan(space, page),
    lease: async (key, ttlMs) => (await open()).lease(key, ttlMs),
    ...(store.changes === undefined ? {} : { changes: store.changes.bind(store) }),
    // It is the user's.
    close: async () => {},
  }

  return {
    store: ownSeal ?? late,
    sealer(purpose) {
      let made: Sealer | undefined
      const find = async () => {
        made ??= createSealer(await lookUp(), purpose)
        return made
      }
      const there = () => {
        if (made === undefined) throw new TypeError('the keys have not been looked up yet')
        return made
      }
      return {
        get keyId() {
          return there().keyId
        },
        get keyIds() {
          return there().keyIds
        },
        seal: async (plaintext, place) => (made ?? (await find())).seal(plaintext, place),
        open: async (value, place) => (made ?? (await find())).open(value, place),
        sealText: async (plaintext, place) => (made ?? (await find())).sealText(plaintext, place),
        openText: async (value, place) => (made ?? (await find())).openText(value, place),
      }
    },
    async ready() {
      const found = await open()
      // Also where the store seals with keys of its own.
      createSealer(await lookUp(), 'ready')
      await found.ready()
    },
  }
}
