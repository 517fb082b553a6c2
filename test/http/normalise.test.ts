/** A request in the form that decisions are made on, and the requests that have none. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNetworks } from '../../src/core/networks.ts'
import { type Ambiguity, type NormalisedRequest, normalise } from '../../src/http/normalise.ts'
import { hostileTargets } from './hostile-targets.ts'
import { gateRequest } from './request.ts'

type Line = readonly [string, string]

function normal(result: NormalisedRequest | Ambiguity): NormalisedRequest {
  if (typeof result === 'string') throw new Error(`expected a request, got ${result}`)
  return result
}

const from = (lines: readonly Line[], trusted?: string[], address = '10.0.0.1') =>
  normalise(gateRequest({ lines, address }), trusted === undefined ? undefined : parseNetworks(trusted))

describe('A1 A2 A13 the normal form', () => {
  it('has method, host, port and path, the authorization, and where it comes from', () => {
    const request = normal(
      normalise(
        gateRequest({
          method: 'POST',
          target: '/Orders/42?x=1',
          lines: [
            ['Host', 'Shop.Example.com:8443'],
            ['authorization', 'Bearer t'],
          ],
          address: '203.0.113.7',
          encrypted: true,
          localPort: 3000,
        }),
      ),
    )
    expect(request).toMatchObject({
      method: 'POST',
      host: 'shop.example.com',
      port: 3000,
      path: '/Orders/42',
      otherPaths: [],
    })
    expect(request.authorization).toBe('Bearer t')
    expect(request.clientAddress).toBe('203.0.113.7')
    expect(request.origin).toBe('https://shop.example.com:8443')
  })

  it('takes the port from the connection, since a client writes what it likes into Host', () => {
    expect(normal(normalise(gateRequest({ lines: [['Host', 'h:9999']], localPort: 8080 }))).port).toBe(8080)
  })

  it('is without a host and an origin when the request named none (HTTP/1.0)', () => {
    for (const lines of [[], [['Host', '']]] as const) {
      expect(normal(normalise(gateRequest({ lines })))).toMatchObject({ host: '', origin: null })
    }
  })

  it("takes HTTP/2's :authority for the host", () => {
    expect(normal(from([[':authority', 'A.example']])).host).toBe('a.example')
    expect(
      normal(
        from([
          [':authority', 'a.example'],
          ['host', 'a.example'],
        ]),
      ).host,
    ).toBe('a.example')
  })

  it('takes an IPv4 client that arrives as IPv6 for what it is', () => {
    expect(normal(from([['Host', 'h']], undefined, '::ffff:192.0.2.9')).clientAddress).toBe('192.0.2.9')
    expect(normal(from([['Host', 'h']], undefined, 'fe80::1%eth0')).clientAddress).toBe('fe80::1')
  })

  it.each([
    ['Example.com', false, 'http://example.com'],
    ['example.com:80', false, 'http://example.com'],
    ['example.com:80', true, 'https://example.com:80'],
    ['example.com:443', true, 'https://example.com'],
    ['example.com:', true, 'https://example.com'],
    ['[0::1]:3000', false, 'http://[::1]:3000'],
  ])('has the origin of %s, encrypted %s: %s', (host, encrypted, origin) => {
    expect(normal(normalise(gateRequest({ lines: [['Host', host]], encrypted }))).origin).toBe(origin)
  })
})

describe('A1 duplicate header lines are refused', () => {
  it.each<[string, Line[]]>([
    [
      'two hosts',
      [
        ['Host', 'a'],
        ['Host', 'b'],
      ],
    ],
    [
      'the same host twice',
      [
        ['Host', 'a'],
        ['Host', 'a'],
      ],
    ],
    [
      'two hosts in different case',
      [
        ['Host', 'a'],
        ['hOST', 'b'],
      ],
    ],
    [
      'an empty host and another',
      [
        ['Host', ''],
        ['Host', 'b'],
      ],
    ],
    [
      'two authorizations',
      [
        ['Host', 'a'],
        ['Authorization', 'Basic x'],
        ['Authorization', 'Bearer y'],
      ],
    ],
    [
      'two authorizations in different case',
      [
        ['Host', 'a'],
        ['Authorization', 'x'],
        ['AUTHORIZATION', 'x'],
      ],
    ],
    [
      'a host that is not the :authority',
      [
        [':authority', 'a'],
        ['host', 'b'],
      ],
    ],
    [
      'a host in front of another :authority',
      [
        ['host', 'b'],
        [':authority', 'a'],
      ],
    ],
  ])('%s', (_, lines) => {
    expect(from(lines)).toBe('duplicate_header')
  })

  it('also behind a trusted proxy', () => {
    expect(
      from(
        [
          ['Host', 'a'],
          ['Host', 'b'],
          ['X-Forwarded-Host', 'c'],
        ],
        ['10.0.0.0/8'],
      ),
    ).toBe('duplicate_header')
  })
})

describe('A1 A2 the forms of a target (RFC 9112 §3.2)', () => {
  const at = (target: string, host = 'h', method = 'GET') =>
    normalise(gateRequest({ target, method, lines: [['Host', host]] }))

  it.each([
    ['http://h/a', 'h', '/a'],
    ['https://h/a', 'h', '/a'],
    ['http://h', 'h', '/'],
    ['http://h/', 'h', '/'],
    ['http://h/?x', 'h', '/'],
    ['http://h/a?x=/../b', 'h', '/a'],
    ['http://H:80/a', 'h:80', '/a'],
    ['http://[::1]:80/a', '[::1]:80', '/a'],
  ])('an absolute form with the authority that Host has: %s', (target, host, path) => {
    expect(at(target, host)).toMatchObject({ path, otherPaths: [] })
  })

  it.each([
    ['another authority', 'http://evil/a', 'h'],
    ['another port', 'http://h:81/a', 'h:80'],
    ['a port that Host has not', 'http://h:80/a', 'h'],
    ['a user', 'http://u@h/a', 'h'],
    ['no authority', 'http:///a', ''],
    ['no authority and a path that begins with one', 'http:///h/a', 'h'],
    ['a query behind the authority', 'http://h?/a', 'h'],
    ['a fragment behind the authority', 'http://h#/a', 'h'],
    ['a backslash behind the authority', 'http://h\\a', 'h'],
    ['another scheme', 'ftp://h/a', 'h'],
    ['another scheme that servers speak', 'ws://h/a', 'h'],
    ['the scheme in capitals', 'HTTP://h/a', 'h'],
    ['one slash', 'http:/h/a', 'h'],
    ['no slash', 'http:h', 'h'],
    ['an ambiguous path', 'http://h/a%2fb', 'h'],
    ['dots past the root', 'http://h/..', 'h'],
    ['authority form', 'h:80', 'h:80'],
    ['a relative path', 'a/b', 'h'],
    ['a query', '?a', 'h'],
    ['nothing', '', 'h'],
  ])('is ambiguous with %s', (_, target, host) => {
    expect(at(target, host)).toBe('ambiguous_target')
  })

  it('an asterisk is the root for OPTIONS, and nothing for other methods', () => {
    expect(at('*', 'h', 'OPTIONS')).toMatchObject({ path: '/' })
    expect(at('*', 'h', 'GET')).toBe('ambiguous_target')
    expect(at('**', 'h', 'OPTIONS')).toBe('ambiguous_target')
  })

  it.each(['a b', 'a,b', 'h:99999', '127.1', 'u@h', 'h/x'])('the host %j is ambiguous', (host) => {
    expect(at('/', host)).toBe('ambiguous_host')
  })
})

describe('A3 behind a reverse proxy', () => {
  const spoofed: Line[] = [
    ['Host', 'h'],
    ['X-Forwarded-For', '10.1.1.1'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'internal.example'],
    ['Forwarded', 'for=10.1.1.1;host=internal.example;proto=https'],
    ['X-Real-IP', '10.1.1.1'],
  ]

  it('the headers of a peer that is not trusted count for nothing', () => {
    for (const trusted of [undefined, [], ['10.0.0.0/8']]) {
      expect(normal(from(spoofed, trusted, '203.0.113.7'))).toMatchObject({
        host: 'h',
        clientAddress: '203.0.113.7',
        origin: 'http://h',
      })
    }
  })

  it('nor does their nonsense', () => {
    expect(
      typeof from(
        [
          ['Host', 'h'],
          ['X-Forwarded-For', 'x'],
          ['X-Forwarded-Proto', 'a,b'],
        ],
        ['10.0.0.0/8'],
        '203.0.113.7',
      ),
    ).toBe('object')
  })

  it('those of a trusted one do, also when it arrives as IPv6', () => {
    for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1']) {
      const lines = spoofed.with(1, ['X-Forwarded-For', '203.0.113.7'])
      expect(normal(from(lines, ['10.0.0.0/8'], peer))).toMatchObject({
        host: 'internal.example',
        clientAddress: '203.0.113.7',
        origin: 'https://internal.example',
      })
    }
  })

  it('a proxy that says nothing is the client itself', () => {
    expect(normal(from([['Host', 'h']], ['10.0.0.0/8']))).toMatchObject({
      host: 'h',
      clientAddress: '10.0.0.1',
      origin: 'http://h',
    })
  })

  it.each<[string, string[], string]>([
    ['one hop', ['203.0.113.7'], '203.0.113.7'],
    ['what the client made up stands on the left', ['10.9.9.9, 203.0.113.7'], '203.0.113.7'],
    ['trusted proxies are skipped', ['203.0.113.7, 10.0.0.2, 10.0.0.3'], '203.0.113.7'],
    ['not past the first that is not trusted', ['10.9.9.9, 203.0.113.7, 10.0.0.2'], '203.0.113.7'],
    ['garbage on the left of the client does not matter', ['unknown, 203.0.113.7'], '203.0.113.7'],
    ['all trusted: the first', ['10.0.0.7, 10.0.0.2'], '10.0.0.7'],
    ['several lines are one list', ['198.51.100.1', '203.0.113.7, 10.0.0.2'], '203.0.113.7'],
    ['empty elements', [' , 203.0.113.7 ,, '], '203.0.113.7'],
    ['an IPv4 port', ['203.0.113.7:4711'], '203.0.113.7'],
    ['an IPv6 address', ['2001:db8::1'], '2001:db8::1'],
    ['an IPv6 address with brackets', ['[2001:db8::1]'], '2001:db8::1'],
    ['an IPv6 address with a port', ['[2001:db8::1]:4711'], '2001:db8::1'],
    ['IPv4 as IPv6', ['::ffff:203.0.113.7'], '203.0.113.7'],
    ['a trusted proxy as IPv6', ['203.0.113.7, ::ffff:10.0.0.2'], '203.0.113.7'],
  ])('X-Forwarded-For: %s', (_, values, client) => {
    const lines: Line[] = [['Host', 'h'], ...values.map((value): Line => ['x-forwarded-for', value])]
    expect(normal(from(lines, ['10.0.0.0/8'])).clientAddress).toBe(client)
  })

  it.each<[string, Line[]]>([
    ['an address that is none', [['X-Forwarded-For', 'unknown']]],
    ['an address that is none behind a trusted one', [['X-Forwarded-For', 'evil, 10.0.0.2']]],
    ['half an address', [['X-Forwarded-For', '10.0.0']]],
    ['an address with zeroes in front, which is octal to some', [['X-Forwarded-For', '010.0.0.1']]],
    ['an address with a path', [['X-Forwarded-For', '10.0.0.1/8']]],
    ['a port that is none', [['X-Forwarded-For', '10.0.0.1:x']]],
    ['a host name', [['X-Forwarded-For', 'localhost']]],
    ['two protocols', [['X-Forwarded-Proto', 'https, http']]],
    [
      'two protocols on two lines',
      [
        ['X-Forwarded-Proto', 'https'],
        ['x-forwarded-proto', 'http'],
      ],
    ],
    ['a protocol that is none', [['X-Forwarded-Proto', 'gopher']]],
    ['two hosts', [['X-Forwarded-Host', 'a.example, b.example']]],
    [
      'two hosts on two lines',
      [
        ['X-Forwarded-Host', 'a.example'],
        ['X-Forwarded-Host', 'b.example'],
      ],
    ],
  ])('is ambiguous with %s', (_, lines) => {
    expect(from([['Host', 'h'], ...lines], ['10.0.0.0/8'])).toBe('ambiguous_forwarding')
  })

  it.each<[string, string]>([
    ['https', 'https://h'],
    ['HTTPS', 'https://h'],
    ['wss', 'https://h'],
    ['http', 'http://h'],
    ['ws', 'http://h'],
    ['https, https', 'https://h'],
    ['', 'http://h'],
  ])('X-Forwarded-Proto: %j gives the origin %s', (value, origin) => {
    expect(
      normal(
        from(
          [
            ['Host', 'h'],
            ['X-Forwarded-Proto', value],
          ],
          ['10.0.0.0/8'],
        ),
      ).origin,
    ).toBe(origin)
  })

  it.each(['a b', 'a/b', 'user@a', 'a:99999'])('the forwarded host %j is ambiguous', (value) => {
    expect(
      from(
        [
          ['Host', 'h'],
          ['X-Forwarded-Host', value],
        ],
        ['10.0.0.0/8'],
      ),
    ).toBe('ambiguous_host')
  })

  it('has the port of the forwarded host in its origin', () => {
    const lines: Line[] = [
      ['Host', 'backend:3000'],
      ['X-Forwarded-Host', 'Shop.example:8443'],
      ['X-Forwarded-Proto', 'https'],
    ]
    expect(normal(from(lines, ['10.0.0.0/8']))).toMatchObject({
      host: 'shop.example',
      origin: 'https://shop.example:8443',
    })
  })

  it('compares the authority of an absolute form with Host, not with what the proxy forwards', () => {
    const lines: Line[] = [
      ['Host', 'backend'],
      ['X-Forwarded-Host', 'shop.example'],
    ]
    const trusted = parseNetworks(['10.0.0.0/8'])
    const at = (target: string) => normalise(gateRequest({ target, lines, address: '10.0.0.1' }), trusted)
    expect(at('http://backend/a')).toMatchObject({ host: 'shop.example', path: '/a' })
    expect(at('http://shop.example/a')).toBe('ambiguous_target')
  })

  it('an untrusted client cannot choose its address, whatever it sends through the proxy', () => {
    // A proxy appends the address that it sees.
    const element = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string(),
      fc.constantFrom('10.0.0.5', 'unknown', '', '[', '::ffff:10.0.0.5'),
    )
    fc.assert(
      fc.property(fc.array(element), (made) => {
        const value = [...made, '203.0.113.7'].join(', ')
        expect(
          normal(
            from(
              [
                ['Host', 'h'],
                ['X-Forwarded-For', value],
              ],
              ['10.0.0.0/8'],
            ),
          ).clientAddress,
        ).toBe('203.0.113.7')
      }),
    )
  })
})

describe('normalise never throws, and neither does what it makes', () => {
  it('for anything', () => {
    const name = fc.constantFrom(
      'Host',
      'host',
      ':authority',
      'Authorization',
      'X-Forwarded-For',
      'X-Forwarded-Proto',
      'X-Forwarded-Host',
      'x',
    )
    const host = fc.constantFrom(
      'h',
      'h:80',
      'h:99999',
      'xn--a',
      'xn--.x',
      '[::1]',
      '[::1]:70000',
      '1.2.3',
      '0',
      'a_b',
      '-',
      '',
    )
    const value = fc.oneof(host, fc.string(), fc.domain(), fc.ipV6())
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value), { maxLength: 4 }),
        fc.oneof(hostileTargets(['a']), fc.string()),
        fc.constantFrom('10.0.0.1', '203.0.113.1', '::1', '', 'nonsense'),
        fc.boolean(),
        (lines, target, address, encrypted) => {
          const request = gateRequest({ lines, target, address, encrypted })
          for (const trusted of [undefined, parseNetworks(['10.0.0.0/8'])]) {
            const result = normalise(request, trusted)
            if (typeof result === 'string') continue
            expect(result.origin === null).toBe(result.host === '')
            expect(typeof result.clientAddress).toBe('string')
          }
        },
      ),
      { numRuns: 3000 },
    )
  })
})
