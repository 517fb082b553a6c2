/** What counts as plain data, and copies of it. */
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { isPlain, plainCopy } from '../../src/core/plain.ts'
import * as namespace from '../../src/core/suggest.ts'

class Grant {
  readonly to = 'anonymous'
}

test.each<[string, object, boolean]>([
  ['a literal', {}, true],
  ['a frozen one', Object.freeze({ a: 1 }), true],
  ['one without a prototype', Object.create(null), true],
  ['one of another realm', runInNewContext('({ a: 1 })'), true],
  ['a module', namespace, true],
  ['an instance of a class', new Grant(), false],
  ['one with defaults as its prototype', Object.create({ tools: ['a'] }), false],
  ['one with defaults that have no prototype', Object.create(Object.assign(Object.create(null), { tools: [] })), false],
  ['one with a prototype of another realm', runInNewContext('Object.create({ a: 1 })'), false],
  ['a map', new Map(), false],
])('%s', (_, value, expected) => {
  expect(isPlain(value)).toBe(expected)
})

test('a copy has what the original says once, at any depth', () => {
  let reads = 0
  const instance = new Grant()
  const hidden = Object.defineProperties(
    {},
    { tools: { get: () => [reads++] }, get: { value: () => 'a method of a library' } },
  )
  const original = { list: [{ hidden }], instance, call: isPlain, ['__proto__']: { a: 1 } }
  const copy = plainCopy(original)
  expect(reads).toBe(1)
  expect(copy).toEqual({ list: [{ hidden: { tools: [0] } }], instance, call: isPlain, ['__proto__']: { a: 1 } })
  expect(copy.instance).toBe(instance)
  expect(Object.keys(copy.list[0]?.hidden ?? {})).toEqual(['tools'])
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const again = plainCopy(cycle)
  expect(again.self).toBe(again)
})
