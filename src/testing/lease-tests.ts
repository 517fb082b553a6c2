/** Leases: one holder at a time, for a time, and nobody ends another's. */
import assert from 'node:assert/strict'
import type { TokenStore } from '../store/token-store.ts'
import {
  at,
  bytes,
  create,
  everywhere,
  handlesTest,
  inTime,
  type KitTest,
  listAll,
  newKey,
  pass,
  storeTest,
  textOf,
} from './test-kit.ts'

const LONG_MS = 3_600_000
const SHORT_MS = 60

/** A lease whose time is over, and the one that came after it. */
async function lateAndNext(a: TokenStore, b: TokenStore) {
  const key = newKey()
  const late = await a.lease(key, SHORT_MS)
  assert.ok(late)
  await pass(SHORT_MS)
  const next = await b.lease(key, LONG_MS)
  assert.ok(next)
  return { key, late, next }
}

export const leaseTests: readonly KitTest[] = [
  handlesTest('of 100 that want a lease at once, one gets it', 4, async (handles) => {
    const key = newKey()
    const leases = await everywhere(handles, 100, (store) => store.lease(key, LONG_MS))
    const held = leases.filter((lease) => lease !== undefined)
    assert.equal(held.length, 1)
    for (const store of handles) assert.equal(await store.lease(key, LONG_MS), undefined)
    await at(held, 0).release()
    assert.ok(await at(handles, 1).lease(key, LONG_MS), 'after release the next one gets it')
  }),

  handlesTest('a lease ends by itself', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    const key = newKey()
    assert.ok(await a.lease(key, SHORT_MS))
    await pass(SHORT_MS)
    assert.ok(await b.lease(key, LONG_MS))
  }),

  handlesTest('renew makes it last from then', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    let longer = newKey()
    const ms = await inTime(async (ttlMs) => {
      longer = newKey()
      const first = await a.lease(longer, ttlMs)
      assert.equal(await first?.renew(LONG_MS), true)
    })
    const shorter = newKey()
    const second = await a.lease(shorter, LONG_MS)
    assert.equal(await second?.renew(SHORT_MS), true)
    await pass(ms)
    assert.equal(await b.lease(longer, LONG_MS), undefined, 'renewed for longer')
    assert.ok(await b.lease(shorter, LONG_MS), 'renewed for a shorter time')
  }),

  storeTest('renew after the end is refused, also when nobody has it', async (store) => {
    const key = newKey()
    const lease = await store.lease(key, SHORT_MS)
    assert.ok(lease)
    await pass(SHORT_MS)
    assert.equal(await lease.renew(LONG_MS), false)
    assert.ok(await store.lease(key, LONG_MS), 'the refused renewal has taken nothing')
  }),

  handlesTest('renew after the end does not steal it from the next holder', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    const { late, next } = await lateAndNext(a, b)
    assert.equal(await late.renew(LONG_MS), false)
    assert.equal(await next.renew(LONG_MS), true, 'the next holder still has it')
  }),

  handlesTest("release by a late holder does not free somebody else's", 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    const { key, late, next } = await lateAndNext(a, b)
    await late.release()
    assert.equal(await a.lease(key, LONG_MS), undefined)
    assert.equal(await next.renew(LONG_MS), true)
  }),

  storeTest("a late holder does neither to the next one's on the same handle", async (store) => {
    const { key, late, next } = await lateAndNext(store, store)
    assert.equal(await late.renew(LONG_MS), false)
    await late.release()
    assert.equal(await store.lease(key, LONG_MS), undefined)
    assert.equal(await next.renew(LONG_MS), true)
  }),

  storeTest('renew after release is refused, and a second release does nothing', async (store) => {
    const key = newKey()
    const first = await store.lease(key, LONG_MS)
    assert.ok(first)
    await first.release()
    assert.equal(await first.renew(LONG_MS), false)
    assert.ok(await store.lease(key, LONG_MS))
    await first.release()
    assert.equal(await store.lease(key, LONG_MS), undefined)
  }),

  storeTest('lease and record do not know of each other', async (store) => {
    const key = newKey()
    const lease = await store.lease(key, LONG_MS)
    assert.ok(lease, 'the record need not exist')
    assert.equal(await store.get(key), undefined)
    assert.deepEqual(await listAll(store, key.space, key.owner), [])
    assert.equal(await store.take(key), undefined)
    const version = await create(store, key, 'one')
    assert.notEqual(await store.put(key, bytes('two'), { ifVersion: version }), 'conflict')
    assert.equal(await store.lease(key, LONG_MS), undefined, 'writing does not end the lease')
    assert.equal(await store.delete(key), true)
    assert.equal(await store.lease(key, LONG_MS), undefined, 'deleting does not end the lease')
    await create(store, key, 'three')
    await lease.release()
    assert.equal(await textOf(store, key), 'three', 'releasing does not delete the record')
  }),

  storeTest('leases on different keys are independent', async (store) => {
    const key = newKey()
    const lease = await store.lease(key, LONG_MS)
    assert.ok(lease)
    assert.ok(await store.lease({ ...key, id: 'other' }, LONG_MS))
    assert.ok(await store.lease({ ...key, owner: `${key.owner}-other` }, LONG_MS))
    assert.ok(await store.lease({ ...key, space: `${key.space}-other` }, LONG_MS))
    await lease.release()
    assert.equal(await store.lease({ ...key, id: 'other' }, LONG_MS), undefined)
  }),
]
