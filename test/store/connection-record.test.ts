/** Connections as bytes. */
import { describe, expect, it } from 'vitest'
import { type ConnectionRecord, decodeRecord, encodeRecord } from '../../src/store/connection-record.ts'

describe('B1 connection record', () => {
  it.each<ConnectionRecord<unknown>>([
    { state: 'connected', connection: 'c', tokens: { access: 'ä\u{1f511}' }, obtainedAt: 5 },
    { state: 'refreshing', connection: 'c', tokens: null, attempt: { id: 'a', deadline: 5 } },
    { state: 'reauth_required', connection: 'c' },
    { state: 'revoked', connection: 'c' },
  ])('$state comes back as it was', (record) => {
    expect(decodeRecord(encodeRecord(record))).toEqual(record)
  })

  it.each(['', 'x', 'null', '1', '[]', '{}', '{"state":"other","connection":"c"}', '{"state":"connected"}', '\u0000'])(
    'refuses %j',
    (text) => expect(() => decodeRecord(Buffer.from(text))).toThrow(SyntaxError),
  )
})
