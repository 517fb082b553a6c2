/** Races: over what has just ended, and between two that want different things of one record. */
import assert from 'node:assert/strict'
import type { Key, TokenStore } from '../store/token-store.ts'
import { inParallel } from './in-parallel.ts'
import { at, bytes, create, everywhere, handlesTest, type KitTest, newKey, pass, textOf } from './test-kit.ts'

const LONG_MS = 3_600_000
const SHORT_MS = 60

/** Puts the record anew, and meanwhile does something else with the version that is there. */
type Race = (key: Key, version: string, putFirst: boolean) => Promise<void>

/** What the two have come to; which of them is asked for first, `putFirst` says. */
async function both<A, B>(put: () => Promise<A>, other: () => Promise<B>, putFirst: boolean): Promise<[A, B]> {
  if (putFirst) return Promise.all([put(), other()])
  const [second, first] = await Promise.all([other(), put()])
  return [first, second]
}

/** Over many records at once: not every race is a close one. */
async function races(store: TokenStore, race: Race): Promise<void> {
  const turns = Array.from({ length: 20 }, (_, turn) => turn)
  await inParallel(turns, async (turn) => {
    const key = newKey()
    await race(key, await create(store, key, 'old'), turn % 2 === 1)
  })
}

export const raceTests: readonly KitTest[] = [
  handlesTest('of 100 that want a lease which has just ended, one gets it', 4, async (handles, first) => {
    const key = newKey()
    assert.ok(await first.lease(key, SHORT_MS))
    await pass(SHORT_MS)
    const leases = await everywhere(handles, 100, (store) => store.lease(key, LONG_MS))
    const held = leases.filter((lease) => lease !== undefined)
    assert.equal(held.length, 1)
    assert.equal(await at(held, 0).renew(LONG_MS), true)
  }),

  handlesTest('of 100 that create a record where one has just expired, one does', 4, async (handles, first) => {
    const key = newKey()
    await create(first, key, 'old', SHORT_MS)
    await pass(SHORT_MS)
    const versions = await everywhere(handles, 100, (store, turn) =>
      store.put(key, bytes(`${turn}`), { ifVersion: null }),
    )
    const winners = versions.flatMap((version, turn) => (version === 'conflict' ? [] : [`${turn}`]))
    assert.equal(winners.length, 1)
    assert.equal(await textOf(first, key), winners[0])
  }),

  handlesTest('a delete with a version does not delete what is written meanwhile', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    await races(a, async (key, version, putFirst) => {
      const [written, deleted] = await both(
        () => b.put(key, bytes('new'), { ifVersion: version }),
        () => a.delete(key, { ifVersion: version }),
        putFirst,
      )
      assert.equal(deleted, written === 'conflict', 'of a write and a delete of the same version, one happens')
      assert.equal(await textOf(b, key), deleted ? undefined : 'new')
    })
  }),

  handlesTest('a take does not take away what is written meanwhile', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    await races(a, async (key, version, putFirst) => {
      const [written, taken] = await both(
        () => b.put(key, bytes('new'), { ifVersion: version }),
        () => a.take(key),
        putFirst,
      )
      assert.ok(taken, 'the record is there all the time')
      assert.equal(taken.version, written === 'conflict' ? version : written, 'what was there last is taken')
      assert.equal(new TextDecoder().decode(taken.value), written === 'conflict' ? 'old' : 'new')
      assert.equal(await b.get(key), undefined)
    })
  }),
]
