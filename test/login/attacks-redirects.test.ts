/** Sending people elsewhere: what a link names as the way back, and what a request says of its host. */
import { describe, expect, it } from 'vitest'
import type { LoadedPage } from '../support/form-browser.ts'
import { askRaw, type RawAnswer } from '../support/raw-client.ts'
import { openStall, type Stall, type StallOptions, stopBefore, whoIs } from './stall.ts'

const LOGIN = 'https://login.test'
const PARTNER = 'https://partner.test'
const hosts: StallOptions = {
  url: LOGIN,
  origins: [PARTNER, 'https://one.apps.test'],
  routes: [
    { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { host: '*.apps.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { path: '/', auth: { type: 'jwt', integration: ['corp', 'other'], login: true } },
  ],
}
const HOP = 'A'.repeat(43)

/** Those of the corpus in `hostile-return-to.ts` that say the most over the wire, and what only a request can do. */
const HOSTILE = [
  'https://evil.test/',
  '//evil.test/',
  '///evil.test/',
  '/\\evil.test',
  '\\\\evil.test',
  '/\t/evil.test',
  '/%09/evil.test',
  '/%2f/evil.test',
  '/%5cevil.test',
  '/.//evil.test',
  '/x/..//evil.test',
  '/;//evil.test',
  'https:evil.test',
  'https:/evil.test',
  'https://login.test@evil.test/',
  'https://login.test.evil.test/',
  'https://login.test:443@evil.test/',
  'https://evil.test#login.test',
  'https://evil.test\\@login.test/',
  'https://two.deep.apps.test/',
  'https://apps.test/',
  'https://evilapps.test/',
  'https://one.apps.test.evil.test/',
  'https://one.apps.test:8443/',
  'http://login.test/',
  'javascript:alert(1)',
  ' javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  '/x\r\nLocation: https://evil.test/',
  '/x\r\nSet-Cookie: __Host-sallyport.corp=x',
  '/\u2028/evil.test',
  '/\uff0fevil.test',
  `/${'a'.repeat(3_000)}`,
]

const OURS = /^https:\/\/(?:login|partner|one\.apps)\.test\//

/** Every place that a page leads to: its `Location`, links, forms. */
function leadsTo(page: LoadedPage): string[] {
  const links = [...page.body.matchAll(/(?:href|action|src)="([^"]*)"/g)].map(([, url = '']) => url)
  const location = typeof page.headers.location === 'string' ? [page.headers.location] : []
  return [...location, ...links].filter((url) => !url.startsWith('data:image/'))
}

function expectOurs(stall: Stall, page: LoadedPage): void {
  for (const url of leadsTo(page)) {
    if (!url.startsWith(`${stall.provider.issuer}/`)) expect(url).toMatch(OURS)
  }
  expect(page.headers['set-cookie'] ?? []).not.toContain('__Host-sallyport.corp=x')
}

describe('the way back', () => {
  it.each(HOSTILE)('return_to of the sign-in page, all the way round: %j', async (value) => {
    const stall = await openStall(hosts)
    for (const more of ['', `&hop=${HOP}`]) {
      const browser = stall.newBrowser()
      const url = `${LOGIN}/.sallyport/sign-in?integration=corp${more}&return_to=${encodeURIComponent(value)}`
      let next = url
      for (let step = 0; step < 8 && next !== ''; step++) {
        const page = await browser.load(next, { follow: false })
        expectOurs(stall, page)
        expect(page.status).toBeLessThan(400)
        next = typeof page.headers.location === 'string' ? new URL(page.headers.location, next).href : ''
      }
      expect(await whoIs(browser, `${LOGIN}/`)).toBe('alice')
    }
  })

  it.each(HOSTILE)('return_to on the pages that ask, and that say what went wrong: %j', async (value) => {
    const stall = await openStall(hosts)
    const query = `return_to=${encodeURIComponent(value)}`
    const choice = await stall.browser.load(`${LOGIN}/.sallyport/sign-in?${query}`)
    expect(choice.status).toBe(200)
    expectOurs(stall, choice)
    stall.provider.hooks.authorize = (callback) => {
      callback.searchParams.delete('code')
      callback.searchParams.set('error', 'access_denied')
      return callback
    }
    const denied = await stall.browser.load(`${LOGIN}/.sallyport/sign-in?integration=corp&${query}`)
    expect(denied.status).toBe(403)
    expectOurs(stall, denied)
  })

  it.each(['return_to', 'returnTo', 'redirect', 'redirect_uri', 'post_logout_redirect_uri', 'rd', 'next', 'url'])(
    'no other page takes one: %s',
    async (name) => {
      const stall = await openStall(hosts)
      await stall.browser.load(`${LOGIN}/?integration=corp`, { follow: false })
      await stall.browser.load(`${LOGIN}/.sallyport/sign-in?integration=corp`)
      const evil = `${name}=${encodeURIComponent('https://evil.test/')}`
      for (const path of ['sign-out', 'signed-out', 'hand-off', 'callback/corp', 'nothing']) {
        expectOurs(stall, await stall.browser.load(`${LOGIN}/.sallyport/${path}?${evil}`, { follow: false }))
      }
      const page = await stall.browser.load(`${LOGIN}/.sallyport/sign-out?${evil}`, {
        headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
        follow: false,
      })
      const to = new URL(String(page.headers.location))
      expect(to.origin).toBe(stall.provider.issuer)
      expect(to.searchParams.get('post_logout_redirect_uri')).toBe(`${LOGIN}/.sallyport/signed-out`)
    },
  )

  it('twice: the first counts, for whoever checks and whoever goes', async () => {
    const stall = await openStall(hosts)
    const url = `${LOGIN}/.sallyport/sign-in?integration=corp&return_to=/fine&return_to=${encodeURIComponent('https://evil.test/')}`
    expect((await stall.browser.load(url)).url).toBe(`${LOGIN}/fine`)
  })

  it.each(HOSTILE.filter((value) => /^[\x21-\x7e]+$/.test(value) && value.startsWith('/')))(
    'the address that was asked for: %s',
    async (target) => {
      const stall = await openStall(hosts)
      const answer = await raw(stall, target, 'login.test')
      expect([302, 400]).toContain(answer.status)
      if (answer.status === 302) expect(answer.headers.location).toMatch(OURS)
    },
  )

  it('an absolute target names our own host, or gets nothing', async () => {
    const stall = await openStall(hosts)
    for (const [target, host, status] of [
      ['http://evil.test/', 'login.test', 400],
      ['http://login.test/', 'evil.test', 400],
      ['http://evil.test/.sallyport/sign-in?integration=corp', 'login.test', 400],
      ['http://login.test@evil.test/', 'login.test', 400],
      ['http://login.test/', 'login.test', 302],
    ] as const) {
      const answer = await raw(stall, target, host)
      expect(answer.status, target).toBe(status)
      if (status === 302) expect(answer.headers.location).toMatch(OURS)
    }
  })
})

describe('afterSignOut', () => {
  it.each(['https://evil.test/', '//evil.test/'])('that is not ours is no configuration: %s', async (afterSignOut) => {
    await expect(openStall({ ...hosts, login: { afterSignOut } })).rejects.toThrow(/login\.afterSignOut/)
  })

  it.each([
    ['/bye', `${LOGIN}/bye`],
    [`${PARTNER}/bye`, `${PARTNER}/bye`],
  ])('of %s leads to %s', async (afterSignOut, expected) => {
    const stall = await openStall({ ...hosts, login: { afterSignOut, signOut: 'local' } })
    await stall.browser.load(`${LOGIN}/.sallyport/sign-in?integration=corp`)
    const page = await stall.browser.load(`${LOGIN}/.sallyport/sign-out`, {
      headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
      follow: false,
    })
    expect(page.headers.location).toBe(expected)
    const after = await stall.browser.load(`${LOGIN}/.sallyport/signed-out`, { follow: false })
    expect(after.headers.location).toBe(expected)
  })

  it('of the page that goes there itself does not turn in circles', async () => {
    for (const afterSignOut of ['/.sallyport/signed-out', `${LOGIN}/.sallyport/signed-out?x`, '/.sallyport/sign-out']) {
      const stall = await openStall({ ...hosts, login: { afterSignOut, signOut: 'local' } })
      const page = await stall.browser.load(`${LOGIN}/.sallyport/signed-out`)
      expect([page.status, page.body.includes('signed out') || page.body.includes('Sign out')]).toEqual([200, true])
    }
  })
})

describe('the host that a request names', () => {
  const strangers = [
    'evil.test',
    'evil.test:443',
    'login.test.evil.test',
    'apps.test',
    'a.b.apps.test',
    'login.test:8443',
    'LOGIN.TEST',
    'login.test.',
    '127.0.0.1',
    '[::1]',
    '',
  ]

  it.each(strangers)('%j: every way leads to our own origins, and to the configured callback', async (host) => {
    const stall = await openStall(hosts)
    for (const target of [
      '/',
      '/.sallyport/sign-in?integration=corp',
      '/.sallyport/sign-out',
      '/.sallyport/signed-out',
      '/.sallyport/hand-off?ticket=x',
    ]) {
      const answer = await raw(stall, target, host)
      expect(answer.status).not.toBe(500)
      const page = { body: answer.text(), headers: answer.headers } as unknown as LoadedPage
      for (const url of leadsTo(page)) {
        if (url.startsWith(`${stall.provider.issuer}/`)) {
          expect(new URL(url).searchParams.get('redirect_uri')).toBe(`${LOGIN}/.sallyport/callback/corp`)
        } else expect(url).toMatch(OURS)
      }
    }
  })

  it.each([
    'login.test/evil',
    'login.test@evil.test',
    'login.test evil.test',
    'login.test,evil.test',
    'evil.test#login.test',
    'ev\u00efl.test',
    // To a newer URL parser (Node 24) a name like any other.
    ...['xn--.test'].filter((host) => !URL.canParse(`http://${host}/`)),
    '%6cogin.test',
    '*.apps.test',
  ])('%j is none', async (host) => {
    const stall = await openStall(hosts)
    expect((await raw(stall, '/', host)).status).toBe(400)
  })

  it('two of them are none', async () => {
    const stall = await openStall(hosts)
    const headers: [string, string][] = [...navigation, ['Host', 'login.test'], ['Host', 'evil.test']]
    expect((await askRaw(stall.port, { headers })).status).toBe(400)
  })

  it.each([
    'x-forwarded-host',
    'x-host',
    'x-original-host',
    'forwarded',
    'x-forwarded-server',
    'x-original-url',
    'x-rewrite-url',
    'x-forwarded-proto',
  ])('%s is not believed of just anybody', async (name) => {
    const stall = await openStall(hosts)
    const value =
      name === 'forwarded'
        ? 'host=evil.test;proto=http'
        : /url/.test(name)
          ? '/open'
          : name.endsWith('proto')
            ? 'http'
            : 'evil.test'
    const plain = await raw(stall, '/', 'partner.test')
    const forged = await raw(stall, '/', 'partner.test', [[name, value]])
    const strip = (url = '') => url.replace(/hop=[\w-]+/, '')
    expect([forged.status, strip(forged.headers.location)]).toEqual([302, strip(plain.headers.location)])
  })

  it('a trusted proxy that is made to say a foreign host gets no ticket for it either', async () => {
    const stall = await openStall({ ...hosts, config: { trustProxy: ['loopback'] } })
    await stall.browser.load(`${LOGIN}/.sallyport/sign-in?integration=corp`)
    const answer = await raw(stall, '/', 'partner.test', [['x-forwarded-host', 'evil.test']])
    expect(answer.headers.location?.startsWith(`${LOGIN}/.sallyport/sign-in?`)).toBe(true)
    expect(answer.headers.location).not.toMatch(/evil|hop=/)
  })

  it('a session of one host is none on another that the same server answers for', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${PARTNER}/`)
    const cookie = stall.browser.cookies('partner.test').join('; ')
    expect((await raw(stall, '/', 'partner.test', [['cookie', cookie]])).status).toBe(200)
    for (const host of ['login.test', 'one.apps.test', 'evil.test', '127.0.0.1', '']) {
      const answer = await raw(stall, '/', host, [['cookie', cookie]])
      expect(answer.status, host).not.toBe(200)
    }
  })

  it('a ticket goes to the host that it is for, whatever the request for it said', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/.sallyport/sign-in?integration=corp`)
    const cookie = stall.browser.cookies('login.test').join('; ')
    const query = `integration=corp&hop=${HOP}&return_to=${encodeURIComponent(`${PARTNER}/x`)}`
    for (const host of ['login.test', 'evil.test', 'partner.test', 'one.apps.test']) {
      const answer = await raw(stall, `/.sallyport/sign-in?${query}`, host, [['cookie', cookie]])
      const { origin } = new URL(answer.headers.location ?? '')
      expect([PARTNER, LOGIN, stall.provider.issuer]).toContain(origin)
    }
  })

  it('a callback, and a sign-in page, on another of our hosts lead nowhere bad, and the person can go on', async () => {
    const stall = await openStall(hosts)
    const callback = await stopBefore(stall.browser, `${PARTNER}/deep`, '/callback/')
    const moved = callback.replace(LOGIN, PARTNER)
    expect((await stall.browser.load(moved)).status).toBe(400)
    expect((await stall.browser.load(callback)).url).toBe(`${PARTNER}/deep`)
    expect(await whoIs(stall.browser, `${PARTNER}/`)).toBe('alice')
    const page = await stall.newBrowser().load(`${PARTNER}/.sallyport/sign-in?integration=corp&return_to=/deep`)
    expect([page.url, page.status]).toEqual([`${PARTNER}/deep`, 200])
  })
})

const navigation: [string, string][] = [
  ['Accept', 'text/html'],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-Dest', 'document'],
]

function raw(stall: Stall, target: string, host: string, headers: [string, string][] = []): Promise<RawAnswer> {
  return askRaw(stall.port, { target, headers: [['Host', host], ...navigation, ...headers] })
}
