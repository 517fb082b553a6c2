/** Host and Authorization out of raw header lines. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerLines, scanHeaders } from '../../src/http/header-scan.ts'

describe('scanHeaders', () => {
  it('finds both fields in any case and keeps their values as they are', () => {
    expect(scanHeaders(['Accept', '*/*', 'hOsT', ' H ', 'AUTHORIZATION', 'Basic x', 'x-host', 'y'])).toEqual({
      host: ' H ',
      authorization: 'Basic x',
      duplicate: undefined,
    })
  })

  it('finds nothing where there is nothing', () => {
    const nothing = { host: undefined, authorization: undefined, duplicate: undefined }
    expect(scanHeaders([])).toEqual(nothing)
    expect(scanHeaders(['x', 'Host'])).toEqual(nothing)
    expect(
      scanHeaders(['Hosts', 'a', 'hos', 'b', 'Proxy-Authorization', 'c', 'Authorizatio\u017f', 'd', '\u210eost', 'e']),
    ).toEqual(nothing)
    expect(scanHeaders(['Host'])).toEqual(nothing)
  })

  it('names the field that comes twice, the same value and an empty one included', () => {
    expect(scanHeaders(['Host', 'a', 'host', 'a']).duplicate).toBe('host')
    expect(scanHeaders(['Host', '', 'host', '']).duplicate).toBe('host')
    expect(scanHeaders(['authorization', 'a', 'x', 'y', 'Authorization', 'b']).duplicate).toBe('authorization')
  })

  it('says the same as Node about fields that come once', () => {
    const name = fc.constantFrom('Host', 'HOST', 'Authorization', 'authorization', 'x', 'Cookie', 'X-Host')
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, fc.string()), { selector: ([key]) => key.toLowerCase() }), (lines) => {
        const headers = new Map(lines.map(([key, value]) => [key.toLowerCase(), value]))
        expect(scanHeaders(lines.flat())).toEqual({
          host: headers.get('host'),
          authorization: headers.get('authorization'),
          duplicate: undefined,
        })
      }),
    )
  })
})

describe('headerLines', () => {
  it('has every line of a field, in order', () => {
    expect(headerLines(['X-A', '1', 'b', '2', 'x-a', '3', 'X-a', ''], 'x-a')).toEqual(['1', '3', ''])
    expect(headerLines(['b', 'x-a'], 'x-a')).toEqual([])
  })
})
