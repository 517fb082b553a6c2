import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createReadCache } from '../../src/identity/read-cache.ts'

describe('what has been read lately', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  /** Loads that end when they are told to. */
  function loads() {
    const under: { id: string; end: (value?: object) => void; fail: (error: Error) => void }[] = []
    const load = (id: string) =>
      new Promise<object | undefined>((resolve, reject) => under.push({ id, end: resolve, fail: reject }))
    return { under, load }
  }

  it('is believed for its time and not longer, from when reading began', async () => {
    const { under, load } = loads()
    const cache = createReadCache(load, 1_000)
    const first = cache.read('a')
    vi.advanceTimersByTime(400)
    under[0]?.end({ n: 1 })
    expect(await first).toEqual({ n: 1 })
    vi.advanceTimersByTime(599)
    expect(await cache.read('a')).toEqual({ n: 1 })
    vi.advanceTimersByTime(1)
    void cache.read('a')
    await expect.poll(() => under).toHaveLength(2)
  })

  it('is read once for many who ask at once', async () => {
    const { under, load } = loads()
    const cache = createReadCache(load, 1_000)
    const all = Promise.all(Array.from({ length: 10 }, () => cache.read('a')))
    under[0]?.end({ n: 1 })
    expect(new Set(await all).size).toBe(1)
    expect(under).toHaveLength(1)
  })

  it('is not waited for by those who come when it is too old already', async () => {
    const { under, load } = loads()
    const cache = createReadCache(load, 1_000)
    void cache.read('a')
    vi.advanceTimersByTime(1_000)
    const second = cache.read('a')
    expect(under).toHaveLength(2)
    under[1]?.end({ n: 2 })
    under[0]?.end({ n: 1 })
    expect(await second).toEqual({ n: 2 })
    expect(await cache.read('a')).toEqual({ n: 2 })
  })

  it('that was read before a change is not believed after it', async () => {
    for (const forget of ['one', 'all'] as const) {
      const { under, load } = loads()
      const cache = createReadCache(load, 1_000)
      const early = cache.read('a')
      if (forget === 'one') cache.forget('a')
      else cache.forgetAll()
      const late = cache.read('a')
      under[0]?.end({ n: 'before' })
      under[1]?.end({ n: 'after' })
      expect(await early).toEqual({ n: 'before' })
      expect(await late).toEqual({ n: 'after' })
      expect(await cache.read('a')).toEqual({ n: 'after' })
      expect(under).toHaveLength(2)
    }
  })

  it('is not remembered where there was nothing, or reading failed', async () => {
    const { under, load } = loads()
    const cache = createReadCache(load, 1_000)
    const nothing = cache.read('a')
    under[0]?.end(undefined)
    expect(await nothing).toBeUndefined()
    const failed = cache.read('a')
    under[1]?.fail(new Error('away'))
    await expect(failed).rejects.toThrow('away')
    const third = cache.read('a')
    under[2]?.end({ n: 3 })
    expect(await third).toEqual({ n: 3 })
  })

  it('with no time is read every time', async () => {
    const { under, load } = loads()
    const cache = createReadCache(load, 0)
    const reads = [cache.read('a'), cache.read('a')]
    for (const each of under) each.end({})
    await Promise.all(reads)
    void cache.read('a')
    expect(under).toHaveLength(3)
  })
})
