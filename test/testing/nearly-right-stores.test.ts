/** Stores with one mistake, as a careful developer could make it: one test of the kit finds it, and no other does. */
import { expect, test } from 'vitest'
import { everyRecord } from '../../src/store/every-record.ts'
import { type Key, type Page, pageLimit, type StoredRecord, type TokenStore } from '../../src/store/token-store.ts'
import { type Change, changedHandles, failing } from './kit-runs.ts'

/** Also of a key that cannot be. */
const nameOf = ({ space, owner, id }: Key) => JSON.stringify([space, owner, id])

const soon = () => new Promise((resolve) => setImmediate(resolve))

const mistakes: Readonly<Record<string, readonly [Change, string]>> = {
  'a page without a limit is the only one': [
    (store) => ({
      list: (space, owner, page) => endless(store.list(space, owner, page), page?.limit !== undefined),
      scan: (space, page) => endless(store.scan(space, page), page?.limit !== undefined),
    }),
    'listing: a listing without a limit goes on after its first page',
  ],
  'there is no more after 1,000': [
    (store) => ({
      async list(space, owner, page) {
        const found = await store.list(space, owner, page)
        return endless(found, found.records.length < 1_000)
      },
    }),
    'listing: a listing does not end at the largest page',
  ],
  'scan goes on behind owner:id, split at the first colon': [
    (store) => ({ scan: (space, page) => behindColon(store, space, page) }),
    'keys: hostile keys are listed page by page',
  ],
  'an expired lease is taken over without looking again': [
    takenOver(),
    'races: of 100 that want a lease which has just ended, one gets it',
  ],
  'an expired record is written over without looking again': [
    writtenOver(),
    'races: of 100 that create a record where one has just expired, one does',
  ],
  'delete with a version looks, then deletes': [
    (store) => ({
      async delete(key, options) {
        if (options?.ifVersion === undefined) return store.delete(key)
        if ((await store.get(key))?.version !== options.ifVersion) return false
        await soon()
        return store.delete(key)
      },
    }),
    'races: a delete with a version does not delete what is written meanwhile',
  ],
  'take reads, then deletes what is there': [
    (store) => ({
      async take(key) {
        const found = await store.get(key)
        await soon()
        return (await store.delete(key)) ? found : undefined
      },
    }),
    'races: a take does not take away what is written meanwhile',
  ],
  'a lease is held by the process': [
    heldByProcess(),
    "leases: a late holder does neither to the next one's on the same handle",
  ],
  'a handle reads from its cache for a second': [
    cached,
    'records: what one handle changes, another that has read it sees at once',
  ],
}

/** The page, with its `next` where that is told. */
async function endless(found: Page | Promise<Page>, told: boolean): Promise<Page> {
  const page = await found
  return told ? page : { records: page.records }
}

async function behindColon(
  store: TokenStore,
  space: string,
  ...[page]: [Parameters<TokenStore['scan']>[1]]
): Promise<Page> {
  await store.scan(space)
  const all: Page['records'][number][] = []
  for await (const record of everyRecord((part) => store.scan(space, part))) all.push(record)
  const [owner = '', ...id] = page?.after?.split(':') ?? []
  const isBehind = ({ key }: { key: Key }) =>
    page?.after === undefined || key.owner > owner || (key.owner === owner && key.id > id.join(':'))
  const rest = all.filter(isBehind).sort((one, other) => (order(one.key) < order(other.key) ? -1 : 1))
  const records = rest.slice(0, pageLimit(page))
  const last = records.at(-1)
  return last !== undefined && records.length < rest.length
    ? { records, next: `${last.key.owner}:${last.key.id}` }
    : { records }
}

/** As `<` has it: by owner, then by id. */
const order = ({ owner, id }: Key) => `${owner}\0${id}`

interface Held {
  readonly holder: object
  until: number
}

/** Leases beside the store: `holderOf` says who it is that takes one, `take` how. */
function leasesOf(
  held: Map<string, Held>,
  store: TokenStore,
  take: (name: string, mine: Held) => Promise<boolean>,
  holder: () => object,
): TokenStore['lease'] {
  return async (key, ttlMs) => {
    // Refuses what cannot be.
    await (await store.lease(key, ttlMs))?.release()
    const name = nameOf(key)
    const mine = { holder: holder(), until: performance.now() + ttlMs }
    if (!(await take(name, mine))) return undefined
    let released = false
    const current = () => {
      const now = held.get(name)
      return !released && now?.holder === mine.holder && now.until > performance.now() ? now : undefined
    }
    return {
      async renew(renewedMs) {
        if (!(renewedMs > 0)) throw new TypeError('no time')
        const now = current()
        if (now !== undefined) now.until = performance.now() + renewedMs
        return now !== undefined
      },
      async release() {
        if (current() !== undefined) held.delete(name)
        released = true
      },
    }
  }
}

function takenOver(): Change {
  const held = new Map<string, Held>()
  async function take(name: string, mine: Held): Promise<boolean> {
    const before = held.get(name)
    if (before !== undefined && before.until > performance.now()) return false
    if (before !== undefined) await soon()
    held.set(name, mine)
    return true
  }
  return (store) => ({ lease: leasesOf(held, store, take, () => ({})) })
}

function heldByProcess(): Change {
  const held = new Map<string, Held>()
  async function take(name: string, mine: Held): Promise<boolean> {
    if ((held.get(name)?.until ?? 0) > performance.now()) return false
    held.set(name, mine)
    return true
  }
  return (store) => {
    const process = {}
    return { lease: leasesOf(held, store, take, () => process) }
  }
}

function writtenOver(): Change {
  const ends = new Map<string, number>()
  return (store) => ({
    async put(key, value, options) {
      const copy = value.slice()
      const name = nameOf(key)
      const isOver = (ends.get(name) ?? Number.POSITIVE_INFINITY) <= performance.now()
      if (isOver && options.ifVersion === null) {
        await soon()
        await store.delete(key)
      }
      const version = await store.put(key, copy, options)
      if (version === 'conflict' || options.ttlMs === 'keep') return version
      ends.delete(name)
      if (options.ttlMs !== undefined) ends.set(name, performance.now() + options.ttlMs)
      return version
    },
  })
}

/** Forgets what it writes itself. */
function cached(store: TokenStore): Partial<TokenStore> {
  const known = new Map<string, { readonly until: number; readonly record: StoredRecord }>()
  const copyOf = (record: StoredRecord) => ({ ...record, value: record.value.slice() })
  const forget = <T>(key: Key, work: Promise<T>) => work.finally(() => known.delete(nameOf(key)))
  return {
    async get(key) {
      const before = known.get(nameOf(key))
      if (before !== undefined && before.until > performance.now()) return copyOf(before.record)
      const record = await store.get(key)
      if (record !== undefined) known.set(nameOf(key), { until: performance.now() + 1_000, record })
      return record && copyOf(record)
    },
    put: (key, ...rest) => forget(key, store.put(key, ...rest)),
    take: (key) => forget(key, store.take(key)),
    delete: (key, ...rest) => forget(key, store.delete(key, ...rest)),
  }
}

test.each(Object.entries(mistakes))('B10 %s', { timeout: 60_000 }, async (_, [mistake, found]) => {
  expect(await failing(changedHandles(mistake), {})).toEqual([found])
})
