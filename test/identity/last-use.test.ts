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
