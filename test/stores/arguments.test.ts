/** What stores are made with: the commonest mistake is a variable that is not set. */
import { Client } from 'pg'
import { generateKey, sealed } from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { postgresStore } from 'sallyport/stores/postgres'
import { redisStore } from 'sallyport/stores/redis'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { describe, expect, test } from 'vitest'

// biome-ignore lint/suspicious/noExplicitAny: arguments that do not fit
type Make = (...given: any[]) => unknown

describe.each<[string, Make, string]>([
  ['redisStore', redisStore, 'redis://127.0.0.1:1'],
  ['postgresStore', postgresStore, 'postgres://127.0.0.1:1/x'],
  ['sqliteStore', sqliteStore, ':memory:'],
])('%s', (name, make, place) => {
  test('of nothing says what is missing', () => {
    expect(() => make(undefined)).toThrow(
      new RegExp(`^${name}\\(\\) needs .+, and got undefined: is the environment variable set\\?$`),
    )
    expect(() => make(null)).toThrow(new RegExp(`^${name}\\(\\) needs .+, and got null$`))
    expect(() => make('')).toThrow(
      new RegExp(`^${name}\\(\\) needs .+, and got '': is the environment variable set\\?$`),
    )
    expect(() => make(7)).toThrow(new RegExp(`^${name}\\(\\) needs .+, and got a number$`))
  })

  test('with an option that it does not have says which it has', () => {
    expect(() => make(place, { timeoutms: 5 })).toThrow(
      `${name}() has no option "timeoutms"; did you mean "timeoutMs"?`,
    )
  })
})

test('a Client of pg is no Pool', () => {
  expect(() => postgresStore(new Client('postgres://127.0.0.1:1/x') as never)).toThrow(/needs a Pool of `pg`/)
})

test.each<[string, unknown, RegExp]>([
  ['one key', generateKey(), /^keys: expected a list of keys/m],
  ['nothing', undefined, /^keys: expected a list of keys/m],
  ['a reference to a secret', [{ secret: 'env:KEY' }], /keys\[0\]: not a key but an object; references to secrets/],
])('sealed() with %s in place of keys', (_, keys, words) => {
  expect(() => sealed(memoryStore(), keys as string[])).toThrow(words)
})
