/** Records: written by version, read, taken once, deleted. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { inParallel } from './in-parallel.ts'
import {
  at,
  bytes,
  create,
  everywhere,
  handlesTest,
  type KitTest,
  listAll,
  newKey,
  newSpace,
  scanAll,
  storeTest,
  textOf,
} from './test-kit.ts'

export const recordTests: readonly KitTest[] = [
  handlesTest('what one handle writes, the others read', 2, async ([a, b]) => {
    const key = newKey()
    assert.ok(a !== undefined && b !== undefined)
    assert.equal(await b.get(key), undefined)
    const version = await create(a, key, 'one')
    const found = await b.get(key)
    assert.equal(
      found && new TextDecoder().decode(found.value),
      'one',
      'makeStore() must open another handle onto the same storage; or say oneHandle',
    )
    assert.equal(found?.version, version, 'get tells the version that put has returned')
  }),

  handlesTest('what one handle changes, another that has read it sees at once', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    const key = newKey({ space: newSpace() })
    const isThere = async (text: string | undefined) => {
      assert.equal(await textOf(b, key), text, 'get')
      for (const listed of [await listAll(b, key.space, key.owner), await scanAll(b, key.space)])
        assert.deepEqual(
          listed.map(({ value }) => new TextDecoder().decode(value)),
          text === undefined ? [] : [text],
        )
    }
    const version = await create(a, key, 'one')
    await isThere('one')
    await a.put(key, bytes('two'), { ifVersion: version })
    await isThere('two')
    assert.equal(await a.delete(key), true)
    await isThere(undefined)
    await create(a, key, 'three')
    await isThere('three')
    assert.ok(await a.take(key))
    await isThere(undefined)
  }),

  storeTest('put with ifVersion null writes only what is not there', async (store) => {
    const key = newKey()
    await create(store, key, 'one')
    assert.equal(await store.put(key, bytes('two'), { ifVersion: null }), 'conflict')
    assert.equal(await textOf(store, key), 'one')
  }),

  storeTest('put with a version writes only over that version', async (store) => {
    const key = newKey()
    const first = await create(store, key, 'one')
    const second = await store.put(key, bytes('two'), { ifVersion: first })
    assert.notEqual(second, 'conflict')
    assert.equal(await store.put(key, bytes('three'), { ifVersion: first }), 'conflict', 'an old version is refused')
    assert.equal(await textOf(store, key), 'two')
    assert.equal((await store.get(key))?.version, second)
  }),

  storeTest('put with a version does not write what is not there', async (store) => {
    const key = newKey()
    const elsewhere = await create(store, newKey(), 'other')
    assert.equal(await store.put(key, bytes('one'), { ifVersion: elsewhere }), 'conflict')
    assert.equal(await store.put(key, bytes('one'), { ifVersion: 'no version at all' }), 'conflict')
    assert.equal(await store.get(key), undefined)
  }),

  storeTest('versions are never used again, also after a delete, a take, and for the same value', async (store) => {
    const key = newKey()
    const versions: string[] = []
    for (let round = 0; round < 4; round++) {
      let version = await create(store, key, 'same')
      versions.push(version)
      for (let write = 0; write < 4; write++) {
        version = await store.put(key, bytes('same'), { ifVersion: version })
        versions.push(version)
      }
      if (round % 2 === 0) assert.equal(await store.delete(key), true)
      else assert.ok(await store.take(key))
    }
    assert.ok(!versions.includes('conflict'))
    assert.equal(new Set(versions).size, versions.length)
  }),

  handlesTest('a late writer is refused after delete and recreate', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    const key = newKey()
    const old = await create(a, key, 'old')
    await b.delete(key)
    await create(b, key, 'new')
    assert.equal(await a.put(key, bytes('late'), { ifVersion: old }), 'conflict')
    assert.equal(await a.delete(key, { ifVersion: old }), false)
    assert.equal(await textOf(a, key), 'new')
  }),

  handlesTest('of 100 that create a record at once, one does', 4, async (handles) => {
    const key = newKey()
    const results = await everywhere(handles, 100, (store, turn) =>
      store.put(key, bytes(`${turn}`), { ifVersion: null }),
    )
    const winners = results.flatMap((version, turn) => (version === 'conflict' ? [] : [`${turn}`]))
    assert.equal(winners.length, 1)
    assert.equal(await textOf(at(handles, 0), key), winners[0])
  }),

  handlesTest('no update gets lost among writers that read, change and write', 4, async (handles, first) => {
    const key = newKey()
    await create(first, key, '0')
    await everywhere(handles, 12, async (store) => {
      for (let tries = 0; ; tries++) {
        assert.ok(tries < 1_000, 'a writer gets its turn')
        const found = await store.get(key)
        assert.ok(found)
        const next = Number(new TextDecoder().decode(found.value)) + 1
        if ((await store.put(key, bytes(`${next}`), { ifVersion: found.version })) !== 'conflict') return
      }
    })
    assert.equal(await textOf(first, key), '12')
  }),

  handlesTest('of 100 that take a record at once, one gets it', 4, async (handles, first) => {
    const key = newKey()
    const version = await create(first, key, 'once')
    const taken = (await everywhere(handles, 100, (store) => store.take(key))).filter((record) => record !== undefined)
    assert.equal(taken.length, 1)
    assert.equal(new TextDecoder().decode(at(taken, 0).value), 'once')
    assert.equal(at(taken, 0).version, version)
    assert.equal(await first.get(key), undefined)
    assert.equal(await first.take(key), undefined)
  }),

  storeTest('delete tells whether there was something', async (store) => {
    const key = newKey()
    assert.equal(await store.delete(key), false)
    await create(store, key, 'one')
    assert.equal(await store.delete(key), true)
    assert.equal(await store.delete(key), false)
    assert.equal(await store.get(key), undefined)
  }),

  storeTest('delete with a version deletes only that version', async (store) => {
    const key = newKey()
    const first = await create(store, key, 'one')
    const second = await store.put(key, bytes('two'), { ifVersion: first })
    assert.equal(await store.delete(key, { ifVersion: first }), false)
    assert.equal(await store.delete(key, { ifVersion: 'no version at all' }), false)
    assert.equal(await textOf(store, key), 'two')
    assert.equal(await store.delete(key, { ifVersion: second }), true)
    assert.equal(await store.delete(key, { ifVersion: second }), false)
  }),

  storeTest('values are bytes: every byte, none at all, a megabyte', async (store) => {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const values = { every, none: new Uint8Array(0), megabyte: new Uint8Array(randomBytes(1_048_576)) }
    await inParallel(Object.entries(values), async ([id, value]) => {
      const key = newKey({ space: newSpace(), id })
      const version = await store.put(key, value, { ifVersion: null })
      const found = await store.get(key)
      assert.ok(found, `${id}: the record is there`)
      assert.ok(found.value instanceof Uint8Array, `${id}: a value is a Uint8Array`)
      assert.ok(Buffer.from(found.value).equals(value), `${id}: the value is as it was written`)
      for (const listed of [await listAll(store, key.space, key.owner), await scanAll(store, key.space)]) {
        assert.ok(Buffer.from(at(listed, 0).value).equals(value), `${id}: the value is listed as it was written`)
      }
      assert.notEqual(await store.put(key, value, { ifVersion: version }), 'conflict')
      const taken = await store.take(key)
      assert.ok(taken && Buffer.from(taken.value).equals(value), `${id}: the value is taken as it was written`)
    })
  }),

  storeTest('values are copies: nobody changes one from outside', async (store) => {
    const key = newKey()
    const around = bytes('[value]')
    const value = around.subarray(1, 6)
    const writing = store.put(key, value, { ifVersion: null })
    around.fill(0x78)
    await writing
    const found = await store.get(key)
    assert.equal(found && new TextDecoder().decode(found.value), 'value')
    found?.value.fill(0x78)
    assert.equal(await textOf(store, key), 'value')
  }),
]
