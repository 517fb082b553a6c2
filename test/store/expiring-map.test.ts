/** Memory of what has expired comes back, without a timer. */
import { describe, expect, it } from 'vitest'
import { createExpiringMap } from '../../src/store/expiring-map.ts'

function setUp() {
  const clock = { time: 0 }
  const gone: string[] = []
  const map = createExpiringMap<{ expiresAt: number; text?: string }>(
    () => clock.time,
    (name) => gone.push(name),
  )
  return { clock, gone, map }
}

describe('D4 expiring map', () => {
  it('does not show what has expired, and lets go of it when it is asked for', () => {
    const { clock, gone, map } = setUp()
    map.set('a', { expiresAt: 10 })
    clock.time = 9
    expect(map.get('a')).toBeDefined()
    clock.time = 10
    expect(map.get('a')).toBeUndefined()
    expect(map.size).toBe(0)
    expect(gone).toEqual(['a'])
  })

  it('lets go of expired entries that nobody asks for, as others are written', () => {
    const { clock, map } = setUp()
    for (let index = 0; index < 1_000; index++) map.set(`old-${index}`, { expiresAt: 10 })
    map.set('stays', { expiresAt: Number.POSITIVE_INFINITY })
    clock.time = 10
    for (let index = 0; index < 600; index++) map.set(`new-${index}`, { expiresAt: 1_000 })
    expect(map.size).toBe(601)
    expect(map.get('stays')).toBeDefined()
  })

  it('does not grow where everything is short-lived', () => {
    const { clock, map } = setUp()
    let largest = 0
    for (let index = 0; index < 20_000; index++) {
      clock.time = index
      map.set(`${index}`, { expiresAt: index + 100 })
      largest = Math.max(largest, map.size)
    }
    expect(largest).toBeLessThan(200)
  })

  it('keeps what was overwritten with a longer time', () => {
    const { clock, gone, map } = setUp()
    map.set('a', { expiresAt: 10, text: 'one' })
    map.set('a', { expiresAt: 20, text: 'two' })
    clock.time = 15
    for (let index = 0; index < 10; index++) map.set(`${index}`, { expiresAt: 20 })
    expect(map.get('a')?.text).toBe('two')
    expect(gone).toEqual([])
  })
})
