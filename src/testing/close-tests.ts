/** Closing: what is under way ends, and nothing works afterwards. */
import assert from 'node:assert/strict'
import { StoreError } from '../core/errors.ts'
import { bytes, create, type KitTest, newKey, storeTest, textOf } from './test-kit.ts'

export const closeTests: readonly KitTest[] = [
  storeTest('after close every method rejects with a StoreError; closing again is fine', async (store) => {
    const key = newKey()
    await create(store, key, 'one')
    const lease = await store.lease(key, 1_000)
    assert.ok(lease)
    await store.close()
    const calls: Record<string, () => Promise<unknown>> = {
      get: async () => store.get(key),
      put: async () => store.put(key, bytes('two'), { ifVersion: null }),
      take: async () => store.take(key),
      delete: async () => store.delete(key),
      list: async () => store.list(key.space, key.owner),
      scan: async () => store.scan(key.space),
      lease: async () => store.lease(key, 1_000),
      renew: async () => lease.renew(1_000),
      release: async () => lease.release(),
    }
    for (const [name, call] of Object.entries(calls)) {
      await assert.rejects(call, StoreError, `${name} after close`)
    }
    await store.close()
  }),

  storeTest('close can be called twice at once, and again', async (store) => {
    await create(store, newKey(), 'one')
    await Promise.all([store.close(), store.close()])
    await store.close()
  }),

  storeTest('a store that was never used can be closed', async (store) => {
    await store.close()
  }),

  {
    name: 'close waits for what is under way, and leaves records and other handles alone',
    async run(kit) {
      if (kit.oneHandle) return
      const [store, other] = [await kit.open(), await kit.open()]
      const key = newKey()
      await create(other, { ...key, id: 'before' }, 'one')
      await store.get(key)
      const writing = store.put(key, bytes('two'), { ifVersion: null })
      await store.close()
      assert.notEqual(await writing, 'conflict')
      assert.equal(await textOf(other, key), 'two')
      assert.equal(await textOf(await kit.open(), { ...key, id: 'before' }), 'one')
    },
  },
]
