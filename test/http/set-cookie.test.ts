/** Writing the Set-Cookie field, and the names in the Cookie field. */
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { parseSetCookie } from 'set-cookie-parser'
import { describe, expect, it } from 'vitest'
import { readCookie } from '../../src/http/cookies.ts'
import { type CookieAttributes, clearCookie, cookieNames, setCookie } from '../../src/http/set-cookie.ts'
import { cpuMs } from '../support/cpu-time.ts'

const cookieLibrary: { parse(header: string, options: { decode(value: string): string }): Record<string, string> } =
  createRequire(import.meta.url)('cookie')
/** The parser that express uses, without decoding. */
const parseCookies = (header: string) => cookieLibrary.parse(header, { decode: (value) => value })

const LAX = { secure: true, sameSite: 'Lax' } as const
const PLAIN = { secure: false, sameSite: 'Lax' } as const

/** What is in every object is dropped by both libraries. */
const name = fc
  .stringMatching(/^[!#$%&'*+.^`|~\w-]{1,20}$/)
  .filter((text) => !/^__(?:host|secure)-/i.test(text) && !(text in {}))
const value = fc.stringMatching(/^[!#-+\--:<-[\]-~]{0,60}$/)

describe('setCookie', () => {
  it.each<[CookieAttributes, string]>([
    [LAX, 'id=x; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [PLAIN, 'id=x; Path=/; HttpOnly; SameSite=Lax'],
    [{ secure: true, sameSite: 'None' }, 'id=x; Path=/; HttpOnly; Secure; SameSite=None'],
    [{ secure: true, sameSite: 'Strict', httpOnly: false }, 'id=x; Path=/; Secure; SameSite=Strict'],
    [{ ...LAX, httpOnly: true, path: '/a/b%20c' }, 'id=x; Path=/a/b%20c; HttpOnly; Secure; SameSite=Lax'],
    [{ ...LAX, maxAgeSeconds: 600 }, 'id=x; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax'],
    [{ ...LAX, maxAgeSeconds: 0 }, 'id=x; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax'],
  ])('%j', (attributes, line) => {
    expect(setCookie('id', 'x', attributes)).toBe(line)
  })

  it.each([
    '',
    ' ',
    'a b',
    'a=b',
    'a;b',
    'a,b',
    '"a"',
    'a\t',
    'a\n',
    '\0',
    'caf\u00e9',
    '\u00a0__Host-id',
    '(a)',
    'a/b',
    '[a]',
    '{a}',
    'a:b',
    '@a',
    'a\\',
  ])('%j is no name', (bad) => {
    expect(() => setCookie(bad, 'x', LAX)).toThrow(TypeError)
    expect(() => clearCookie(bad, LAX)).toThrow(TypeError)
  })

  it.each([
    ' ',
    'a b',
    'a;b',
    'a,b',
    'a"b',
    '"a"',
    'a\\b',
    'a\r\nSet-Cookie: x=y',
    '\0',
    '\x7f',
    'caf\u00e9',
    'a\t',
    '\ud83d',
  ])('%j is no value', (bad) => {
    expect(() => setCookie('id', bad, LAX)).toThrow(TypeError)
  })

  it('does not repeat the value in the error: it may be a secret', () => {
    expect(() => setCookie('id', 'secret value', LAX)).toThrow(/^(?!.*secret).*"id"/)
  })

  it.each([
    '',
    'a',
    'a/b',
    '/a;Domain=evil.example',
    '/a b',
    '/a,b=c',
    '/\r\n',
    '/caf\u00e9',
    '/\0',
    '\\',
    `/${'x'.repeat(1024)}`,
  ])('%j is no path', (path) => {
    expect(() => setCookie('id', 'x', { ...LAX, path })).toThrow(TypeError)
    expect(() => clearCookie('id', { ...LAX, path })).toThrow(TypeError)
  })

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300])('%d is no time in seconds', (maxAgeSeconds) => {
    expect(() => setCookie('id', 'x', { ...LAX, maxAgeSeconds })).toThrow(TypeError)
  })

  it.each<[string, CookieAttributes]>([
    ['__Host-id', PLAIN],
    ['__Host-id', { ...LAX, path: '/a' }],
    ['__HOST-id', PLAIN],
    ['__host-id', { ...LAX, path: '/a' }],
    ['__Secure-id', PLAIN],
    ['__secure-id', PLAIN],
    ['id', { secure: false, sameSite: 'None' }],
  ])('browsers would drop %s with %j', (bad, attributes) => {
    expect(() => setCookie(bad, 'x', attributes)).toThrow(TypeError)
    expect(() => clearCookie(bad, attributes)).toThrow(TypeError)
  })

  it.each<[string, CookieAttributes]>([
    ['__Host-id', LAX],
    ['__Host-id', { ...LAX, path: '/' }],
    ['__Host-id', { secure: true, sameSite: 'None' }],
    ['__Secure-id', { ...LAX, path: '/a' }],
    ['x__Host-id', PLAIN],
    ['__Host', { ...PLAIN, path: '/a' }],
  ])('browsers keep %s with %j', (good, attributes) => {
    expect(setCookie(good, 'x', attributes)).toContain(`${good}=x; `)
  })

  it('name and value have at most 4,096 bytes', () => {
    expect(setCookie('id', 'x'.repeat(4094), LAX)).toContain('x; Path')
    expect(() => setCookie('id', 'x'.repeat(4095), LAX)).toThrow(RangeError)
    expect(() => setCookie('id', 'x'.repeat(4095), LAX)).toThrow('the cookie "id" has 4097 bytes')
  })

  it('has no domain, whatever it is given', () => {
    const attributes = { ...LAX, domain: 'example.com', Domain: 'example.com' }
    expect(setCookie('id', 'x', attributes)).not.toMatch(/domain/i)
  })

  it('reads in another library as it was meant', () => {
    const attributes = fc.record(
      {
        maxAgeSeconds: fc.nat(),
        path: fc.stringMatching(/^\/[!-+\--:<-~]{0,20}$/),
        secure: fc.constant(true),
        sameSite: fc.constantFrom('Lax', 'None', 'Strict'),
        httpOnly: fc.boolean(),
      },
      { requiredKeys: ['secure', 'sameSite'] },
    )
    fc.assert(
      fc.property(name, value, attributes, (cookie, text, given) => {
        const parsed = parseSetCookie(setCookie(cookie, text, given), { decodeValues: false })
        const { maxAgeSeconds, path = '/', sameSite, httpOnly = true } = given
        expect(parsed).toEqual([
          {
            name: cookie,
            value: text,
            path,
            secure: true,
            sameSite,
            ...(httpOnly ? { httpOnly } : {}),
            ...(maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }),
          },
        ])
      }),
    )
  })

  it('comes back in the Cookie field', () => {
    fc.assert(
      fc.property(name, value, (cookie, text) => {
        const [pair = ''] = setCookie(cookie, text, LAX).split('; ')
        expect(readCookie(`[a]=b; ${pair}; [c]=d`, cookie)).toBe(text)
        expect(parseCookies(pair)).toEqual({ [cookie]: text })
      }),
    )
  })
})

describe('clearCookie', () => {
  it.each<[CookieAttributes, string]>([
    [LAX, '__Host-id=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax'],
    [
      { secure: true, sameSite: 'None', httpOnly: false },
      '__Host-id=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; SameSite=None',
    ],
  ])('%j', (attributes, line) => {
    expect(clearCookie('__Host-id', attributes)).toBe(line)
    const [parsed] = parseSetCookie(line)
    expect(parsed?.value).toBe('')
    expect(parsed?.expires?.getTime()).toBe(0)
  })

  it('is for the path that the cookie was set for', () => {
    expect(clearCookie('id', { ...PLAIN, path: '/a' })).toBe(
      'id=; Path=/a; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
    )
  })
})

describe('cookieNames', () => {
  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ['', []],
    ['a=1', ['a']],
    ['b=1; a=2; c=3', ['b', 'a', 'c']],
    ['a=1;b=2', ['a', 'b']],
    [' \ta \t= 1 ;\tb=2', ['a', 'b']],
    ['a=1; b=2; a=3', ['a', 'b']],
    ['a=1; A=2', ['a', 'A']],
    ['a', []],
    ['a; b=1; c', ['b']],
    ['=x; =; b=1', ['b']],
    ['a=b=c', ['a']],
    [';;a=1;;', ['a']],
    ['a=x,b=y', ['a']],
    ['\u00a0__Host-id=1', ['\u00a0__Host-id']],
    ['__proto__=1; constructor=2', ['__proto__', 'constructor']],
  ])('%j', (header, names) => {
    expect(cookieNames(header)).toEqual(names)
  })

  it('finds the names that readCookie and another library find', () => {
    const field = fc.array(fc.constantFrom('a', 'b', '__Host-id', '=', '=', ';', '; ', ' ', '\t', '"', '\u00a0', 'x'))
    fc.assert(
      fc.property(field, (parts) => {
        const header = parts.join('')
        const names = cookieNames(header)
        expect(new Set(names).size).toBe(names.length)
        for (const found of ['a', 'b', 'ab', '__Host-id', 'x']) {
          if (readCookie(header, found) !== undefined) expect(names).toContain(found)
        }
        expect(names).toEqual(Object.keys(parseCookies(header)).filter((found) => found !== ''))
      }),
    )
  })

  it('reads 16 KB in no time', () => {
    const ms = cpuMs(() => {
      cookieNames('a=;'.repeat(8000))
      cookieNames(`${' \t'.repeat(8000)}a=1`)
      cookieNames(';'.repeat(16_000))
    })
    expect(ms).toBeLessThan(500)
  })
})
