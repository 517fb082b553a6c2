/** The host of a route, as people write it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type HostPattern, hostPatternText, parseHostPattern } from '../../src/match/host-pattern.ts'

const plain = { wildcard: false, port: undefined, path: '/' }

describe('A1 A2 the host of a route', () => {
  it.each<[string, HostPattern]>([
    ['s1.example.com', { ...plain, name: 's1.example.com' }],
    ['S1.Example.COM', { ...plain, name: 's1.example.com' }],
    ['s1.example.com.', { ...plain, name: 's1.example.com' }],
    ['*.apps.example.com', { ...plain, name: 'apps.example.com', wildcard: true }],
    ['*.localhost', { ...plain, name: 'localhost', wildcard: true }],
    ['example.com/s1', { ...plain, name: 'example.com', path: '/s1' }],
    ['example.com/', { ...plain, name: 'example.com' }],
    ['example.com:8080', { ...plain, name: 'example.com', port: 8080 }],
    ['example.com:8080/s1/', { ...plain, name: 'example.com', port: 8080, path: '/s1/' }],
    ['*.example.com:1/a:b/*', { name: 'example.com', wildcard: true, port: 1, path: '/a:b/*' }],
    ['orders-ml.svc.cluster.local:65535', { ...plain, name: 'orders-ml.svc.cluster.local', port: 65535 }],
    ['my_service', { ...plain, name: 'my_service' }],
    ['192.0.2.1', { ...plain, name: '192.0.2.1' }],
    ['[::1]', { ...plain, name: '[::1]' }],
    ['[2001:DB8::0:1]:80/x', { ...plain, name: '[2001:db8::1]', port: 80, path: '/x' }],
    ['b\u00fccher.example', { ...plain, name: 'xn--bcher-kva.example' }],
    ['B\u00dcCHER.example', { ...plain, name: 'xn--bcher-kva.example' }],
    ['*.b\u00fccher.example', { ...plain, name: 'xn--bcher-kva.example', wildcard: true }],
    ['xn--bcher-kva.example', { ...plain, name: 'xn--bcher-kva.example' }],
  ])('%s', (text, pattern) => {
    expect(parseHostPattern(text)).toEqual(pattern)
  })

  it.each([
    ['https://s1.example.com', 'is a URL; write the host only, "s1.example.com"'],
    ['HTTP://s1.example.com/x', '"s1.example.com/x"'],
    ['*', 'the star must be the whole first label'],
    ['*example.com', 'the star must be the whole first label'],
    ['a.*.example.com', 'the star must be the whole first label'],
    ['*.*.example.com', 'the star must be the whole first label'],
    ['example.*', 'the star must be the whole first label'],
    ['*.', 'the star must be the whole first label'],
    ['', 'is not a host name'],
    ['/s1', 'is not a host name'],
    [':80', 'is not a host name'],
    ['.example.com', 'is not a host name'],
    ['a..b', 'is not a host name'],
    ['a b', 'is not a host name'],
    ['a,b', 'is not a host name'],
    ['user@example.com', 'is not a host name'],
    ['example.com?x', 'is not a host name'],
    ['example.com#x', 'is not a host name'],
    ['example.com\\x', 'is not a host name'],
    ['[::1', 'is not a host name'],
    ['[v1]', 'is not a host name'],
    ['::1', 'is not a host name'],
    ['1.2.3.4.5', 'is not a host name'],
    ['example.com:', 'is not a host name'],
    ['example.com:http', 'is not a host name'],
    ['example.com:0', 'has no valid port'],
    ['example.com:65536', 'has no valid port'],
    ['example.com:99999999999999999999', 'has no valid port'],
  ])('%j is none: %s', (text, problem) => {
    expect(parseHostPattern(text)).toContain(problem)
  })

  it('never throws; the text of a pattern is the same pattern', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.domain().map((name) => `*.${name}`),
      fc.ipV4(),
      fc.ipV6().map((text) => `[${text}]`),
      fc.string({ unit: 'grapheme' }),
    )
    fc.assert(
      fc.property(host, (text) => {
        const pattern = parseHostPattern(text)
        if (typeof pattern === 'string') return
        expect(parseHostPattern(hostPatternText(pattern))).toEqual({ ...pattern, port: undefined, path: '/' })
      }),
      { numRuns: 2000 },
    )
  })
})
