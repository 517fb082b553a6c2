import { generateKey, sealed } from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { createLastUse } from '../../src/identity/last-use.ts'

function setUp() {
  const store = memoryStore()
  const put = vi.spyOn(store, 'put')
  return { put, lastUse: createLastUse(store, systemClock, { space: 'last-use', writeEveryMs: 60_000 }) }
}

test('a use is written once in a while, for each thing of each owner', async () => {
  const { put, lastUse } = setUp()
  for (let time = 0; time < 3; time++) {
    lastUse.note('ann', 'one')
    lastUse.note('ann', 'two')
    lastUse.note('ben', 'one')
  }
  await lastUse.close()
  expect(put).toHaveBeenCalledTimes(3)
  expect([...(await lastUse.read('ann')).keys()].sort()).toEqual(['one', 'two'])
  await lastUse.forget('ann', 'one')
  expect(await lastUse.at('ann', 'one')).toBeUndefined()
  lastUse.note('ann', 'one')
  await lastUse.close()
  expect(await lastUse.at('ann', 'one')).toBeTypeOf('number')
})

test('of one owner no more than a thousand are remembered; one that is forgotten is written once more', async () => {
  const { put, lastUse } = setUp()
  for (let id = 0; id <= 1_000; id++) lastUse.note('ann', String(id))
  for (let id = 1; id <= 1_000; id++) lastUse.note('ann', String(id))
  await lastUse.close()
  expect(put).toHaveBeenCalledTimes(1_001)
  lastUse.note('ann', '0')
  await lastUse.close()
  expect(put).toHaveBeenCalledTimes(1_002)
})

test('what is being written when a thing is forgotten does not bring it back', async () => {
  const { lastUse } = setUp()
  lastUse.note('ann', 'one')
  await lastUse.forget('ann', 'one')
  await lastUse.close()
  expect(await lastUse.at('ann', 'one')).toBeUndefined()
})

test('a time that does not open or makes no sense is as if it were not there, hides no other, and is written over', async () => {
  const inner = memoryStore()
  const store = sealed(inner, [generateKey()])
  const options = { space: 'last-use', writeEveryMs: 60_000 }
  const before = createLastUse(store, systemClock, options)
  before.note('ann', 'good')
  await before.close()
  await inner.put({ space: 'last-use', owner: 'ann', id: 'unopened' }, Buffer.from('junk'), { ifVersion: null })
  await store.put({ space: 'last-use', owner: 'ann', id: 'senseless' }, Buffer.from('junk'), { ifVersion: null })
  const lastUse = createLastUse(store, systemClock, options)
  expect([...(await lastUse.read('ann')).keys()]).toEqual(['good'])
  for (const id of ['unopened', 'senseless']) {
    expect(await lastUse.at('ann', id)).toBeUndefined()
    lastUse.note('ann', id)
  }
  await lastUse.close()
  expect([...(await lastUse.read('ann')).keys()].sort()).toEqual(['good', 'senseless', 'unopened'])
  expect(await lastUse.at('ann', 'unopened')).toBeTypeOf('number')
})

test('where the key itself is missing, nothing is taken for a time that is not there', async () => {
  const inner = memoryStore()
  const before = createLastUse(sealed(inner, [generateKey()]), systemClock)
  before.note('ann', 'one')
  await before.close()
  const lastUse = createLastUse(sealed(inner, [generateKey()]), systemClock)
  await expect(lastUse.at('ann', 'one')).rejects.toMatchObject({ code: 'ERR_SEAL' })
  await expect(lastUse.read('ann')).rejects.toMatchObject({ code: 'ERR_SEAL' })
})
