/**
 * Making and revoking keys is cut off at every step, and every step fails once. Whatever is left is either a key that
 * works and is listed, or nothing that anybody could use; and the work can be finished.
 */
import { describe, expect, it } from 'vitest'
import { type ApiKeys, createApiKeys } from '../../src/identity/api-keys.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { hiccup, mortal, operatedStore, type When } from '../../src/testing/failing-store.ts'
import { createTestClock } from '../support/keys.ts'
import { scanAll } from '../support/store-checks.ts'
import { alice, allRecords } from './setup.ts'

const clock = createTestClock()
const keysOver = (store: TokenStore, at = clock) => createApiKeys({ store, clock: at, maxKeysPerOwner: 3, cacheMs: 0 })

/** The operations that `work` takes with nobody in the way. */
async function stepsOf(work: (keys: ApiKeys) => Promise<unknown>, store: TokenStore): Promise<number> {
  let steps = 0
  const counted = operatedStore(store, (turn, operation) => {
    steps = turn + 1
    return operation()
  })
  await work(keysOver(counted))
  expect(steps).toBeGreaterThan(2)
  return steps
}

/** Every way to fail in one of `steps` steps. */
function failures(steps: number): { turn: number; when: When; how: 'dies' | 'fails' }[] {
  return Array.from({ length: steps }, (_, turn) =>
    (['before', 'after'] as const).flatMap((when) => [
      { turn, when, how: 'dies' } as const,
      { turn, when, how: 'fails' } as const,
    ]),
  ).flat()
}

/** What comes of `work` that fails so: a value, an error, or nothing any more. */
async function attempt<Value>(
  work: (keys: ApiKeys) => Promise<Value>,
  store: TokenStore,
  { turn, when, how }: ReturnType<typeof failures>[number],
): Promise<Value | undefined> {
  if (how === 'fails') return work(keysOver(hiccup(store, turn, when))).catch(() => undefined)
  const process = mortal()
  return Promise.race([work(keysOver(process.store(store, turn, when))), process.died.then(() => undefined)])
}

/** No record without its place in the list. */
async function expectAllListed(store: TokenStore): Promise<number> {
  const ids = (await keysOver(store).list(alice)).map(({ id }) => id)
  const records = await scanAll(store, 'api-keys')
  const found = records.map(({ value }) => JSON.parse(Buffer.from(value).toString()).id as string)
  expect(found.toSorted()).toEqual(ids.toSorted())
  return ids.length
}

const make = (keys: ApiKeys) => keys.create({ owner: alice, name: 'x' })

describe('G1 making a key', async () => {
  const steps = await stepsOf(make, memoryStore())

  it.each(failures(steps))('$how $when step $turn', async (failure) => {
    const store = memoryStore()
    const made = await attempt(make, store, failure)
    const listed = await expectAllListed(store)
    if (made !== undefined) {
      expect(listed).toBe(1)
      expect((await keysOver(store).verify(made.key)).kind).toBe('found')
    }
    // Whatever is listed can be revoked.
    for (const { id } of await keysOver(store).list(alice)) expect(await keysOver(store).revoke(alice, id)).toBe(true)
    expect(await scanAll(store, 'api-keys')).toEqual([])
  })

  it.each(failures(steps).filter(({ how }) => how === 'fails'))(
    'that fails $when step $turn leaves nothing behind',
    async (failure) => {
      const store = memoryStore()
      if ((await attempt(make, store, failure)) === undefined) expect(await allRecords(store)).toEqual([])
    },
  )

  it('is not kept from going on by what those have left who died', async () => {
    const store = memoryStore()
    const start = clock.now()
    // Each has written its place in the list, and no key.
    for (let count = 0; count < 3; count++) await attempt(make, store, { turn: 1, when: 'after', how: 'dies' })
    expect(await scanAll(store, 'api-keys-by-owner')).toHaveLength(3)
    expect(await expectAllListed(store)).toBe(0)
    // Their keys may be on their way for a while.
    await expect(make(keysOver(store, createTestClock(start + 3_600_000)))).rejects.toThrow('as many as there may be')
    const later = createTestClock(start + 3_601_000)
    const { key } = await make(keysOver(store, later))
    expect((await keysOver(store).verify(key)).kind).toBe('found')
    expect(await allRecords(store)).toHaveLength(2)
  })
})

describe('G1 revoking a key', async () => {
  async function withKey() {
    const store = memoryStore()
    return { store, ...(await make(keysOver(store))) }
  }
  const first = await withKey()
  const steps = await stepsOf((keys) => keys.revoke(alice, first.id), first.store)

  it.each(failures(steps))('$how $when step $turn', async (failure) => {
    const { store, key, id } = await withKey()
    const revoked = await attempt((keys) => keys.revoke(alice, id), store, failure)
    const listed = await expectAllListed(store)
    expect((await keysOver(store).verify(key)).kind).toBe(listed === 1 ? 'found' : 'unknown')
    if (revoked === true) expect(listed).toBe(0)
    // Done again, it is finished.
    await keysOver(store).revoke(alice, id)
    expect((await keysOver(store).verify(key)).kind).toBe('unknown')
    expect(await allRecords(store)).toEqual([])
  })

  it('in this process takes effect although the store has hidden that it did', async () => {
    const { store, key, id } = await withKey()
    let fail = false
    const lossy: TokenStore = {
      ...store,
      async delete(deleted, options) {
        const gone = await store.delete(deleted, options)
        if (fail) throw new Error('the answer is lost')
        return gone
      },
    }
    const keys = createApiKeys({ store: lossy, clock })
    expect((await keys.verify(key)).kind).toBe('found')
    fail = true
    await expect(keys.revoke(alice, id)).rejects.toThrow('lost')
    expect((await keys.verify(key)).kind).toBe('unknown')
  })
})
