/** Times on the pages, also those that a store has and no calendar. */
import { expect, test } from 'vitest'
import { keyTable } from '../../src/portal/key-parts.ts'
import { ago, day, moment } from '../../src/portal/view.ts'

test.each([Number.MAX_SAFE_INTEGER, Number.NaN, Number.POSITIVE_INFINITY, -1e300])('%s is shown as some time', (at) => {
  expect(String(day(at))).toContain('>1 Jan 1970<')
  expect(String(moment(at))).toContain('>1970-01-01 00:00:00 UTC<')
  expect(String(ago(at, 0, 60_000))).toContain('1970-01-01')
})

test('a key that ends when no calendar can say is good until it is revoked', () => {
  const key = { id: 'k', name: 'for ever', createdAt: 0, expiresAt: Number.MAX_SAFE_INTEGER }
  expect(String(keyTable('Keys', [key], 1, undefined, ''))).toContain('it is revoked')
})
