/** Texts in header fields: what stands there comes back, and nothing breaks out. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeHeaderValue, encodeHeaderValue, trimHeaderValue } from '../../src/mcp/header-values.ts'
import { cpuMs } from '../support/cpu-time.ts'

describe('values of header fields', () => {
  // The table of 2026-07-28, Value Encoding, and what lies next to it.
  it.each([
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['=?base64?=', '=?base64?='],
    ['=?BASE64?eA==?=', '=?BASE64?eA==?='],
    ['a b\tc', 'a b\tc'],
    ['\t', '=?base64?CQ==?='],
    ['', '=?base64??='],
    ['x\r\nAuthorization: Bearer y', '=?base64?eA0KQXV0aG9yaXphdGlvbjogQmVhcmVyIHk=?='],
    ['a\0b', '=?base64?YQBi?='],
    ['\x7f', '=?base64?fw==?='],
  ])('%j is sent as %s', (text, value) => {
    expect(encodeHeaderValue(text)).toBe(value)
    expect(decodeHeaderValue(value)).toBe(text)
  })

  it('have no form for half a surrogate pair', () => {
    expect(encodeHeaderValue('a\ud800')).toBeUndefined()
  })

  it('come back for every text, and are always one safe line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = encodeHeaderValue(text)
        expect(value).toMatch(/^[!-~]([\t -~]*[!-~])?$/)
        expect(value !== undefined && decodeHeaderValue(value)).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['characters of Latin-1', 'caf\xe9'],
    ['a control character', 'a\x01b'],
    ['DEL', 'a\x7f'],
    ['a line end', 'a\r\nb'],
    ['nothing', ''],
    ['base64 without padding', '=?base64?eA?='],
    ['too much padding', '=?base64?eA===?='],
    ['bits that should be zero', '=?base64?eB==?='],
    ['base64url', '=?base64?_-8=?='],
    ['space in base64', '=?base64?e A==?='],
    ['bytes that are no UTF-8', '=?base64?/w==?='],
    ['half a surrogate pair', '=?base64?7aCA?='],
  ])('are refused: %s', (_, value) => {
    expect(decodeHeaderValue(value)).toBeUndefined()
  })

  it('have white space around them that is not theirs', () => {
    expect(decodeHeaderValue(' \tget_weather  ')).toBe('get_weather')
    expect(decodeHeaderValue(' =?base64?eA==?= ')).toBe('x')
    expect(trimHeaderValue('  \t ')).toBe('')
    expect(trimHeaderValue('\u00a0x\u00a0')).toBe('\u00a0x\u00a0')
  })

  it('take no time by the square of their length', () => {
    const ms = cpuMs(() => {
      decodeHeaderValue(`a${' '.repeat(200_000)}\x01`)
      decodeHeaderValue(`${'=?base64?'.repeat(20_000)}`)
      encodeHeaderValue(`a${' \t'.repeat(100_000)}`)
    })
    expect(ms).toBeLessThan(500)
  })
})
