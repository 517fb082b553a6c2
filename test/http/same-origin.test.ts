/** Which requests with a cookie must come from our own origin, and which do. */
import { describe, expect, it } from 'vitest'
import { isSameOrigin, needsSameOrigin } from '../../src/http/same-origin.ts'
import { gateRequest } from './request.ts'

describe('B12 requests that must prove their origin', () => {
  it.each([
    ['GET', 'http', false],
    ['HEAD', 'http', false],
    ['OPTIONS', 'http', false],
    ['TRACE', 'http', false],
    ['POST', 'http', true],
    ['PUT', 'http', true],
    ['PATCH', 'http', true],
    ['DELETE', 'http', true],
    ['PROPFIND', 'http', true],
    ['get', 'http', true],
    ['GET', 'upgrade', true],
  ] as const)('%s %s: %s', (method, kind, needed) => {
    expect(needsSameOrigin(gateRequest({ method, kind }))).toBe(needed)
  })
})

describe('B12 the proof of an origin', () => {
  const origin = 'https://app.example.com'
  const ask = (headers: Record<string, string>, own: string | null = origin) =>
    isSameOrigin(gateRequest({ lines: Object.entries(headers) }), own)

  it.each<[string, Record<string, string>]>([
    ['the same Origin', { origin }],
    ['the same Origin in capitals', { origin: 'HTTPS://App.Example.com' }],
    ['the same Origin, whatever Sec-Fetch-Site says', { origin, 'sec-fetch-site': 'cross-site' }],
    ['no Origin, Sec-Fetch-Site same-origin', { 'sec-fetch-site': 'same-origin' }],
    [
      'an Origin withheld by no-referrer, Sec-Fetch-Site same-origin',
      { origin: 'null', 'sec-fetch-site': 'same-origin' },
    ],
  ])('%s', (_, headers) => {
    expect(ask(headers)).toBe(true)
  })

  it.each<[string, Record<string, string>]>([
    ['neither', {}],
    ['a sibling', { origin: 'https://evil.example.com' }],
    ['a sibling that says it is same-origin', { origin: 'https://evil.example.com', 'sec-fetch-site': 'same-origin' }],
    ['another scheme', { origin: 'http://app.example.com' }],
    ['another port', { origin: `${origin}:8443` }],
    ['the default port written out, which no browser does', { origin: `${origin}:443` }],
    ['a path', { origin: `${origin}/` }],
    ['a host that begins like ours', { origin: `${origin}.evil.example` }],
    ['a host that ends like ours', { origin: 'https://xapp.example.com' }],
    ['an opaque origin', { origin: 'null' }],
    ['an opaque origin of another site, or of a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['an opaque origin of a sibling', { origin: 'null', 'sec-fetch-site': 'same-site' }],
    ['an opaque origin in capitals, which no browser sends', { origin: 'NULL', 'sec-fetch-site': 'same-origin' }],
    ['an empty Origin', { origin: '', 'sec-fetch-site': 'same-origin' }],
    ['two origins', { origin: `${origin}, https://evil.example` }],
    ['same-site', { 'sec-fetch-site': 'same-site' }],
    ['cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['typed into the address bar', { 'sec-fetch-site': 'none' }],
    ['a value that is none', { 'sec-fetch-site': 'same-origin, cross-site' }],
  ])('is not there: %s', (_, headers) => {
    expect(ask(headers)).toBe(false)
  })

  it('a request without a host has no origin to be the same as', () => {
    expect(ask({ origin }, null)).toBe(false)
    expect(ask({ origin: 'null' }, null)).toBe(false)
  })
})
