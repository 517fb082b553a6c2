/** Domains, and the public URLs on them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import { liesOn, parseDomain, publicUrl, publicUrls } from '../../src/match/domains.ts'
import { type HostPattern, parseHostPattern } from '../../src/match/host-pattern.ts'

const domain = (text: string) => parseDomain(text) as HostPattern
const host = (text: string) => parseHostPattern(text) as HostPattern

describe('A4 domains', () => {
  it.each(['example.com', '*.apps.example.com', 'EXAMPLE.com', 'b\u00fccher.example', 'localhost'])(
    '%s is one',
    (text) => {
      expect(parseDomain(text)).toMatchObject({ port: undefined, path: '/' })
    },
  )

  it.each([
    ['example.com:8080', 'neither port nor path'],
    ['example.com/s1', 'neither port nor path'],
    ['https://example.com', 'is a URL'],
    ['apps.*.example.com', 'star'],
    ['', 'not a host name'],
  ])('%j is none', (text, problem) => {
    expect(parseDomain(text)).toContain(problem)
  })

  it.each([
    ['*.apps.example.com', 's1.apps.example.com', true],
    ['*.apps.example.com', 'S1.APPS.example.com', true],
    ['*.apps.example.com', '*.apps.example.com', true],
    ['*.apps.example.com', 'apps.example.com', false],
    ['*.apps.example.com', 'a.b.apps.example.com', false],
    ['*.apps.example.com', '*.b.apps.example.com', false],
    ['*.apps.example.com', '*.example.com', false],
    ['*.apps.example.com', 'evilapps.example.com', false],
    ['*.apps.example.com', 's1.apps.example.com.evil', false],
    ['example.com', 'example.com', true],
    ['example.com', 's1.example.com', false],
    ['example.com', '*.example.com', false],
    ['example.com', 'example.org', false],
  ])('on %s lies %s: %s', (on, what, lies) => {
    expect(liesOn(domain(on), host(what))).toBe(lies)
  })
})

describe('A4 the public URL of a service', () => {
  it.each([
    ['*.apps.example.com', 'orders-ml-8080', 'https://orders-ml-8080.apps.example.com/'],
    ['*.apps.example.com', 'Orders', 'https://orders.apps.example.com/'],
    ['*.apps.example.com', 'a'.repeat(63), `https://${'a'.repeat(63)}.apps.example.com/`],
    ['example.com', 'orders-ml-8080', 'https://example.com/orders-ml-8080/'],
    ['example.com', 'Orders/v1.0/~x_y', 'https://example.com/Orders/v1.0/~x_y/'],
    ['example.com', '...', 'https://example.com/.../'],
    ['EXAMPLE.com', 's1', 'https://example.com/s1/'],
    ['b\u00fccher.example', 's1', 'https://xn--bcher-kva.example/s1/'],
  ])('on %s, %s is at %s', (on, service, url) => {
    expect(publicUrl(on, service)).toBe(url)
    expect(new URL(url).href).toBe(url)
  })

  it.each([
    ['*.apps.example.com', 'a.b', 'cannot be a label in front of "apps.example.com"'],
    ['*.apps.example.com', '', 'cannot be a label'],
    ['*.apps.example.com', '*', 'cannot be a label'],
    ['*.apps.example.com', '-a', 'cannot be a label'],
    ['*.apps.example.com', 'a-', 'cannot be a label'],
    ['*.apps.example.com', 'a_b', 'cannot be a label'],
    ['*.apps.example.com', 'a/b', 'cannot be a label'],
    ['*.apps.example.com', 'a\n', 'cannot be a label'],
    ['*.apps.example.com', 'a'.repeat(64), 'cannot be a label'],
    ['*.apps.example.com', '\u00e9', 'cannot be a label'],
    ['example.com', '', 'cannot be a path on "example.com"'],
    ['example.com', '/a', 'cannot be a path'],
    ['example.com', 'a/', 'cannot be a path'],
    ['example.com', 'a//b', 'cannot be a path'],
    ['example.com', '..', 'cannot be a path'],
    ['example.com', 'a/../b', 'cannot be a path'],
    ['example.com', './a', 'cannot be a path'],
    ['example.com', 'a b', 'cannot be a path'],
    ['example.com', 'a%20b', 'cannot be a path'],
    ['example.com', 'a?b', 'cannot be a path'],
    ['example.com', 'a;b', 'cannot be a path'],
    ['example.com', 'a\n', 'cannot be a path'],
    ['example.com:80', 'a', 'neither port nor path'],
    ['https://example.com', 'a', 'is a URL'],
  ])('on %s, %j is an error', (on, service, message) => {
    expect(() => publicUrl(on, service)).toThrow(ConfigError)
    expect(() => publicUrl(on, service)).toThrow(message)
  })

  it('is one for each domain', () => {
    expect(publicUrls(['*.apps.example.com', 'example.com'], 's1')).toEqual([
      'https://s1.apps.example.com/',
      'https://example.com/s1/',
    ])
    expect(publicUrls([], 's1')).toEqual([])
  })

  it('lies on its domain, whatever the service', () => {
    const domains = fc.tuple(fc.constantFrom('', '*.'), fc.domain()).map((parts) => parts.join(''))
    fc.assert(
      fc.property(domains, fc.oneof(fc.stringMatching(/^[\w.~/-]{1,12}$/), fc.string()), (on, service) => {
        let url: string
        try {
          url = publicUrl(on, service)
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError)
          return
        }
        expect(new URL(url).href).toBe(url)
        expect(liesOn(domain(on), host(new URL(url).hostname))).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})
