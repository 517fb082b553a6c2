/** The errors that programmers see. */
import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  DependencyError,
  FetchError,
  messageOf,
  SallyportError,
  SecretError,
} from '../../src/core/errors.ts'

describe('errors', () => {
  it.each([
    [new ConfigError([]), 'ConfigError', 'ERR_CONFIG'],
    [new SecretError('m'), 'SecretError', 'ERR_SECRET'],
    [new FetchError('m'), 'FetchError', 'ERR_FETCH'],
    [new DependencyError('m'), 'DependencyError', 'ERR_DEPENDENCY'],
    [new SallyportError('ERR_NOT_READY', 'm'), 'SallyportError', 'ERR_NOT_READY'],
  ])('%s has a name and a stable code', (error, name, code) => {
    expect(error).toBeInstanceOf(SallyportError)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name, code })
    expect(String(error)).toMatch(new RegExp(`^${name}`))
  })

  it('keep their cause', () => {
    const cause = new Error('inner')
    expect(new FetchError('outer', { cause }).cause).toBe(cause)
  })

  it('a ConfigError says its one problem in one line', () => {
    expect(new ConfigError([{ path: 'routes[0].auth', message: 'required' }]).message).toBe('routes[0].auth: required')
    expect(new ConfigError([{ path: '', message: 'expected an object' }]).message).toBe('expected an object')
  })

  it('a ConfigError lists several, and has them as data', () => {
    const problems = [
      { path: 'a', message: 'one' },
      { path: '', message: 'two' },
    ]
    const error = new ConfigError(problems)
    expect(error.problems).toEqual(problems)
    expect(error.message).toBe('2 problems in the configuration:\n  a: one\n  two')
  })
})

describe('messageOf', () => {
  it.each([
    [new Error('m'), 'm'],
    [new Error(''), ''],
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [{ toString: (): string => 'own' }, 'own'],
  ])('has the text of %s', (thrown, text) => {
    expect(messageOf(thrown)).toBe(text)
  })

  it('has one for what has none', () => {
    const throwing = (): string => {
      throw new Error('no')
    }
    expect(messageOf(Object.create(null))).toBe('something that has no text')
    expect(messageOf({ toString: throwing })).toBe('something that has no text')
    expect(messageOf(Object.defineProperty(new Error('m'), 'message', { get: throwing }))).toBe(
      'something that has no text',
    )
  })
})
