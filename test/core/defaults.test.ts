import { describe, expect, it } from 'vitest'
import { withDefaults } from '../../src/core/defaults.ts'
import { limitsOf } from '../../src/gateway/limits.ts'

describe('settings over their defaults', () => {
  it('have what is given, and the rest filled in', () => {
    expect(withDefaults({ one: 1, two: 2, three: 3 }, { one: 0, two: 7 })).toEqual({ one: 0, two: 7, three: 3 })
    expect(withDefaults({ one: 1 }, undefined)).toEqual({ one: 1 })
  })

  it('lose none to what is given as undefined', () => {
    expect(withDefaults({ one: 1, two: 2 }, { one: undefined, two: 3 })).toEqual({ one: 1, two: 3 })
  })

  it('of a gateway that are given as undefined are no bounds that are off', () => {
    const names = Object.keys(limitsOf()) as (keyof ReturnType<typeof limitsOf>)[]
    const given = Object.fromEntries(names.map((name) => [name, undefined])) as object
    expect(limitsOf(given)).toEqual(limitsOf())
    expect(limitsOf({ ...given, maxBodyBytes: 7 })).toEqual({ ...limitsOf(), maxBodyBytes: 7 })
  })
})
