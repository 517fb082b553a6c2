/** Keys: hostile ones are not confused, impossible ones are refused. */
import assert from 'node:assert/strict'
import type { Key } from '../store/token-store.ts'
import { bytes, create, type KitTest, listAll, newKey, newSpace, scanAll, storeTest, textOf } from './test-kit.ts'

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

export const keyTests: readonly KitTest[] = [
  storeTest('hostile ids are not confused', async (store) => {
    const { space, owner } = newKey()
    const keys = HOSTILE.map((id) => ({ space, owner, id }))
    await holdTheirOwn(keys)
    const records = await listAll(store, space, owner)
    assert.deepEqual(records.map(({ key }) => key.id).sort(), [...HOSTILE].sort())

    async function holdTheirOwn(all: readonly Key[]): Promise<void> {
      for (const [index, key] of all.entries()) await create(store, key, `${index}`)
      for (const [index, key] of all.entries()) assert.equal(await textOf(store, key), `${index}`, JSON.stringify(key))
    }
  }),

  storeTest('hostile owners are not confused, and each is listed alone', async (store) => {
    const space = newSpace()
    for (const [index, owner] of HOSTILE.entries()) await create(store, { space, owner, id: 'record' }, `${index}`)
    for (const [index, owner] of HOSTILE.entries()) {
      const records = await listAll(store, space, owner)
      assert.deepEqual(
        records.map(({ key, value }) => [key, new TextDecoder().decode(value)]),
        [[{ space, owner, id: 'record' }, `${index}`]],
      )
    }
    const records = await scanAll(store, space)
    assert.deepEqual(records.map(({ key }) => key.owner).sort(), [...HOSTILE].sort())
    for (const owner of HOSTILE) assert.equal(await store.delete({ space, owner, id: 'record' }), true)
  }),

  storeTest('the border between owner and id is not confused', async (store) => {
    const space = newSpace()
    const marks = [
      ':',
      '::',
      '/',
      '%',
      '%2F',
      '{',
      '}',
      '|',
      '\\',
      '\n',
      ' ',
      '.',
      '-',
      '_',
      ',',
      '\u0001',
      '\u{1f511}',
    ]
    const keys = marks.flatMap((mark) => [
      { space, owner: `a${mark}b`, id: 'c' },
      { space, owner: 'a', id: `b${mark}c` },
      { space, owner: `a${mark}`, id: `b${mark}` },
      { space, owner: 'a', id: `${mark}b${mark}` },
    ])
    for (const [index, key] of keys.entries()) await create(store, key, `${index}`)
    for (const [index, key] of keys.entries()) assert.equal(await textOf(store, key), `${index}`, JSON.stringify(key))
  }),

  storeTest('hostile keys have leases of their own', async (store) => {
    const { space, owner } = newKey()
    for (const id of HOSTILE) assert.ok(await store.lease({ space, owner, id }, 60_000), JSON.stringify(id))
    for (const id of HOSTILE) assert.equal(await store.lease({ space, owner, id }, 60_000), undefined)
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
    for (const key of bad) {
      const calls: Record<string, () => Promise<unknown>> = {
        get: async () => store.get(key),
        put: async () => store.put(key, bytes(''), { ifVersion: null }),
        take: async () => store.take(key),
        delete: async () => store.delete(key),
        lease: async () => store.lease(key, 1_000),
      }
      for (const [name, call] of Object.entries(calls))
        await assert.rejects(call, TypeError, `${name} of ${JSON.stringify(key)}`)
    }
    for (const space of spaces) {
      await assert.rejects(async () => store.scan(space), TypeError, JSON.stringify(space))
      await assert.rejects(async () => store.list(space, 'owner'), TypeError, JSON.stringify(space))
    }
    for (const owner of parts) await assert.rejects(async () => store.list('kit', owner), TypeError)
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
