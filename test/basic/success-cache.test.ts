import { describe, expect, it } from 'vitest'
import { createSuccessCache } from '../../src/basic/success-cache.ts'

describe('A5 remembered successes', () => {
  it('last for their time from when they were added, however often they are asked for', () => {
    const clock = { time: 0, now: () => clock.time }
    const cache = createSuccessCache(60, clock)
    cache.add('a')
    for (clock.time = 0; clock.time < 60_000; clock.time += 10_000) expect(cache.has('a')).toBe(true)
    expect(cache.has('a')).toBe(false)
    clock.time = 0
    expect(cache.has('a')).toBe(false)
  })

  it('do not live longer when the clock is set back', () => {
    const clock = { time: 1_000_000, now: () => clock.time }
    const cache = createSuccessCache(60, clock)
    cache.add('a')
    clock.time = 0
    expect(cache.has('a')).toBe(false)
  })

  it('are none with a time of 0', () => {
    const cache = createSuccessCache(0, { now: () => 0 })
    cache.add('a')
    expect(cache.has('a')).toBe(false)
  })

  it('are at most 1,000; the one used longest ago goes first', () => {
    const cache = createSuccessCache(60, { now: () => 0 })
    for (let index = 0; index < 1000; index++) cache.add(`${index}`)
    expect(cache.has('0')).toBe(true)
    cache.add('new')
    expect([cache.has('0'), cache.has('1'), cache.has('new')]).toEqual([true, false, true])
  })
})
