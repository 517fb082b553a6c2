import { describe, expect, it } from 'vitest'
import { argumentKeyProblem, compileArgumentRules } from '../../src/access/argument-rules.ts'
import type { Grant } from '../../src/access/grants.ts'

type Rules = NonNullable<Grant['arguments']>

/** The first rule that is not met. */
const failed = (rules: Rules, given: unknown) => compileArgumentRules(rules)(given)

/** Arguments from JSON text, as calls carry them. */
const fromJson = (text: string): unknown => JSON.parse(text)

const DATASET: Rules = { dataset: ['public/*', 'own'] }

describe('G15 every argument listed must be there with an accepted value', () => {
  it.each<[Rules, string]>([
    [DATASET, '{"dataset":"public/a"}'],
    [DATASET, '{"dataset":"public/"}'],
    [DATASET, '{"dataset":"own"}'],
    [DATASET, '{"dataset":"own","other":{"dataset":"x"}}'],
    [DATASET, '{"dataset":["public/a","own"]}'],
    [{ limit: [10, '2*'] }, '{"limit":10}'],
    [{ limit: [10, '2*'] }, '{"limit":"10"}'],
    [{ limit: [10, '2*'] }, '{"limit":25}'],
    [{ dry: [true] }, '{"dry":true}'],
    [{ 'filter.dataset': ['own'] }, '{"filter":{"dataset":"own"}}'],
    [{ 'a.b.c': ['x'] }, '{"a":{"b":{"c":["x","x"]}}}'],
    [{ 'a\\.b': ['x'] }, '{"a.b":"x"}'],
    [{ 'a\\\\b': ['x'] }, '{"a\\\\b":"x"}'],
    [{ text: ['*'] }, '{"text":""}'],
    [{ text: ['*'] }, '{"text":"see ../x"}'],
    [{ toString: ['x'] } as unknown as Rules, '{"toString":"x"}'],
    [{}, '{}'],
    [{}, 'null'],
  ])('%j accepts %s', (rules, given) => {
    expect(failed(rules, fromJson(given))).toBeUndefined()
  })

  it.each<[Rules, string, string]>([
    [DATASET, '{"dataset":"private/a"}', 'dataset'],
    [DATASET, '{"dataset":"Public/a"}', 'dataset'],
    [DATASET, '{"dataset":" public/a"}', 'dataset'],
    [DATASET, '{"dataset":"own\\u0000"}', 'dataset'],
    [DATASET, '{"dataset":"public/\\u0000"}', 'dataset'],
    [DATASET, '{}', 'dataset'],
    [DATASET, '{"dataset":null}', 'dataset'],
    [DATASET, '{"dataset":{"0":"own"}}', 'dataset'],
    [DATASET, 'null', 'dataset'],
    [DATASET, '"own"', 'dataset'],
    [DATASET, '[{"dataset":"own"}]', 'dataset'],
    [{ limit: [10] }, '{"limit":100}', 'limit'],
    [{ dry: [true] }, '{"dry":1}', 'dry'],
    [{ dry: [true] }, '{"dry":false}', 'dry'],
    [{ ...DATASET, limit: [10] }, '{"dataset":"own","limit":11}', 'limit'],
    [{ ...DATASET, limit: [10] }, '{"limit":10}', 'dataset'],
    [{ text: ['*'] }, '{}', 'text'],
  ])('%j refuses %s for %s', (rules, given, key) => {
    expect(failed(rules, fromJson(given))).toBe(key)
  })

  it('none are accepted where there is no object at all', () => {
    expect(failed(DATASET, undefined)).toBe('dataset')
  })

  it('numbers that JSON has rounded are refused: what goes on is another number', () => {
    expect(failed({ id: ['9007199254740992'] }, fromJson('{"id":9007199254740993}'))).toBe('id')
    expect(failed({ id: ['*'] }, fromJson('{"id":1e999}'))).toBe('id')
  })

  it('patterns are tried on up to 1,024 characters', () => {
    expect(failed({ text: ['*'] }, { text: 'a'.repeat(1024) })).toBeUndefined()
    expect(failed({ text: ['*'] }, { text: 'a'.repeat(1025) })).toBe('text')
  })
})

describe('G15 attack: values that hide', () => {
  it.each([
    ['in a list behind one that is accepted', '{"dataset":["own","secret"]}'],
    ['in a list in a list', '{"dataset":[["own"]]}'],
    ['in an empty list, which often means all', '{"dataset":[]}'],
    ['in a list with null', '{"dataset":["own",null]}'],
    ['in an object', '{"dataset":["own",{"$ne":"own"}]}'],
    ['behind a step up', '{"dataset":"public/../secret"}'],
    ['behind an encoded step up', '{"dataset":"public/%2e%2E/secret"}'],
  ])('%s', (_, given) => {
    expect(failed(DATASET, fromJson(given))).toBe('dataset')
  })
})

describe('G15 attack: a second spelling, which another reader of JSON may take', () => {
  it.each([
    ['another case, for Go', '{"dataset":"own","Dataset":"secret"}'],
    ['another case, first', '{"DATASET":"secret","dataset":"own"}'],
    ['a letter that folds to the same', '{"dataset":"own","data\u017fet":"secret"}'],
    ['a NUL behind it', '{"dataset":"own","dataset\\u0000":"secret"}'],
    ['more behind a NUL', '{"dataset":"own","dataset\\u0000x":"secret"}'],
    ['something invisible in it', '{"dataset":"own","data\u200bset":"secret"}'],
    ['a space behind it', '{"dataset":"own","dataset ":"secret"}'],
    ['a space before it, of another kind', '{"dataset":"own","\\u2003dataset":"secret"}'],
    ['many spaces around it', `{"dataset":"own","${' '.repeat(1000)}dataset\\n":"secret"}`],
    ['many marks that do not show', `{"dataset":"own","dataset${'\ufe0f'.repeat(1000)}":"secret"}`],
    ['another case, with a mark that does not show', '{"dataset":"own","DATASET\\u034f":"secret"}'],
    ['wide letters', '{"dataset":"own","\uff44ataset":"secret"}'],
    ['only another case', '{"Dataset":"own"}'],
  ])('%s', (_, given) => {
    expect(failed(DATASET, fromJson(given))).toBe('dataset')
  })

  it('on the way into an object, too', () => {
    const rules = { 'filter.dataset': ['own'] }
    expect(failed(rules, fromJson('{"filter":{"dataset":"own"},"Filter":{"dataset":"x"}}'))).toBe('filter.dataset')
    expect(failed(rules, fromJson('{"filter":{"dataset":"own","DataSet":"x"}}'))).toBe('filter.dataset')
  })

  it('a key means one place: no decoy under the path as a name, and none the other way round', () => {
    expect(failed({ 'a.b': ['x'] }, fromJson('{"a.b":"x","a":{"b":"secret"}}'))).toBe('a.b')
    expect(failed({ 'a.b': ['x'] }, fromJson('{"a.b":"x"}'))).toBe('a.b')
    expect(failed({ 'a\\.b': ['x'] }, fromJson('{"a":{"b":"x"}}'))).toBe('a\\.b')
  })

  it('names that only look alike are others', () => {
    expect(
      failed(DATASET, fromJson('{"dataset":"own","d\u0430taset":"x","dataset2":"x","data_set":"x"}')),
    ).toBeUndefined()
  })
})

describe('G15 names of the prototype are arguments like others', () => {
  it.each(['toString', 'constructor', 'hasOwnProperty', 'constructor.name', 'dataset.length'])(
    '%s is absent',
    (key) => {
      expect(failed(Object.fromEntries([[key, ['*']]]), { dataset: ['x'] })).toBe(key)
    },
  )

  it('nothing is found in a prototype that a call brings along', () => {
    expect(failed(DATASET, fromJson('{"__proto__":{"dataset":"own"}}'))).toBe('dataset')
  })
})

describe('G15 keys', () => {
  it.each(['a', 'a.b', 'a\\.b', 'a\\\\', 'x-y_z', 'a b', 'é', 'constructor'])('%s is one', (key) => {
    expect(argumentKeyProblem(key)).toBeUndefined()
  })

  it.each(['', '.', 'a.', '.a', 'a..b', 'a\\', 'a\\b', '__proto__', 'a.__proto__'])('%j is none', (key) => {
    expect(argumentKeyProblem(key)).toMatch(/^is not /)
  })
})
