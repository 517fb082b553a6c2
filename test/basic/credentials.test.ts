/** The grammar of RFC 7617, one test a rule, and two properties over anything. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBasicCredentials, passwordProblem, usernameProblem } from '../../src/basic/credentials.ts'

const encode = (text: string | Uint8Array) => `Basic ${Buffer.from(text).toString('base64')}`
const bytes = (...values: number[]) => encode(Uint8Array.from([...Buffer.from('user:'), ...values]))

describe('A5 well-formed Basic credentials', () => {
  it.each([
    ['curl -u hello:world', 'Basic aGVsbG86d29ybGQ=', 'hello', 'world'],
    ['RFC 7617 §2, Aladdin', 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', 'Aladdin', 'open sesame'],
    ['RFC 7617 §2.1, a pound sign', 'Basic dGVzdDoxMjPCow==', 'test', '123£'],
    ['curl -u "user:a:b:c", colons in the password', 'Basic dXNlcjphOmI6Yw==', 'user', 'a:b:c'],
    ['curl -u "user:", no password', 'Basic dXNlcjo=', 'user', ''],
    ['curl -u ":token", no user', 'Basic OnRva2Vu', '', 'token'],
    ['curl -u :, neither', 'Basic Og==', '', ''],
    ['a scheme in capitals', 'BASIC aGVsbG86d29ybGQ=', 'hello', 'world'],
    ['a scheme in small letters', 'basic aGVsbG86d29ybGQ=', 'hello', 'world'],
    ['several spaces', 'Basic   aGVsbG86d29ybGQ=', 'hello', 'world'],
    ['plus and slash of base64', encode('u:ûï¾ÿ'), 'u', 'ûï¾ÿ'],
    ['an emoji', encode('u:🔑'), 'u', '🔑'],
    ['spaces at the ends, which are the password', encode('u: p '), 'u', ' p '],
    ['a byte order mark, which is a character', encode('\uFEFFu:p'), '\uFEFFu', 'p'],
  ])('%s', (_, header, username, password) => {
    expect(parseBasicCredentials(header)).toEqual({ username, password })
  })

  it('puts both parts in normal form C, so that either spelling of é is the same', () => {
    const composed = { username: 'ren\u00e9', password: 'caf\u00e9' }
    expect(parseBasicCredentials(encode('rene\u0301:cafe\u0301'))).toEqual(composed)
    expect(parseBasicCredentials(encode('ren\u00e9:caf\u00e9'))).toEqual(composed)
  })

  it('accepts 30 combining marks in a row, the most that stream-safe text has', () => {
    expect(parseBasicCredentials(encode(`u:x${'\u0323'.repeat(30)}`))).toBeDefined()
  })

  it('accepts a password of 12 KB', () => {
    const password = 'x'.repeat(12_000)
    expect(parseBasicCredentials(encode(`u:${password}`))).toEqual({ username: 'u', password })
  })
})

describe('A5 anything else is refused', () => {
  it.each([
    ['an empty value', ''],
    ['the scheme alone', 'Basic'],
    ['the scheme and a space', 'Basic '],
    ['another scheme', 'Bearer aGVsbG86d29ybGQ='],
    ['a scheme that only begins like it', 'Basicer aGVsbG86d29ybGQ='],
    ['no space', 'BasicaGVsbG86d29ybGQ='],
    ['a tab for the space', 'Basic\taGVsbG86d29ybGQ='],
    ['a space in front', ' Basic aGVsbG86d29ybGQ='],
    ['something after it', 'Basic aGVsbG86d29ybGQ= x'],
    ['a line break after it', 'Basic aGVsbG86d29ybGQ=\n'],
    ['parameters instead of token68', 'Basic user="hello"'],
    ['two values that a server joined', 'Basic aGVsbG86d29ybGQ=, Basic aGVsbG86d29ybGQ='],
    ['no colon', encode('hello')],
    ['nothing encoded', 'Basic ='],
    ['a character that is not base64', 'Basic aGVsbG86d29y*GQ='],
    ['no padding', 'Basic aGVsbG86d29ybGQ'],
    ['too much padding', 'Basic aGVsbG86d29ybGQ=='],
    ['padding in the middle', 'Basic dTo=cA=='],
    ['a length that base64 cannot have', 'Basic aGVsbG86d29ybG'],
    ['bits left over in the last character', 'Basic aGVsbG86d29ybGR='],
    ['base64url', 'Basic dTrDu8OvwrzDvw_-'],
    ['ISO-8859-1 instead of UTF-8', bytes(0xe9)],
    ['an overlong encoding', bytes(0xc0, 0xaf)],
    ['an encoded surrogate', bytes(0xed, 0xa0, 0x80)],
    ['a character cut short', bytes(0xe2, 0x82)],
    ['NUL', bytes(0x00)],
    ['a line feed', bytes(0x0a)],
    ['DEL', bytes(0x7f)],
    ['a C1 control character', bytes(0xc2, 0x85)],
    ['a control character in the user name', encode('us\u0007er:password')],
    ['31 combining marks in a row', encode(`u:x${'\u0323'.repeat(31)}`)],
  ])('%s', (_, header) => {
    expect(parseBasicCredentials(header)).toBeUndefined()
  })

  it('16 KB of garbage, spaces, padding or combining marks', () => {
    for (const filler of ['\u00ff', ' ', '=', 'A', ':', 'Basic ']) {
      expect(parseBasicCredentials(`Basic ${filler.repeat(16_384 / filler.length)}`)).toBeUndefined()
    }
    expect(parseBasicCredentials(encode(`a:${'\u0315\u0300'.repeat(3000)}`))).toBeUndefined()
  })
})

describe('A5 properties of the parser', () => {
  const character = fc.string({ unit: 'grapheme' })

  it('reads back every user name without a colon and every password', () => {
    fc.assert(
      fc.property(
        character,
        character,
        fc.constantFrom('Basic', 'basic', 'BASIC', 'bAsIc'),
        (name, password, scheme) => {
          fc.pre(usernameProblem(name) === undefined && (password === '' || passwordProblem(password) === undefined))
          const header = `${scheme} ${Buffer.from(`${name}:${password}`).toString('base64')}`
          expect(parseBasicCredentials(header)).toEqual({
            username: name.normalize('NFC'),
            password: password.normalize('NFC'),
          })
        },
      ),
    )
  })

  it('never throws, and what it accepts has one spelling and no control characters', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.base64String().map((text) => `Basic ${text}`),
      fc.uint8Array({ maxLength: 100 }).map(encode),
      fc.string({ unit: 'binary', maxLength: 100 }).map(encode),
    )
    fc.assert(
      fc.property(anything, (header) => {
        const credentials = parseBasicCredentials(header)
        if (credentials === undefined) return
        expect(usernameProblem(credentials.username)).toBeUndefined()
        expect(`${credentials.username}${credentials.password}`).not.toMatch(/\p{Cc}/u)
        const encoded = header.replace(/^basic +/i, '')
        expect(Buffer.from(encoded, 'base64').toString('base64')).toBe(encoded)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('A5 what a configured user name or password may be', () => {
  it.each(['alice', 'alice@example.com', '', 'Ünïcode name'])('takes the user name %j', (username) => {
    expect(usernameProblem(username)).toBeUndefined()
  })

  it.each([
    ['a:b', 'colon'],
    ['a\nb', 'control character'],
    ['\ud800', 'surrogate'],
  ])('refuses the user name %j', (username, reason) => {
    expect(usernameProblem(username)).toContain(reason)
  })

  it('takes a colon in a password', () => {
    expect(passwordProblem('a:b')).toBeUndefined()
  })

  it.each([
    ['', 'empty'],
    ['a\u0000', 'control character'],
    [`x${'\u0301'.repeat(31)}`, 'combining marks'],
  ])('refuses the password %j', (password, reason) => {
    expect(passwordProblem(password)).toContain(reason)
  })
})
