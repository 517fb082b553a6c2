/** The memory store: the kit, and what only it has. */

import { memoryStore } from 'sallyport/stores/memory'
import { storeTests } from 'sallyport/testing'
import { describe, expect, it } from 'vitest'

const key = (id: string, owner = 'alice') => ({ space: 'sessions', owner, id })
const value = new Uint8Array([1, 2, 3])

function setUp() {
  let time = 1_000_000
  const store = memoryStore({ clock: { now: () => time } })
  const advance = (ms: number) => {
    time += ms
  }
  return { store, advance }
}

describe('D4 B10 memory store: the conformance kit', () => {
  for (const { name, run } of storeTests(() => memoryStore(), { oneHandle: true })) it(name, run)
})

describe('D4 memory store', () => {
  it('goes by the clock that it is given, to the millisecond', async () => {
    const { store, advance } = setUp()
    await store.put(key('a'), value, { ifVersion: null, ttlMs: 1_000 })
    const lease = await store.lease(key('a'), 1_000)
    advance(999)
    expect(await store.get(key('a'))).toBeDefined()
    expect(await store.lease(key('a'), 1_000)).toBeUndefined()
    advance(1)
    expect(await store.get(key('a'))).toBeUndefined()
    expect(await lease?.renew(1_000)).toBe(false)
    expect(await store.lease(key('a'), 1_000)).toBeDefined()
  })

  it('takes a clock that is an object of a class', async () => {
    class Hands {
      #time = 5
      now() {
        return this.#time
      }
    }
    const store = memoryStore({ clock: new Hands() })
    await store.put(key('a'), value, { ifVersion: null, ttlMs: 10 })
    expect(await store.get(key('a'))).toBeDefined()
    expect(await store.lease(key('a'), 10)).toBeDefined()
  })

  it('lists by space, owner and id, in order', async () => {
    const { store } = setUp()
    for (const [owner, id] of [
      ['b', '1'],
      ['a', '2'],
      ['a', '10'],
      ['ab', '0'],
    ])
      await store.put(key(id as string, owner), value, { ifVersion: null })
    const { records } = await store.scan('sessions')
    expect(records.map((record) => [record.key.owner, record.key.id])).toEqual([
      ['a', '10'],
      ['a', '2'],
      ['ab', '0'],
      ['b', '1'],
    ])
  })

  it('refuses what is no next of a page', async () => {
    const { store } = setUp()
    for (const after of ['', 'x', Buffer.from('[1]').toString('base64url'), Buffer.from('null').toString('base64url')])
      await expect(store.list('sessions', 'alice', { after })).rejects.toThrow(TypeError)
  })
})
