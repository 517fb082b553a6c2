/** The host of a request in one spelling, compared with WHATWG URL's. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalHost } from '../../src/http/host.ts'

describe('A1 a host in one spelling', () => {
  it.each([
    ['', ''],
    ['example.com', 'example.com'],
    ['EXAMPLE.Com', 'example.com'],
    ['example.com:8080', 'example.com'],
    ['example.com:', 'example.com'],
    ['example.com:65535', 'example.com'],
    ['example.com:00080', 'example.com'],
    ['example.com.', 'example.com'],
    ['example.com.:443', 'example.com'],
    ['localhost', 'localhost'],
    ['my_container-1:3000', 'my_container-1'],
    ['-a-.b', '-a-.b'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:80', '192.0.2.1'],
    ['192.0.2.1.', '192.0.2.1'],
    ['1e3', '1e3'],
    ['1.example', '1.example'],
    ['[::1]', '[::1]'],
    ['[::1]:8080', '[::1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[2001:DB8::A]', '[2001:db8::a]'],
    ['[2001:db8:0:0:1:0:0:1]', '[2001:db8::1:0:0:1]'],
    ['[::ffff:192.0.2.1]', '[::ffff:c000:201]'],
    [`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}`, /^a{63}\.b{63}\.c{63}\.d{63}$/],
  ])('%j is %j', (value, host) => {
    if (typeof host === 'string') expect(canonicalHost(value)).toBe(host)
    else expect(canonicalHost(value)).toMatch(host)
  })
})

describe('A1 no host', () => {
  it.each([
    ['two hosts in one line', 'a.example, b.example'],
    ['a space', 'a b'],
    ['a space in front', ' a'],
    ['a tab', 'a\tb'],
    ['a user', 'user@example.com'],
    ['a user and a password', 'user:pass@example.com'],
    ['a path', 'example.com/admin'],
    ['a backslash', 'example.com\\admin'],
    ['a query', 'example.com?x'],
    ['a fragment', 'example.com#x'],
    ['a scheme', 'http://example.com'],
    ['a percent-encoded letter', 'ex%61mple.com'],
    ['raw UTF-8', 'b\u00fccher.example'],
    ['raw UTF-8 as Node delivers it', 'b\u00c3\u00bccher.example'],
    ['the Kelvin sign', '\u212aelvin.example'],
    ['a long s', '\u017fervice.example'],
    ['full-width letters', '\uff45xample.com'],
    ['an ideographic full stop', 'example\u3002com'],
    ['a zero-width joiner', 'exam\u200dple.com'],
    ['NUL', 'example.com\0'],
    ['a line break', 'example.com\n'],
    ['a star', '*.example.com'],
    ['an empty label', 'a..b'],
    ['a dot in front', '.example.com'],
    ['two dots at the end', 'example.com..'],
    ['a dot alone', '.'],
    ['a port alone', ':80'],
    ['a port that is no number', 'example.com:http'],
    ['a negative port', 'example.com:-1'],
    ['two ports', 'example.com:80:80'],
    ['a port of six digits', 'example.com:000080'],
    ['a port past 65535', 'example.com:65536'],
    ['a port past 65535 on an address', '[::1]:99999'],
    ['an IPv4 address in two parts', '127.1'],
    ['an IPv4 address in hexadecimal', '0x7f.0.0.1'],
    ['an IPv4 address in hexadecimal, in one', '0x7f000001'],
    ['an IPv4 address in octal', '0177.0.0.1'],
    ['an IPv4 address as a number', '2130706433'],
    ['an IPv4 address with zeroes in front', '127.0.0.01'],
    ['an IPv4 address with five parts', '1.2.3.4.5'],
    ['an IPv4 address with a part past 255', '1.2.3.256'],
    ['a name whose last label is a number', 'example.1'],
    ['a name whose last label is hexadecimal', 'example.0x'],
    ['IPv6 without brackets', '::1'],
    ['IPv6 with half of the brackets', '[::1'],
    ['IPv6 with a zone', '[fe80::1%25eth0]'],
    ['IPv6 with two gaps', '[1::2::3]'],
    ['IPv6 with a trailing dot', '[::1].'],
    ['an address of the future', '[v1.x]'],
    ['nothing in brackets', '[]'],
    ['more than a name can have', `${'a.'.repeat(140)}example`],
    ['a lot', 'a'.repeat(16_000)],
    ['a lot of dots', 'a.'.repeat(8_000)],
  ])('%s', (_, value) => {
    expect(canonicalHost(value)).toBeUndefined()
  })
})

describe('A1 properties of hosts', () => {
  // Up to Node 22 none of these is a host to WHATWG URL, from Node 24 on all are.
  it.each([
    ['encodes nothing', 'xn--a'],
    ['is empty', 'xn--.example'],
    ['stands for what IDNA maps away', 'xn--zn7c.com'],
  ])('Punycode that %s is a host where WHATWG URL says so', (_, value) => {
    expect(canonicalHost(value)).toBe(URL.canParse(`http://${value}`) ? value : undefined)
  })

  const label = fc.oneof(
    fc.stringMatching(/^[a-zA-Z0-9_-]{1,10}$/),
    fc.constantFrom(
      'xn--',
      'xn--a',
      'XN--bcher-kva',
      'xn--ls8h',
      '0x',
      '0x7f',
      '127',
      '1',
      '255',
      '256',
      '00',
      '08',
      '1e3',
      '',
      'k',
      '\u212a',
      '%61',
      '*',
      '@',
      '\u00fc',
    ),
  )
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'))
  const address = fc.oneof(
    fc.ipV4Extended(),
    fc.ipV6().map((text) => `[${text}]`),
    fc.ipV6(),
  )
  const port = fc.oneof(
    fc.constant(''),
    fc.nat(70_000).map((number) => `:${number}`),
    fc.constantFrom(':', '.', '.:80', ':080', ':x', '..'),
  )
  const value = fc.oneof(
    fc.tuple(fc.oneof(name, address, fc.domain()), port).map((parts) => parts.join('')),
    fc.string({ maxLength: 20 }),
    fc.webUrl(),
  )

  it('what is a host, WHATWG URL reads in the same way, but for the trailing dot', () => {
    fc.assert(
      fc.property(value, (text) => {
        const host = canonicalHost(text)
        if (host === undefined || host === '') return
        expect(new URL(`http://${text}`).hostname.replace(/\.$/, '')).toBe(host)
      }),
      { numRuns: 10_000 },
    )
  })

  it('a host is its own only spelling', () => {
    fc.assert(
      fc.property(value, (text) => {
        const host = canonicalHost(text)
        if (host !== undefined) expect(canonicalHost(host)).toBe(host)
      }),
      { numRuns: 2000 },
    )
  })

  it('every domain and address with a port is a host', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.domain(),
          fc.ipV4(),
          fc.ipV6().map((text) => `[${text}]`),
        ),
        fc.nat(65_535),
        (text, number) => {
          const host = canonicalHost(`${text}:${number}`)
          expect(host).toBe(new URL(`http://${text}/`).hostname)
          expect(canonicalHost(text.toUpperCase())).toBe(host)
        },
      ),
    )
  })
})
