/** "Did you mean …?" */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { suggest } from '../../src/core/suggest.ts'

describe('suggest', () => {
  it.each([
    ['crop', ['corp', 'google'], 'corp'],
    ['Corp', ['corp'], 'corp'],
    ['CORP', ['google', 'corp'], 'corp'],
    ['corpp', ['corp'], 'corp'],
    ['cor', ['corp'], 'corp'],
    ['rotues', ['domains', 'routes'], 'routes'],
    ['internalNetwork', ['internalNetworks', 'domains'], 'internalNetworks'],
    ['a', ['b'], 'b'],
    ['', ['a'], 'a'],
    ['abc', ['abd', 'abc'], 'abc'],
  ])('%j among %j is %j', (word, known, meant) => {
    expect(suggest(word, known)).toBe(`; did you mean ${JSON.stringify(meant)}?`)
  })

  it.each([
    ['corp', []],
    ['corp', ['google', 'okta']],
    ['corp', ['corporate']],
    ['ab', ['cd']],
    ['', ['ab']],
    ['x'.repeat(10_000), ['corp']],
  ])('%j among %j is nothing', (word, known) => {
    expect(suggest(word, known)).toBe('')
  })

  it('quotes a name as it would stand in code', () => {
    expect(suggest('a"c', ['a"b'])).toBe('; did you mean "a\\"b"?')
  })

  it('takes any iterable', () => {
    expect(suggest('crop', new Map([['corp', 1]]).keys())).toContain('corp')
  })

  it('finds a name with one mistake in it, and the name itself first of all', () => {
    const name = fc.stringMatching(/^[a-z]{4,12}$/)
    fc.assert(
      fc.property(name, fc.nat(), fc.constantFrom('drop', 'double', 'swap', 'replace'), (known, at, mistake) => {
        const index = at % (known.length - 1)
        const [front, first, second, back] = [
          known.slice(0, index),
          known[index],
          known[index + 1],
          known.slice(index + 2),
        ]
        const middle = {
          drop: second,
          double: `${first}${first}${second}`,
          swap: `${second}${first}`,
          replace: `-${second}`,
        }[mistake]
        expect(suggest(`${front}${middle}${back}`, ['0123456789', known])).toContain(`"${known}"`)
        expect(suggest(known, [`${known}x`, known, `x${known}`])).toContain(`"${known}"`)
      }),
    )
  })
})
