/** What is wrong with a configuration, in the words of whoever wrote it. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { callable, check, joinPath, secret, strict, text } from '../../src/core/config.ts'
import type { ConfigProblem } from '../../src/core/errors.ts'

const schema = strict({
  routes: z.array(
    strict({ path: text, port: z.number().optional(), kind: z.enum(['basic', 'jwt', 'none']).optional() }),
  ),
  password: secret.optional(),
  verify: callable.optional(),
  only: z.literal('x').optional(),
})

function problems(value: unknown, path = ''): ConfigProblem[] {
  const found: ConfigProblem[] = []
  expect(check(schema, value, path, found)).toBe(found.length === 0)
  return found
}

describe('check', () => {
  it('finds nothing wrong with what is right', () => {
    expect(
      problems({ routes: [{ path: '/', port: 80, kind: 'jwt' }], password: { secret: 'env:X' }, verify: () => true }),
    ).toEqual([])
    expect(problems({ routes: [], password: 'text' })).toEqual([])
  })

  it('finds everything that is wrong, with its path', () => {
    expect(problems({ routes: [{ path: '' }, { port: '80' }, 7], passwort: 1, only: 'y' }, 'guard')).toEqual(
      expect.arrayContaining([
        { path: 'guard.routes[0].path', message: 'must not be empty' },
        { path: 'guard.routes[1].path', message: 'required, a value of type string' },
        { path: 'guard.routes[1].port', message: 'expected number, got string' },
        { path: 'guard.routes[2]', message: 'expected object, got number' },
        { path: 'guard.only', message: 'expected "x"' },
        { path: 'guard', message: 'unknown key "passwort"; did you mean "password"?' },
      ]),
    )
  })

  it.each([
    [undefined, 'required, a value of type object'],
    [null, 'expected object, got null'],
    [[], 'expected object, got a list'],
    ['x', 'expected object, got string'],
  ])('%j: %s', (value, message) => {
    expect(problems(value)).toEqual([{ path: '', message }])
  })

  it.each([
    [Number('x'), 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [7n, 'bigint'],
    [{}, 'object'],
    [Object.create(null), 'object'],
    [new Map(), 'a Map'],
    [Promise.resolve(7), 'a Promise'],
    [new Headers(), 'a Headers'],
    [new Error('x'), 'an Error'],
    [new (class Port {})(), 'an instance of Port'],
    [new (class {})(), 'object'],
  ])('%s is told from a number', (port, name) => {
    expect(problems({ routes: [{ path: '/', port }] })).toEqual([
      { path: 'routes[0].port', message: `expected number, got ${name}` },
    ])
  })

  it('tells what is no plain object from an object', () => {
    const found: ConfigProblem[] = []
    check(z.record(z.string(), z.string()), new Map(), 'servers', found)
    check(z.record(z.string(), z.string()), new (class Corp {})(), 'servers', found)
    expect(found.map(({ message }) => message)).toEqual([
      'expected object, got a Map',
      'expected object, got an instance of Corp',
    ])
  })

  it('names every unknown key', () => {
    expect(problems({ routes: [], a: 1, verfy: 2 })).toEqual([
      { path: '', message: 'unknown key "a"; unknown key "verfy"; did you mean "verify"?' },
    ])
  })

  it('suggests one of the values that there are', () => {
    expect(problems({ routes: [{ path: '/', kind: 'jtw' }] })).toEqual([
      { path: 'routes[0].kind', message: 'expected one of "basic", "jwt", "none"; did you mean "jwt"?' },
    ])
    expect(problems({ routes: [{ path: '/', kind: 7 }] })[0]?.message).toBe('expected one of "basic", "jwt", "none"')
  })

  it.each([
    [7, 'password', 'expected a text or { secret: "env:NAME" }'],
    [{}, 'password', 'expected a text or { secret: "env:NAME" }'],
    ['env:X', 'password', 'a reference is written { secret: "env:X" }'],
    ['file:/run/secrets/x', 'password', 'a reference is written { secret: "file:/run/secrets/x" }'],
    [{ secret: 7 }, 'password', 'expected a text or { secret: "env:NAME" }'],
    [{ env: 'X' }, 'password', 'expected a text or { secret: "env:NAME" }'],
    [{ secret: 'env:X', more: 1 }, 'password', 'unknown key "more"'],
    [{ secret: '' }, 'password.secret', 'must not be empty'],
    ['', 'password', 'must not be empty'],
  ])('%j is no secret', (password, path, message) => {
    expect(problems({ routes: [], password })).toEqual([{ path, message }])
  })

  it('a secret never appears in what is wrong with it', () => {
    const value = 'hunter2hunter2'
    for (const config of [
      { password: { secret: value, x: value } },
      { password: [value] },
      { passwort: value },
      { only: value },
      { verify: value },
    ]) {
      expect(JSON.stringify(problems({ routes: [], ...config }))).not.toContain('hunter2')
    }
  })

  it('takes functions of any kind, and nothing else, for functions', () => {
    for (const verify of [() => {}, async () => {}, class {}, Math.max])
      expect(problems({ routes: [], verify })).toEqual([])
    expect(problems({ routes: [], verify: 'x' })).toEqual([{ path: 'verify', message: 'expected a function' }])
  })

  it('takes keys that every object has for unknown keys', () => {
    expect(problems(JSON.parse('{"routes":[],"__proto__":{},"constructor":1}'))[0]?.message).toContain('constructor')
  })
})

describe('joinPath', () => {
  it.each<[string, PropertyKey[], string]>([
    ['', [], ''],
    ['a', [], 'a'],
    ['', ['a', 'b'], 'a.b'],
    ['integrations', ['corp', 'issuer'], 'integrations.corp.issuer'],
    ['routes', [2, 'auth'], 'routes[2].auth'],
    ['servers', ['dev/github', 'url'], 'servers["dev/github"].url'],
    ['', ['a b'], '["a b"]'],
    ['a', ['$x', '_y', '\u00e9', '9', 'x-y', ''], 'a.$x._y.\u00e9["9"]["x-y"][""]'],
    ['a', ['"'], 'a["\\""]'],
  ])('%j and %j give %j', (base, steps, path) => {
    expect(joinPath(base, steps)).toBe(path)
  })
})
