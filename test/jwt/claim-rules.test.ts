import { describe, expect, it } from 'vitest'
import { type ClaimRules, claimValueProblem, compileClaimRules, isScopeClaim } from '../../src/jwt/claim-rules.ts'

/** The first rule that fails, as the guard asks. */
function failed(rules: ClaimRules, claims: object): string | undefined {
  return compileClaimRules(rules)(claims as Record<string, unknown>)
}

function meets(rules: ClaimRules, claims: object): boolean {
  return failed(rules, claims) === undefined
}

/** Claims from JSON text, as tokens carry them: with own `__proto__` keys, and numbers as JSON has them. */
function fromJson(text: string): Record<string, unknown> {
  return JSON.parse(text)
}

describe('A10 every key must match, any listed value is enough', () => {
  const rules: ClaimRules = { email: '*@example.com', groups: ['admin', 'dev-*'] }

  it.each([
    [{ email: 'ann@example.com', groups: ['admin'] }, undefined],
    [{ email: 'ann@example.com', groups: ['x', 'dev-7', 'y'] }, undefined],
    [{ email: 'ann@example.com', groups: 'admin' }, undefined],
    [{ email: 'ann@example.com', groups: [] }, 'groups'],
    [{ email: 'ann@example.com', groups: ['Admin', 'xdev-1'] }, 'groups'],
    [{ email: 'ann@example.com' }, 'groups'],
    [{ groups: ['admin'] }, 'email'],
    [{ email: 'ann@example.com.evil.example', groups: ['admin'] }, 'email'],
    [{}, 'email'],
  ])('%j fails on %s', (claims, key) => {
    expect(failed(rules, claims)).toBe(key)
  })

  it('no rules are met by anything', () => {
    expect(meets({}, {})).toBe(true)
  })
})

describe('A10 kinds of values', () => {
  it.each<[string, ClaimRules, object, boolean]>([
    ['text is compared exactly', { a: 'x' }, { a: 'X' }, false],
    ['empty text matches empty text', { a: '' }, { a: '' }, true],
    ['and nothing else', { a: '' }, { a: 'x' }, false],
    ['and not an absent claim', { a: '' }, {}, false],
    ['a number', { a: 7 }, { a: 7 }, true],
    ['a number as text', { a: '7' }, { a: 7 }, true],
    ['text as a number', { a: 7 }, { a: '7' }, true],
    ['another number', { a: 7 }, { a: 70 }, false],
    ['a fraction', { a: 0.5 }, { a: 0.5 }, true],
    ['a glob over numbers', { a: '40*' }, { a: 403 }, true],
    ['true', { a: true }, { a: true }, true],
    ['"true"', { a: true }, { a: 'true' }, true],
    ['not 1', { a: true }, { a: 1 }, false],
    ['false', { a: false }, { a: false }, true],
    ['false is not absent', { a: false }, {}, false],
    ['false is not null', { a: false }, { a: null }, false],
    ['false is not 0', { a: false }, { a: 0 }, false],
    ['null has no text', { a: 'null' }, { a: null }, false],
    ['an object has no text', { a: '[object Object]' }, { a: {} }, false],
    ['an object has no text for a star either', { a: '*' }, { a: { b: 1 } }, false],
    ['a star needs a claim', { a: '*' }, {}, false],
    ['that is not null', { a: '*' }, { a: null }, false],
    ['and not an empty list', { a: '*' }, { a: [] }, false],
    ['a star matches empty text', { a: '*' }, { a: '' }, true],
    ['a list of numbers', { a: 2 }, { a: [1, 2] }, true],
    ['a list of objects', { a: 'x' }, { a: [{ name: 'x' }] }, false],
    ['a list with null', { a: 'null' }, { a: [null] }, false],
    ['a list in a list', { a: 'x' }, { a: [['x']] }, false],
    ['a list is not joined', { a: 'x,y' }, { a: ['x', 'y'] }, false],
    ['undefined is absent', { a: 'undefined' }, { a: undefined }, false],
    ['nested', { 'a.b.c': 'x' }, { a: { b: { c: 'x' } } }, true],
    ['nested list', { 'a.b': 'x' }, { a: { b: ['y', 'x'] } }, true],
    ['nested under text', { 'a.length': '1' }, { a: 'x' }, false],
    ['nested under a list', { 'a.0': 'x' }, { a: ['x'] }, false],
    ['length of a list', { 'a.length': '1' }, { a: ['x'] }, false],
    ['nested under null', { 'a.b': 'x' }, { a: null }, false],
    ['nested and absent', { 'a.b': 'x' }, { a: {} }, false],
    ['a key with dots of its own', { 'https://example.com/roles': 'x' }, { 'https://example.com/roles': 'x' }, true],
    ['the very name comes first', { 'a.b': 'x' }, { 'a.b': 'y', a: { b: 'x' } }, false],
    ['also where it is null', { 'a.b': 'x' }, { 'a.b': null, a: { b: 'x' } }, false],
    ['an empty key', { '': 'x' }, { '': 'x' }, true],
    ['an empty key is not everything', { '': 'x' }, { a: 'x' }, false],
    ['dots only', { '..': 'x' }, { '': { '': { '': 'x' } } }, true],
  ])('%s', (_, rules, claims, expected) => {
    expect(meets(rules, claims)).toBe(expected)
  })

  it('numbers that JSON has rounded match nothing: two tenants would be one', () => {
    expect(meets({ org: '9007199254740992' }, fromJson('{"org":9007199254740993}'))).toBe(false)
    expect(meets({ org: '*' }, fromJson('{"org":9007199254740993}'))).toBe(false)
    expect(meets({ org: 'Infinity' }, fromJson('{"org":1e999}'))).toBe(false)
    expect(meets({ org: '9007199254740991' }, fromJson('{"org":9007199254740991}'))).toBe(true)
    expect(meets({ org: '-9007199254740991' }, fromJson('{"org":-9007199254740991}'))).toBe(true)
    expect(meets({ org: '1e+21' }, fromJson('{"org":1000000000000000000000}'))).toBe(false)
  })
})

describe('A10 a rule that could never be met as it is meant is a mistake', () => {
  it.each([2 ** 53, -(2 ** 53), 1e21, Number.POSITIVE_INFINITY, Number.NaN])(
    'the number %d, which JSON would have rounded',
    (value) => {
      expect(claimValueProblem(value)).toMatch(/write it as text/)
    },
  )

  it.each([
    ['three stars', 'a*b*c*'],
    ['a control character', 'a\nb'],
    ['more than 1,024 characters', 'a'.repeat(1025)],
  ])('%s', (_, value) => {
    expect(claimValueProblem(value)).toEqual(expect.any(String))
  })

  it.each(['', '*', '**', 'a*b*', 0, -1, 0.25, true, false, 'a'.repeat(1024), '9007199254740993'])(
    'not %j',
    (value) => {
      expect(claimValueProblem(value)).toBeUndefined()
    },
  )
})

describe('A10 globs in claims', () => {
  it.each<[string, string, boolean]>([
    ['*@example.com', 'ann@example.com', true],
    ['*@example.com', '@example.com', true],
    ['*@example.com', 'ann@exampleXcom', false],
    ['*@example.com', 'ann@example.com\n', false],
    ['*@example.com', 'x\n@example.com', false],
    ['*@example.com', 'x\u0000@example.com', false],
    ['*@example.com', 'x\u0085@example.com', false],
    ['*@(corp|sub).com', 'john@corp.com', false],
    ['*@(corp|sub).com', 'johncorp.com', false],
    ['*@(corp|sub).com', 'john@(corp|sub).com', true],
    ['dev-?', 'dev-1', false],
    ['dev-[0-9]', 'dev-1', false],
    ['{a,b}', 'a', false],
    ['!admin', 'user', false],
    ['!admin', '!admin', true],
    ['repo:org/*', 'repo:org/a/b:ref', true],
    ['*', '.hidden', true],
    ['a*', 'a..b', true],
    ['\\*', 'x', false],
    ['\\*', '\\x', true],
    ['(a+)+$', '(a+)+$', true],
  ])('%j on %j', (glob, value, expected) => {
    expect(meets({ a: glob }, { a: value })).toBe(expected)
  })

  it('are tried on up to 1,024 characters', () => {
    expect(meets({ a: 'a*' }, { a: 'a'.repeat(1024) })).toBe(true)
    expect(meets({ a: 'a*' }, { a: 'a'.repeat(1025) })).toBe(false)
    expect(meets({ a: '*' }, { a: 'a'.repeat(60_000) })).toBe(false)
    expect(meets({ a: '*' }, { a: ['a'.repeat(60_000), 'short'] })).toBe(true)
  })
})

describe('A10 scopes are a list in one text (RFC 8693 §4.2)', () => {
  it.each<[ClaimRules, object, boolean]>([
    [{ scope: 'read' }, { scope: 'openid read' }, true],
    [{ scope: 'read' }, { scope: 'openid readonly' }, false],
    [{ scope: 'read:*' }, { scope: 'openid read:orders' }, true],
    [{ scope: 'openid*orders' }, { scope: 'openid read:orders' }, false],
    [{ scp: 'read' }, { scp: 'openid read' }, true],
    [{ scp: 'read' }, { scp: ['openid', 'read'] }, true],
    [{ scp: 'read' }, { scope: 'read' }, false],
    [{ scope: ['a', 'b'] }, { scope: 'b' }, true],
    [{ 'x.scope': 'read' }, { x: { scope: 'openid read' } }, false],
    [{ other: 'read' }, { other: 'openid read' }, false],
    [{ scope: 'read' }, { scope: { read: true } }, false],
    [{ scope: '*' }, {}, false],
  ])('%j on %j: %s', (rules, claims, expected) => {
    expect(meets(rules, claims)).toBe(expected)
  })

  it('are claims scope and scp', () => {
    expect(['scope', 'scp', 'scopes', 'Scope', 'x.scope'].map(isScopeClaim)).toEqual([true, true, false, false, false])
  })
})

describe('A10 names of the prototype are claims like others', () => {
  const inherited = [
    'toString',
    'constructor',
    '__proto__',
    'hasOwnProperty',
    'valueOf',
    'constructor.name',
    '__proto__.x',
  ]
  it.each(inherited)('%s is absent from a token that does not have it', (key) => {
    const rules = Object.fromEntries([[key, '*']])
    expect(Object.hasOwn(rules, key)).toBe(true)
    expect(failed(rules, {})).toBe(key)
    expect(failed(rules, { a: 'x' })).toBe(key)
  })

  it('and is there in one that has it', () => {
    expect(meets({ toString: 'x' } as unknown as ClaimRules, fromJson('{"toString":"x"}'))).toBe(true)
    expect(meets(fromJson('{"__proto__":"x"}') as ClaimRules, fromJson('{"__proto__":"x"}'))).toBe(true)
    expect(meets(fromJson('{"__proto__.role":"x"}') as ClaimRules, fromJson('{"__proto__":{"role":"x"}}'))).toBe(true)
  })

  it('a token cannot put claims into its own prototype', () => {
    expect(meets({ role: 'admin' }, fromJson('{"__proto__":{"role":"admin"}}'))).toBe(false)
    expect(meets({ role: 'admin' }, fromJson('{"constructor":{"prototype":{"role":"admin"}}}'))).toBe(false)
  })
})
