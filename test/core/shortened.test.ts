/** Cut texts are the same characters, also where a pair is cut in two. */
import { expect, test } from 'vitest'
import { copied, shortened } from '../../src/core/shortened.ts'

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'abc'],
  ['äöü', 2, 'äö'],
  ['a😀', 2, 'a\ud83d'],
  ['', 0, ''],
])('%j to %i', (text, max, expected) => {
  expect(shortened(text, max)).toBe(expected)
  expect(copied(text)).toBe(text)
})
