import { expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'

it("the system's clock tells the time of day in milliseconds", () => {
  const before = Date.now()
  const now = systemClock.now()
  expect(now).toBeGreaterThanOrEqual(before)
  expect(now).toBeLessThanOrEqual(Date.now())
})
