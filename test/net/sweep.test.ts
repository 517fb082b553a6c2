import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSweep } from '../../src/net/sweep.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('all are looked at, again and again, with one timer, for as long as there are any', () => {
  const looks: string[] = []
  const one = (name: string) => ({ endIfLate: (now: number) => looks.push(`${name} ${now}`) })
  let all = [one('a'), one('b')]
  const sweep = createSweep(() => all, 100)
  vi.advanceTimersByTime(1_000)
  expect(looks).toEqual([])
  const from = performance.now()
  sweep.begin()
  sweep.begin()
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(200)
  expect(looks).toEqual([100, 200].flatMap((at) => [`a ${from + at}`, `b ${from + at}`]))
  all = []
  vi.advanceTimersByTime(100)
  expect(vi.getTimerCount()).toBe(0)
  all = [one('c')]
  sweep.begin()
  vi.advanceTimersByTime(100)
  expect(looks.at(-1)).toBe(`c ${from + 400}`)
})
