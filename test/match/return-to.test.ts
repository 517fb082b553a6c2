/** Where a person may be sent after sign-in or sign-out. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type HostPattern, parseHostPattern } from '../../src/match/host-pattern.ts'
import { returnOrigins, safeReturnTo } from '../../src/match/return-to.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { BASE, HOSTILE, PIECES, wayOut } from './hostile-return-to.ts'

const patterns = (...hosts: string[]) => hosts.map((host) => parseHostPattern(host) as HostPattern)
const ORIGINS = returnOrigins(BASE, patterns('*.apps.example.com', 'intranet.example.com/wiki', 'orders_db'))
const go = (value: string | undefined, base = BASE) => safeReturnTo(value, base, ORIGINS)

/** Why `value` is answered wrongly, if it is. */
function mistake(value: string, check: (value: string) => string | undefined = go): string | undefined {
  const location = check(value)
  if (location === undefined) return undefined
  if (!URL.canParse(location)) return `${JSON.stringify(value)} gives ${location}: no URL`
  const { origin } = new URL(location)
  const problem = ORIGINS.has(origin) ? wayOut(location, origin) : `the origin ${origin}`
  return problem && `${JSON.stringify(value)} gives ${location}: ${problem}`
}
const mistakes = (values: readonly string[], check: (value: string) => string | undefined = go) =>
  values.flatMap((value) => mistake(value, check) ?? [])

const PATHS = [
  ...[
    '/',
    '/orders',
    '/orders/',
    '/orders/42',
    '/a/b/c/d/e',
    '/index.html',
    '/.well-known/x',
    '/~user/',
    '/a.b/c-d_e',
    '/x//y',
    '/x//',
    '/x/',
  ],
  ...[
    '/caf%C3%A9',
    '/%E6%97%A5%E6%9C%AC',
    '/%F0%9F%98%80/x',
    '/%d7%a9%d7%9c%d7%95%d7%9d',
    '/%D9%85%D8%B1',
    '/a%20b',
    '/100%25',
    '/a%2Fb',
    '/a%252Fb',
    '/a%252525b',
  ],
  ...[
    '/a+b',
    '/a,b;c=d',
    '/@user',
    '/@scope/package',
    '/x@y',
    '/a:b',
    '/x:80',
    '/%40user',
    "/it's",
    '/(a)',
    '/!$&*+,;=:@',
    '/a%3Fb',
    '/a%23b',
    '/...',
    '/..x',
  ],
  ...[
    '/o/%5B1%5D',
    '/[1]',
    '/a%5Cb',
    '/jobs;v=1/2',
    '/a%3Bb',
    '/0',
    '/-',
    '/_',
    '/*',
    '/%E2%82%AC',
    '/caf%E9',
    '/x%20/y',
    '/https://other.example/x',
  ],
]
const TAILS = [
  ...[
    '',
    '?',
    '#',
    '?x=1',
    '?x=1&y=2',
    '?next=https://other.example/',
    '?next=//other.example',
    '?next=%2F%2Fother.example',
    '?q=a+b%20c',
  ],
  ...[
    '?q=%E2%9C%93',
    '?text=a%0D%0Ab',
    '?a[]=1&a[]=2',
    '?a%5B%5D=1',
    '?q=100%25',
    '?q=%',
    '?q={x|y}^`',
    '?x=1?y=2',
    '?/../..//x',
    '?@',
    '?:443',
  ],
  ...[
    '#top',
    '#/route/42?x=1',
    '#!/route',
    '#//x',
    '#a=b&c=d',
    '?x=1#top',
    '?x#y#z',
    '#%C3%A9',
    '#access?x',
    '?token=a.b-c_d~e',
    '?d=2025-01-01T00:00:00Z',
  ],
]

describe('A8 where a person may be sent', () => {
  it.each(PATHS)('%s is kept, with any query and fragment', (path) => {
    for (const value of TAILS.map((tail) => path + tail)) {
      expect(go(value)).toBe(BASE + value)
      for (const origin of [BASE, 'https://a.apps.example.com', 'https://intranet.example.com', 'https://orders_db']) {
        expect(go(origin + value)).toBe(origin + value)
      }
    }
  })

  it('is absolute: a path is on the origin of the request', () => {
    expect(go('/x', 'https://a.apps.example.com')).toBe('https://a.apps.example.com/x')
    expect(go('/x', 'https://intranet.example.com')).toBe('https://intranet.example.com/x')
  })

  it.each([
    ['https://app.example.com', 'https://app.example.com/'],
    ['https://app.example.com?x', 'https://app.example.com/?x'],
    ['https://app.example.com#x', 'https://app.example.com/#x'],
    ['https://app.example.com:443/x', 'https://app.example.com/x'],
    ['/x/../y', 'https://app.example.com/y'],
    ['/x/./%2e%2e/y', 'https://app.example.com/y'],
    ['/"<>?"<>', 'https://app.example.com/%22%3C%3E?%22%3C%3E'],
  ])('is in normal form: %s', (value, location) => {
    expect(go(value)).toBe(location)
  })

  it('is nowhere for a request that is not to one of ours itself', () => {
    for (const base of ['https://evil.example', 'http://app.example.com', 'https://app.example.com.', 'null', '']) {
      expect(go('/x', base)).toBeUndefined()
    }
    expect(go('https://app.example.com/x', 'https://evil.example')).toBe('https://app.example.com/x')
    expect(safeReturnTo('/x', BASE, new Set())).toBeUndefined()
  })

  it('is nowhere when nothing is asked for', () => {
    expect(go(undefined)).toBeUndefined()
    expect(go('')).toBeUndefined()
  })

  it('has at most 2,048 characters', () => {
    const longest = `/${'x'.repeat(2048 - BASE.length - 1)}`
    expect(go(longest)).toBe(BASE + longest)
    expect(go(BASE + longest)).toBe(BASE + longest)
    expect(go(`${longest}x`)).toBeUndefined()
    expect(go(`${BASE}${longest}x`)).toBeUndefined()
  })

  it('works on plain http with a port, and on addresses', () => {
    for (const own of ['http://localhost:3000', 'http://127.0.0.1:8080', 'http://[::1]:3000', 'http://[2001:db8::1]']) {
      const origins = returnOrigins(own, [])
      expect(safeReturnTo('/x', own, origins)).toBe(`${own}/x`)
      expect(safeReturnTo(`${own}/x?y`, own, origins)).toBe(`${own}/x?y`)
      expect(safeReturnTo(`${own}0/x`, own, origins)).toBeUndefined()
      expect(safeReturnTo(own.replace('http', 'https'), own, origins)).toBeUndefined()
    }
  })
})

describe('A8 a hostile returnTo', () => {
  it('comes in many forms', () => {
    const values = HOSTILE.flatMap((family) => family.values)
    expect(new Set(values).size).toBeGreaterThan(1500)
  })

  it.each(HOSTILE)('leads nowhere else: $name', ({ outcome, values }) => {
    expect(mistakes(values)).toEqual([])
    if (outcome === 'refused') expect(values.filter((value) => go(value) !== undefined)).toEqual([])
  })

  it('does so behind another of our origins, too', () => {
    for (const base of ['https://a.apps.example.com', 'https://orders_db']) {
      expect(
        mistakes(
          HOSTILE.flatMap(({ values }) => values),
          (value) => go(value, base),
        ),
      ).toEqual([])
    }
  })

  it.each<[string, (value: string) => string | undefined]>([
    ['nothing', (value) => (URL.canParse(value, BASE) ? new URL(value, BASE).href : undefined)],
    ['the first character', (value) => (value.startsWith('/') ? new URL(BASE).origin + value : undefined)],
    [
      'the first two characters',
      (value) => (/^\/(?!\/)/.test(value) && URL.canParse(value, BASE) ? new URL(value, BASE).href : undefined),
    ],
    ['the beginning', (value) => (value.startsWith(BASE) ? value : undefined)],
    [
      'WHATWG URL alone',
      (value) =>
        URL.canParse(value, BASE) && new URL(value, BASE).origin === BASE ? new URL(value, BASE).href : undefined,
    ],
    ['a pattern alone', (value) => (/^\/(?![/\\])[\x21-\x7e]*$/.test(value) ? BASE + value : undefined)],
  ])('gets past a check of %s, so these tests have teeth', (_, check) => {
    expect(HOSTILE.flatMap(({ values }) => mistakes(values, check)).length).toBeGreaterThan(30)
  })

  it('leads nowhere else, whatever it is put together from', () => {
    const value = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...PIECES) }, fc.string()), {
      maxLength: 14,
    })
    const front = fc.constantFrom('', '/', '/x/', `${BASE}/`, 'https://a.apps.example.com/x')
    fc.assert(
      fc.property(front, value, (start, pieces) => {
        const hostile = start + pieces.join('')
        expect(mistake(hostile)).toBeUndefined()
        const location = go(hostile)
        if (location !== undefined) expect(go(location)).toBe(location)
      }),
      { numRuns: 10_000 },
    )
  })

  it('is kept when it is an honest deep link', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((part) => !/[\p{Cc}/\\]/u.test(part))
    const tail = fc.oneof(fc.stringMatching(/^[\w~!$&'()*+,;=:@.-]{0,12}$/), text.map(encodeURIComponent))
    const honest = fc.tuple(fc.stringMatching(/^[\w~-]$/), tail).map((parts) => parts.join(''))
    const rest = fc.stringMatching(/^[\w/?:@!$&()*+,;=.~%-]{0,40}$/)
    fc.assert(
      fc.property(fc.array(honest, { minLength: 1, maxLength: 6 }), rest, rest, (segments, query, fragment) => {
        const value = `/${segments.join('/')}?${query}#${fragment}`
        expect(go(value)).toBe(BASE + value)
      }),
      { numRuns: 2000 },
    )
  })

  it('is judged in no time', () => {
    const ms = cpuMs(() => {
      for (const piece of ['%25', '%2f', '/', '/..', 'a.', '%ef%b7%ba', ';', '%', 'https:', '.']) {
        for (const front of ['', '/', '/x', 'https://', BASE]) {
          const value = front + piece.repeat(2048)
          go(value)
          go(value.slice(0, 2048))
        }
      }
    })
    expect(ms).toBeLessThan(1000)
  })
})

describe('A8 our own origins', () => {
  const origins = returnOrigins(
    'https://login.example.com:8443',
    patterns(
      'app.example.com',
      'api.example.com:3000/v1',
      '*.apps.example.com',
      '*.dev.example.com:9000',
      '[::1]',
      '10.0.0.1',
    ),
  )

  it.each([
    'https://login.example.com:8443',
    'https://app.example.com:8443',
    'https://api.example.com:8443',
    'https://a.apps.example.com:8443',
    'https://orders-ml-8080.apps.example.com:8443',
    'https://x_y.dev.example.com:8443',
    'https://[::1]:8443',
    'https://10.0.0.1:8443',
  ])('%s is one', (origin) => {
    expect(origins.has(origin)).toBe(true)
  })

  it.each([
    'https://login.example.com',
    'https://app.example.com',
    'http://app.example.com:8443',
    'https://api.example.com:3000',
    'https://a.dev.example.com:9000',
    'https://apps.example.com:8443',
    'https://.apps.example.com:8443',
    'https://a.b.apps.example.com:8443',
    'https://*.apps.example.com:84430',
    'https://evilapps.example.com:8443',
    'https://a.apps.example.com:8443.evil.example',
    'https://a.apps.example.com',
    'https://x.login.example.com:8443',
    'https://x.app.example.com:8443',
    'https://evil.example:8443',
    'http://xapp.example.com:8443',
    'https://evil.example',
    'app.example.com:8443',
    'null',
    '',
  ])('%s is none', (origin) => {
    expect(origins.has(origin)).toBe(false)
  })

  it('takes the default port for none', () => {
    expect(returnOrigins('https://app.example.com:443', []).has('https://app.example.com')).toBe(true)
    expect(returnOrigins('http://app.example.com:80/', patterns('*.x.example')).has('http://a.x.example')).toBe(true)
  })

  it('a wildcard stands for one label of any name, and only for one', () => {
    const wildcard = returnOrigins(BASE, patterns('*.apps.example.com'))
    const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/)
    fc.assert(
      fc.property(fc.array(label, { maxLength: 4 }), (labels) => {
        const origin = `https://${[...labels, 'apps.example.com'].join('.')}`
        expect(wildcard.has(origin)).toBe(labels.length === 1)
      }),
    )
  })
})
