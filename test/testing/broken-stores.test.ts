/** The kit catches stores that break the contract, each by the test that is meant for it. */
import { describe, expect, it } from 'vitest'
import { type Key, keyText, type Lease, type TokenStore } from '../../src/store/token-store.ts'
import { type Change, changed, failing } from './kit-runs.ts'

const soon = () => new Promise((resolve) => setImmediate(resolve))

/** Writes whatever the version is now. */
async function force(store: TokenStore, ...[key, value, options]: Parameters<TokenStore['put']>) {
  for (;;) {
    const ifVersion = (await store.get(key))?.version ?? null
    const version = await store.put(key, value, { ...options, ifVersion })
    if (version !== 'conflict') return version
  }
}

const breaks: Readonly<Record<string, readonly [Change, ...string[]]>> = {
  'put ignores ifVersion': [
    (store) => ({ put: (...call) => force(store, ...call) }),
    'records: put with ifVersion null writes only what is not there',
    'records: put with a version writes only over that version',
    'records: a late writer is refused after delete and recreate',
    'records: no update gets lost among writers that read, change and write',
  ],
  'put looks, and then writes': [
    (store) => ({
      async put(key, value, options) {
        if (((await store.get(key))?.version ?? null) !== options.ifVersion) return 'conflict'
        await soon()
        return force(store, key, value, options)
      },
    }),
    'records: of 100 that create a record at once, one does',
    'records: no update gets lost among writers that read, change and write',
  ],
  'put with null overwrites': [
    (store) => ({
      put: (key, value, options) =>
        options.ifVersion === null ? force(store, key, value, options) : store.put(key, value, options),
    }),
    'records: put with ifVersion null writes only what is not there',
    'records: of 100 that create a record at once, one does',
  ],
  'take is get and then delete': [
    (store) => ({
      async take(key) {
        const found = await store.get(key)
        await soon()
        await store.delete(key)
        return found
      },
    }),
    'records: of 100 that take a record at once, one gets it',
  ],
  'versions count from one': [
    (store) => countedVersions(store),
    'records: versions are never used again, also after a delete, a take, and for the same value',
    'records: a late writer is refused after delete and recreate',
    'expiry: put over an expired record: its version conflicts, null writes, and the new one stays',
  ],
  'the version is a digest of the value': [
    (store) => digestVersions(store),
    'records: versions are never used again, also after a delete, a take, and for the same value',
  ],
  'delete ignores ifVersion': [
    (store) => ({ delete: (key) => store.delete(key) }),
    'records: delete with a version deletes only that version',
    'records: a late writer is refused after delete and recreate',
  ],
  'delete always says that it did': [
    (store) => ({ delete: (key, options) => store.delete(key, options).then(() => true) }),
    'records: delete tells whether there was something',
    'expiry: an expired record is invisible at once to get, take, delete, list and scan',
  ],
  'the lease is not exclusive': [
    (store) => ({ lease: async (key, ttlMs) => (await store.lease(key, ttlMs)) ?? idle }),
    'leases: of 100 that want a lease at once, one gets it',
    'leases: lease and record do not know of each other',
  ],
  'anybody releases a lease': [
    (store) => careless(store, { release: true }),
    "leases: release by a late holder does not free somebody else's",
    'leases: renew after release is refused, and a second release does nothing',
  ],
  'a late holder renews a lease': [
    (store) => careless(store, { renew: true }),
    'leases: renew after the end does not steal it from the next holder',
    'leases: renew after the end is refused, also when nobody has it',
  ],
  'the lease never ends by itself': [
    (store) => ({ lease: (key) => store.lease(key, 1e9) }),
    'leases: a lease ends by itself',
  ],
  'renew does nothing': [
    (store) => ({
      async lease(key, ttlMs) {
        const lease = await store.lease(key, ttlMs)
        return lease && { ...lease, renew: async () => true }
      },
    }),
    'leases: renew makes it last from then',
  ],
  'records never expire': [
    (store) => ({ put: (key, value, { ifVersion }) => store.put(key, value, { ifVersion }) }),
    'expiry: an expired record is invisible at once to get, take, delete, list and scan',
    'expiry: take does not take what has expired',
    "expiry: put with ttlMs 'keep' leaves the time that the record has",
  ],
  "ttlMs 'keep' is taken for none": [
    (store) => ({
      put: (key, value, { ifVersion, ttlMs }) =>
        store.put(key, value, ttlMs === undefined || ttlMs === 'keep' ? { ifVersion } : { ifVersion, ttlMs }),
    }),
    "expiry: put with ttlMs 'keep' leaves the time that the record has",
  ],
  'owner and id are joined by a colon': [
    (store) => {
      const join = ({ space, owner, id }: Key) => ({ space, owner: 'all', id: `${owner}:${id}`.slice(0, 512) })
      return {
        get: (key) => store.get(join(key)),
        put: (key, ...rest) => store.put(join(key), ...rest),
      }
    },
    'keys: the border between owner and id is not confused',
  ],
  'keys are compared without regard to case': [
    (store) => {
      const lower = ({ space, owner, id }: Key) => ({ space, owner: owner.toLowerCase(), id: id.toLowerCase() })
      return {
        get: (key) => store.get(lower(key)),
        put: (key, ...rest) => store.put(lower(key), ...rest),
        lease: (key, ttlMs) => store.lease(lower(key), ttlMs),
      }
    },
    'keys: hostile ids are not confused',
    'keys: hostile owners are not confused, and each is listed alone',
    'keys: hostile keys have leases of their own',
  ],
  'keys are not checked': [
    (store) => ({ get: (key) => (key.owner === '' ? Promise.resolve(undefined) : store.get(key)) }),
    'keys: keys that cannot be are refused with a TypeError',
  ],
  'pages go by number': [
    (store) => ({
      async list(space, owner, page) {
        const all = (await store.list(space, owner, { limit: 1_000 })).records
        const [from, limit] = [Number(page?.after ?? 0), Math.max(1, page?.limit ?? 100)]
        const records = all.slice(from, from + limit)
        return from + limit < all.length ? { records, next: `${from + limit}` } : { records }
      },
    }),
    'listing: list and scan have what stays once, while others come and go',
  ],
  'the listing shows everybody': [
    (store) => ({ list: (space, _, page) => store.scan(space, page) }),
    'listing: list has every record of the owner once, with key, value and version',
    'keys: hostile owners are not confused, and each is listed alone',
  ],
  'values are text': [
    (store) => ({
      put: (key, value, options) => store.put(key, Buffer.from(Buffer.from(value).toString()), options),
    }),
    'records: values are bytes: every byte, none at all, a megabyte',
  ],
  'the value is kept, not copied': [
    (store) => {
      const values = new Map<string, Uint8Array>()
      return {
        async put(key, value, options) {
          const version = await store.put(key, value, options)
          if (version !== 'conflict') values.set(keyText(key), value)
          return version
        },
        async get(key) {
          const found = await store.get(key)
          return found && { ...found, value: values.get(keyText(key)) ?? found.value }
        },
      }
    },
    'records: values are copies: nobody changes one from outside',
  ],
  'close does nothing': [
    () => ({ close: async () => {} }),
    'closing: after close every method rejects with a StoreError; closing again is fine',
  ],
  'close fails while another is under way': [
    (store) => {
      let closing = false
      return {
        async close() {
          if (closing) throw new Error('called more than once')
          closing = true
          await soon()
          await store.close()
          closing = false
        },
      }
    },
    'closing: close can be called twice at once, and again',
  ],
}

const idle: Lease = { renew: async () => true, release: async () => {} }

/** Leases whose late holders do what only the holder may. */
function careless(store: TokenStore, late: { renew?: true; release?: true }): Partial<TokenStore> {
  const held = new Map<string, Lease>()
  return {
    async lease(key, ttlMs) {
      const lease = await store.lease(key, ttlMs)
      if (lease === undefined) return undefined
      held.set(keyText(key), lease)
      const current = () => held.get(keyText(key)) ?? lease
      return {
        async renew(renewedMs) {
          if (!late.renew) return lease.renew(renewedMs)
          if (await current().renew(renewedMs)) return true
          const again = await store.lease(key, renewedMs)
          if (again !== undefined) held.set(keyText(key), again)
          return true
        },
        release: () => (late.release ? current() : lease).release(),
      }
    },
  }
}

/** Versions that a record counts for itself, from 1 whenever it is made. */
function countedVersions(store: TokenStore): Partial<TokenStore> {
  return renamedVersions(store, (count) => `${count}`)
}

function digestVersions(store: TokenStore): Partial<TokenStore> {
  return renamedVersions(store, (_, value) => Buffer.from(value).toString('hex'))
}

function renamedVersions(store: TokenStore, name: (count: number, value: Uint8Array) => string): Partial<TokenStore> {
  const counts = new Map<string, number>()
  async function get(key: Key) {
    const found = await store.get(key)
    return found && { value: found.value, version: name(counts.get(keyText(key)) ?? 0, found.value) }
  }
  return {
    get,
    async put(key, value, options) {
      const real = await store.get(key)
      const found = await get(key)
      if ((found?.version ?? null) !== options.ifVersion) return 'conflict'
      const written = await store.put(key, value, { ...options, ifVersion: real?.version ?? null })
      if (written === 'conflict') return written
      const count = (found === undefined ? 0 : (counts.get(keyText(key)) ?? 0)) + 1
      counts.set(keyText(key), count)
      return name(count, value)
    },
    async delete(key, { ifVersion } = {}) {
      const found = await get(key)
      return found !== undefined && (ifVersion === undefined || ifVersion === found.version) && store.delete(key)
    },
  }
}

describe('B10 the kit fails stores that break the contract', () => {
  it('and passes one that keeps it', { timeout: 30_000 }, async () => {
    expect(
      await failing(
        changed(() => ({})),
        { oneHandle: true },
      ),
    ).toEqual([])
  })

  for (const [name, [broken, ...expected]] of Object.entries(breaks)) {
    it(name, { timeout: 60_000 }, async () => {
      const failed = await failing(changed(broken), { oneHandle: true })
      expect(expected.filter((test) => !failed.includes(test))).toEqual([])
    })
  }
})
