/** What is under way is found until it is over, and its place is used again. */
import { describe, expect, it } from 'vitest'
import { createSlots } from '../../src/net/slots.ts'

describe('slots', () => {
  it('have what was put in and not taken out, in any order', () => {
    const slots = createSlots<string>()
    const [a, b, c] = ['a', 'b', 'c'].map((each) => slots.put(each)) as [number, number, number]
    expect(new Set([a, b, c]).size).toBe(3)
    slots.free(b)
    expect(slots.all()).toEqual(['a', 'c'])
    slots.free(a)
    slots.free(c)
    expect(slots.all()).toEqual([])
  })

  it('take no more room than there was at one time', () => {
    const slots = createSlots<number>()
    for (let round = 0; round < 100; round++) {
      const two = [slots.put(round), slots.put(round)]
      expect(Math.max(...two)).toBeLessThan(2)
      for (const slot of two) slots.free(slot)
    }
  })

  it('can be emptied while one goes through them', () => {
    const slots = createSlots<() => void>()
    const gone: number[] = []
    for (let index = 0; index < 3; index++) {
      const slot = slots.put(() => {
        gone.push(index)
        slots.free(slot)
      })
    }
    for (const end of slots.all()) end()
    expect(gone).toEqual([0, 1, 2])
    expect(slots.all()).toEqual([])
  })
})
