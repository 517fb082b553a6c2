/** `Cache-Control` of an answer that is one person's. */
import { expect, it } from 'vitest'
import { keptPrivate } from '../../src/http/cache-control.ts'

it.each([
  ['public, max-age=0', 'private, max-age=0'],
  ['max-age=60', 'private, max-age=60'],
  ['PUBLIC,s-maxage=600 ,  Max-Age=60, immutable', 'private, Max-Age=60, immutable'],
  ['s-maxage = 600, stale-while-revalidate=5', 'private, stale-while-revalidate=5'],
  ['s-maxage="600", no-cache="set-cookie, public", public', 'private, no-cache="set-cookie, public"'],
  ['private="x-name", max-age=5', 'private, private="x-name", max-age=5'],
  ['private, max-age=5', 'private, max-age=5'],
  ['Private, public', 'Private'],
  ['no-store', 'no-store'],
  ['public, no-store', 'no-store'],
  ['', 'private'],
  ['public="', 'private'],
  ['publicity, x-public', 'private, publicity, x-public'],
])('%j is kept as %j', (value, expected) => {
  expect(keptPrivate(value)).toBe(expected)
})
