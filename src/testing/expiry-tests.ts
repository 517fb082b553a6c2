/** Expiry: a record is there for its time, and not a moment longer. */
import assert from 'node:assert/strict'
import {
  bytes,
  create,
  inTime,
  type KitTest,
  listAll,
  newKey,
  newSpace,
  pass,
  scanAll,
  storeTest,
  textOf,
} from './test-kit.ts'

/** Short enough to wait for; nothing has to be done in so little. */
const SHORT_MS = 60

export const expiryTests: readonly KitTest[] = [
  storeTest('a record with much time left is there', async (store) => {
    const key = newKey()
    await create(store, key, 'one', 3_600_000)
    await pass(20)
    assert.equal(await textOf(store, key), 'one')
    assert.equal((await listAll(store, key.space, key.owner)).length, 1)
    assert.ok(await store.take(key))
  }),

  storeTest('an expired record is invisible at once to get, take, delete, list and scan', async (store) => {
    const space = newSpace()
    const key = newKey({ space })
    const version = await create(store, key, 'short', SHORT_MS)
    const staying = { ...key, id: 'staying' }
    await create(store, staying, 'long')
    await pass(SHORT_MS)
    assert.equal(await store.get(key), undefined, 'get')
    assert.deepEqual(
      (await listAll(store, space, key.owner)).map((record) => record.key.id),
      ['staying'],
      'list',
    )
    assert.deepEqual(
      (await scanAll(store, space)).map((record) => record.key.id),
      ['staying'],
      'scan',
    )
    assert.equal(await store.delete(key, { ifVersion: version }), false, 'delete with its version')
    assert.equal(await store.delete(key), false, 'delete')
    assert.equal(await store.take(key), undefined, 'take')
  }),

  storeTest('take does not take what has expired', async (store) => {
    const key = newKey()
    await create(store, key, 'short', SHORT_MS)
    await pass(SHORT_MS)
    assert.equal(await store.take(key), undefined)
  }),

  storeTest('put over an expired record: its version conflicts, null writes, and the new one stays', async (store) => {
    const key = newKey()
    const old = await create(store, key, 'short', SHORT_MS)
    await pass(SHORT_MS)
    assert.equal(await store.put(key, bytes('late'), { ifVersion: old }), 'conflict', 'the version of what has expired')
    assert.equal(await store.put(key, bytes('late'), { ifVersion: old, ttlMs: 'keep' }), 'conflict')
    const fresh = await create(store, key, 'new')
    assert.notEqual(fresh, old, 'versions are never used again, also after expiry')
    assert.equal(await store.put(key, bytes('later'), { ifVersion: old }), 'conflict')
    await pass(SHORT_MS)
    assert.equal(await textOf(store, key), 'new')
  }),

  storeTest('put without ttlMs makes a record stay', async (store) => {
    let key = newKey()
    const ms = await inTime(async (ttlMs) => {
      key = newKey()
      const version = await create(store, key, 'short', ttlMs)
      assert.notEqual(await store.put(key, bytes('long'), { ifVersion: version }), 'conflict')
    })
    await pass(ms)
    assert.equal(await textOf(store, key), 'long')
  }),

  storeTest('put with a new ttlMs counts from then', async (store) => {
    let longer = newKey()
    const ms = await inTime(async (ttlMs) => {
      longer = newKey()
      const first = await create(store, longer, 'one', ttlMs)
      assert.notEqual(await store.put(longer, bytes('two'), { ifVersion: first, ttlMs: 3_600_000 }), 'conflict')
    })
    const shorter = newKey()
    const second = await create(store, shorter, 'one', 3_600_000)
    assert.notEqual(await store.put(shorter, bytes('two'), { ifVersion: second, ttlMs: SHORT_MS }), 'conflict')
    await pass(ms)
    assert.equal(await textOf(store, longer), 'two')
    assert.equal(await textOf(store, shorter), undefined)
  }),

  storeTest("put with ttlMs 'keep' leaves the time that the record has", async (store) => {
    let short = newKey()
    const ms = await inTime(async (ttlMs) => {
      short = newKey()
      const version = await create(store, short, 'one', ttlMs)
      assert.notEqual(await store.put(short, bytes('two'), { ifVersion: version, ttlMs: 'keep' }), 'conflict')
    })
    const long = newKey()
    const fresh = newKey()
    const longVersion = await create(store, long, 'one')
    assert.notEqual(await store.put(long, bytes('two'), { ifVersion: longVersion, ttlMs: 'keep' }), 'conflict')
    assert.notEqual(await store.put(fresh, bytes('two'), { ifVersion: null, ttlMs: 'keep' }), 'conflict')
    await pass(ms)
    assert.equal(await textOf(store, short), undefined, 'it expires when it would have')
    assert.equal(await textOf(store, long), 'two', 'without a time it stays')
    assert.equal(await textOf(store, fresh), 'two', 'a new record stays')
  }),

  storeTest('a put that is refused leaves value, version and time alone', async (store) => {
    const key = newKey()
    const version = await create(store, key, 'one')
    assert.equal(await store.put(key, bytes('two'), { ifVersion: null, ttlMs: SHORT_MS }), 'conflict')
    assert.equal(await store.put(key, bytes('two'), { ifVersion: 'other', ttlMs: SHORT_MS }), 'conflict')
    await pass(SHORT_MS)
    assert.equal((await store.get(key))?.version, version)
    assert.equal(await textOf(store, key), 'one')
  }),

  storeTest('times are fractions or very long', async (store) => {
    const key = newKey()
    await create(store, key, 'one', 0.5)
    await pass(2)
    assert.equal(await store.get(key), undefined)
    await create(store, key, 'one', 10 * 365 * 24 * 3_600_000)
    assert.equal(await textOf(store, key), 'one')
  }),
]
