/** Reading the Cookie field. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCookie } from '../../src/http/cookies.ts'
import { cpuMs } from '../support/cpu-time.ts'

describe('readCookie', () => {
  it.each([
    ['alone', 'id=1', '1'],
    ['among others', 'a=b; id=1; c=d', '1'],
    ['without spaces', 'a=b;id=1;c=d', '1'],
    ['with spaces and tabs around', ' id \t= \t1 ;', '1'],
    ['in quotes', 'id="1"', '1'],
    ['half in quotes', 'id="1', '"1'],
    ['a quote alone', 'id="', '"'],
    ['empty', 'id=', ''],
    ['empty in quotes', 'id=""', ''],
    ['with equals signs', 'id=a=b==', 'a=b=='],
    ['twice with the same value', 'id=1; id=1', '1'],
    ['beside one of another case', 'ID=2; id=1', '1'],
    ['behind a name that ends like it', 'xid=2; id=1', '1'],
    ['in a field with garbage', ';;=;x;=y; id=1', '1'],
  ])('%s', (_, header, value) => {
    expect(readCookie(header, 'id')).toBe(value)
  })

  it.each([
    ['no field', undefined],
    ['an empty field', ''],
    ['another name', 'di=1'],
    ['another case', 'ID=1'],
    ['no equals sign', 'id'],
    ['only as the value of another', 'x=id=1'],
    ['twice with different values', 'id=1; id=2'],
    ['three times, the first and last alike', 'id=1; id=2; id=1'],
  ])('is not there: %s', (_, header) => {
    expect(readCookie(header, 'id')).toBeUndefined()
  })

  it('takes no other white space for a blank: a subdomain can set "\\xa0__Host-id", and not "__Host-id"', () => {
    for (const blank of ['\u00a0', '\u0085', '\v', '\f', '\u1680', '\u2000', '\u3000', '\ufeff', '\0']) {
      expect(readCookie(`${blank}__Host-id=evil`, '__Host-id')).toBeUndefined()
      expect(readCookie(`__Host-id${blank}=evil`, '__Host-id')).toBeUndefined()
      expect(readCookie(`__Host-id=${blank}good`, '__Host-id')).toBe(`${blank}good`)
    }
  })

  it('reads 16 KB of blanks in no time', () => {
    const ms = cpuMs(() => {
      readCookie(`a${' \t'.repeat(8000)}b=${' '.repeat(16_000)}c`, 'id')
      readCookie('id=x;'.repeat(4000), 'id')
    })
    expect(ms).toBeLessThan(500)
  })

  it('reads back whatever is a cookie (RFC 6265 §4.1.1)', () => {
    const cookie = fc.tuple(fc.stringMatching(/^[!#$%&'*+.^_`|~\w-]+$/), fc.stringMatching(/^[!#-+\--:<-[\]-~]*$/))
    fc.assert(
      fc.property(fc.uniqueArray(cookie, { selector: ([name]) => name, minLength: 1 }), (cookies) => {
        const header = cookies.map((pair) => pair.join('=')).join('; ')
        for (const [name, value] of cookies) expect(readCookie(header, name)).toBe(value)
      }),
    )
  })
})
