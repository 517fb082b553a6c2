import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createGlobIndex } from '../../src/access/glob-index.ts'
import { compileGlob, globProblem } from '../../src/match/glob.ts'

const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '\n'), maxLength: 6 })
const glob = text.filter((each) => globProblem(each) === undefined)

it('G4 finds what is filed under each glob that matches, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(glob, { maxLength: 8 }), text, (globs, each) => {
      const index = createGlobIndex<number>()
      for (const [item, pattern] of globs.entries()) index.add(pattern, item)
      const expected = [...globs.keys()].filter((item) => compileGlob(globs[item] ?? '')(each))
      expect(index.find(each).flat().toSorted()).toEqual(expected)
    }),
    { numRuns: 2000 },
  )
})

it('G4 keeps the order in which things were filed', () => {
  const index = createGlobIndex<string>()
  for (const item of ['first', 'second', 'third']) index.add('dev/*', item)
  expect(index.find('dev/github')).toEqual([['first', 'second', 'third']])
})
