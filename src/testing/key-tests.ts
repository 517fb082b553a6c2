/** Keys: hostile ones are not confused, impossible ones are refused. */
import assert from 'node:assert/strict'
import type { Key, Page, PageRequest, TokenStore } from '../store/token-store.ts'
import { inParallel } from './in-parallel.ts'
import {
  bytes,
  create,
  type KitTest,
  listAll,
  newKey,
  newSpace,
  readAll,
  scanAll,
  storeTest,
  textOf,
} from './test-kit.ts'

/** Parts that some encoding, collation, pattern or template takes for something else. */
const HOSTILE: readonly string[] = [
  'a',
  'A',
  'ä',
  'a\u0308',
  'ab',
  'a:b',
  'a::b',
  'a/b',
  'a//b',
  'a%2Fb',
  'a%b',
  '%',
  'a_b',
  'a*',
  'a?',
  '[a]',
  '{a}',
  '{a',
  'a}',
  '}{',
  '{}',
  'a|b',
  'a\\b',
  'a\tb',
  'a\nb',
  'a\r\nb',
  'a b',
  ' a',
  'a ',
  "a'b",
  'a"b',
  "'; DROP TABLE records; --",
  '__proto__',
  'constructor',
  '.',
  '..',
  '0',
  '00',
  '1',
  '1.0',
  '-1',
  'null',
  'ﬁ',
  'fi',
  '\ufeffa',
  '\uffff',
  '\u{1f511}',
  '\u{10ffff}',
  '字',
  `${'x'.repeat(511)}1`,
  `${'x'.repeat(511)}2`,
  '字'.repeat(512),
]

/** What some encoding puts between owner and id. */
const MARKS = [':', '::', '/', '%', '%2F', '{', '}', '|', '\\', '\n', ' ', '.', '-', '_', ',', '\u0001', '\u{1f511}']

/** Each has the value that was written there. */
async function holdTheirOwn(store: TokenStore, keys: readonly Key[]): Promise<void> {
  await inParallel(keys, (key, index) => create(store, key, `${index}`))
  await inParallel(keys, async (key, index) => assert.equal(await textOf(store, key), `${index}`, JSON.stringify(key)))
}

export const keyTests: readonly KitTest[] = [
  storeTest('hostile ids are not confused', async (store) => {
    const { space, owner } = newKey()
    await holdTheirOwn(
      store,
      HOSTILE.map((id) => ({ space, owner, id })),
    )
    const records = await listAll(store, space, owner)
    assert.deepEqual(records.map(({ key }) => key.id).sort(), [...HOSTILE].sort())
  }),

  storeTest('hostile owners are not confused, and each is listed alone', async (store) => {
    const space = newSpace()
    const keys = HOSTILE.map((owner) => ({ space, owner, id: 'record' }))
    await holdTheirOwn(store, keys)
    await inParallel(keys, async (key, index) => {
      const records = await listAll(store, space, key.owner)
      assert.deepEqual(
        records.map((record) => [record.key, new TextDecoder().decode(record.value)]),
        [[key, `${index}`]],
      )
    })
    const records = await scanAll(store, space)
    assert.deepEqual(records.map(({ key }) => key.owner).sort(), [...HOSTILE].sort())
    await inParallel(keys, async (key) => assert.equal(await store.delete(key), true))
  }),

  storeTest('the border between owner and id is not confused', async (store) => {
    const space = newSpace()
    await holdTheirOwn(
      store,
      MARKS.flatMap((mark) => [
        { space, owner: `a${mark}b`, id: 'c' },
        { space, owner: 'a', id: `b${mark}c` },
        { space, owner: `a${mark}`, id: `b${mark}` },
        { space, owner: 'a', id: `${mark}b${mark}` },
      ]),
    )
  }),

  storeTest('hostile keys are listed page by page', async (store) => {
    const [space, single] = [newSpace(), newSpace()]
    const owner = 'a:b/c'
    const owners = HOSTILE.map((part) => ({ space, owner: part, id: 'a:b/c' }))
    const ids = HOSTILE.map((id) => ({ space: single, owner, id }))
    await inParallel([...owners, ...ids], (key) => create(store, key, 'value'))
    const readings: [readonly Key[], (page: PageRequest) => Promise<Page>][] = [
      [owners, (page) => store.scan(space, page)],
      [ids, (page) => store.scan(single, page)],
      [ids, (page) => store.list(single, owner, page)],
    ]
    const text = (key: Key) => JSON.stringify([key.owner, key.id])
    await inParallel(readings, ([keys, listing]) =>
      // Two on a page, from the first record and from the second on: each of them is the last of a page once.
      inParallel([1, 2], async (first) => {
        const records = await readAll((page) => listing(page.after === undefined ? { limit: first } : page), 2)
        assert.deepEqual(records.map(({ key }) => text(key)).sort(), keys.map(text).sort())
      }),
    )
  }),

  storeTest('hostile keys have leases of their own', async (store) => {
    const { space, owner } = newKey()
    const lease = (id: string) => store.lease({ space, owner, id }, 60_000)
    await inParallel(HOSTILE, async (id) => assert.ok(await lease(id), JSON.stringify(id)))
    await inParallel(HOSTILE, async (id) => assert.equal(await lease(id), undefined))
  }),

  storeTest('the same owner and id in two spaces are two records', async (store) => {
    const key = newKey({ space: newSpace() })
    const other = { ...key, space: newSpace() }
    const longer = { ...key, space: `${key.space}-b` }
    await create(store, key, 'one')
    assert.equal(await store.get(other), undefined)
    assert.equal(await store.take(longer), undefined)
    await create(store, other, 'two')
    await create(store, longer, 'three')
    assert.equal(await store.delete(other), true)
    assert.equal(await textOf(store, key), 'one')
    assert.equal((await scanAll(store, key.space)).length, 1)
    assert.equal((await listAll(store, key.space, key.owner)).length, 1)
  }),

  storeTest('keys that cannot be are refused with a TypeError', async (store) => {
    const spaces = ['', 'Upper', '1st', 'a b', 'a:b', 'a/b', 'ä', 'x'.repeat(65)]
    const parts = ['', 'x'.repeat(513), 'a\0b', '\ud800', 'a\udc00']
    const bad = [
      ...spaces.map((space) => newKey({ space })),
      ...parts.map((owner) => newKey({ owner })),
      ...parts.map((id) => newKey({ id })),
    ]
    await inParallel(bad, async (key) => {
      const calls: Record<string, () => Promise<unknown>> = {
        get: async () => store.get(key),
        put: async () => store.put(key, bytes(''), { ifVersion: null }),
        take: async () => store.take(key),
        delete: async () => store.delete(key),
        lease: async () => store.lease(key, 1_000),
      }
      for (const [name, call] of Object.entries(calls))
        await assert.rejects(call, TypeError, `${name} of ${JSON.stringify(key)}`)
    })
    await inParallel(spaces, async (space) => {
      await assert.rejects(async () => store.scan(space), TypeError, JSON.stringify(space))
      await assert.rejects(async () => store.list(space, 'owner'), TypeError, JSON.stringify(space))
    })
    await inParallel(parts, (owner) => assert.rejects(async () => store.list('kit', owner), TypeError))
  }),

  storeTest('times that cannot be are refused with a TypeError', async (store) => {
    for (const ttlMs of [0, -1, Number.NaN]) {
      const key = newKey()
      await assert.rejects(async () => store.put(key, bytes(''), { ifVersion: null, ttlMs }), TypeError, `put ${ttlMs}`)
      assert.equal(await store.get(key), undefined)
      await assert.rejects(async () => store.lease(key, ttlMs), TypeError, `lease ${ttlMs}`)
      const lease = await store.lease(key, 60_000)
      assert.ok(lease)
      await assert.rejects(async () => lease.renew(ttlMs), TypeError, `renew ${ttlMs}`)
    }
  }),
]
