/** Getting somebody signed in as somebody else: login CSRF, session fixation, tickets and cookies that others have planted. */
import { describe, expect, it } from 'vitest'
import type { FormBrowser } from '../support/form-browser.ts'
import {
  callbackOf,
  cookieOf,
  cookiesSet,
  expectBegun,
  openStall,
  type Stall,
  type StallOptions,
  stopBefore,
  whoIs,
} from './stall.ts'

const LOGIN = 'https://login.test'
const PARTNER = 'https://partner.test'
const SPREAD = 'https://one.apps.test'
const hosts: StallOptions = {
  url: LOGIN,
  origins: [PARTNER, SPREAD, 'https://two.apps.test', 'https://deep.one.apps.test'],
  routes: [
    { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { host: '*.apps.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
  ],
}

/** Mallory's own browser, signed in as far as `part`. */
async function mallorys(stall: Stall, url: string, part: string): Promise<{ browser: FormBrowser; link: string }> {
  const browser = stall.newBrowser()
  stall.provider.subject = 'mallory'
  const link = await stopBefore(browser, url, part)
  stall.provider.subject = 'alice'
  return { browser, link }
}

describe('login CSRF: a link of an attacker, opened by somebody else', () => {
  it("the callback of the attacker's sign-in: nobody is signed in by it, and the session that is there stays", async () => {
    const stall = await openStall()
    const { link } = await mallorys(stall, `${stall.origin}/`, '/callback/')
    expectBegun(stall, await stall.browser.load(link, { follow: false }))
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)

    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    // Where the link says that she wanted to go, as herself; no more than a link to there would do.
    const again = await stall.browser.load(link)
    expect([again.url, cookiesSet(again)]).toEqual([`${stall.origin}/`, []])
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(stall.provider.count('POST /token')).toBe(1)
  })

  it('while a sign-in of their own is under way: that one still succeeds', async () => {
    const stall = await openStall()
    const own = await callbackOf(stall.browser, `${stall.origin}/`)
    const { link } = await mallorys(stall, `${stall.origin}/`, '/callback/')
    expectBegun(stall, await stall.browser.load(link, { follow: false }))
    await stall.browser.load(own)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('by a form that another site posts', async () => {
    const stall = await openStall({ url: LOGIN, oauth2: { responseMode: 'form_post' } })
    const mallory = stall.newBrowser()
    stall.provider.subject = 'mallory'
    const { body } = await mallory.load(`${LOGIN}/`)
    const form = Object.fromEntries(
      [...body.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    )
    const headers = { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }
    const url = `${LOGIN}/.sallyport/callback/corp`
    expectBegun(stall, await stall.browser.load(url, { method: 'POST', form, headers, follow: false }))
    expect(await whoIs(stall.browser, `${LOGIN}/`)).toBe(null)
  })
})

describe.each([['store'], ['cookie']] as const)('hand-off tickets of an attacker (sessions in a %s)', (session) => {
  const options: StallOptions = { ...hosts, login: { session } }

  it("in somebody else's browser are worth nothing, whether or not it waits for one", async () => {
    const stall = await openStall(options)
    for (const waiting of [false, true]) {
      const { link } = await mallorys(stall, `${PARTNER}/`, '/hand-off?')
      const victim = stall.newBrowser()
      if (waiting) await victim.load(`${PARTNER}/`, { follow: false })
      const page = await victim.load(link)
      // One that waits begins anew, as herself.
      expect([page.status, cookiesSet(page)]).toEqual([waiting ? 200 : 400, []])
      expect(await whoIs(victim, `${PARTNER}/`)).toBe(waiting ? 'alice' : null)
    }
  })

  it('are worth nothing on another host, the same host with another case or port included', async () => {
    const stall = await openStall(options)
    const { browser, link } = await mallorys(stall, `${SPREAD}/`, '/hand-off?')
    const secret = cookieOf(browser, 'one.apps.test', 'hand-off')
    for (const host of ['two.apps.test', 'partner.test', 'login.test']) {
      browser.setCookie(host, secret.name, secret.value)
      const page = await browser.load(link.replace('one.apps.test', host), { follow: false })
      expect([page.status, cookiesSet(page)]).toEqual([400, []])
    }
  })

  it.each([
    ['no ticket', ''],
    ['an empty one', '?ticket='],
    ['one of 10 KB', `?ticket=${'A'.repeat(10_240)}`],
    ['one of the right shape', `?ticket=${'A'.repeat(43)}`],
    ['a list', '?ticket[]=x&ticket=y&ticket=z'],
    ['a NUL', '?ticket=%00'],
    ['dots', '?ticket=e30.e30.e30.e30'],
    ['a path', '?ticket=../../x'],
  ])('%s', async (_what, query) => {
    const stall = await openStall(options)
    await stall.browser.load(`${PARTNER}/`, { follow: false })
    const page = await stall.browser.load(`${PARTNER}/.sallyport/hand-off${query}`, { follow: false })
    expect([page.status, cookiesSet(page)]).toEqual([400, []])
  })

  it('cut short or changed do not open', async () => {
    const stall = await openStall(options)
    const link = await stopBefore(stall.browser, `${PARTNER}/`, '/hand-off?')
    const ticket = new URL(link).searchParams.get('ticket') ?? ''
    const changed = (at: number) => ticket.slice(0, at) + (ticket[at] === 'A' ? 'B' : 'A') + ticket.slice(at + 1)
    for (const forged of [
      ticket.slice(0, -1),
      ticket.slice(1),
      `${ticket}A`,
      changed(3),
      changed(ticket.length >> 1),
    ]) {
      const url = link.replace(ticket, forged)
      expect((await stall.browser.load(url, { follow: false })).status).toBe(400)
    }
    // It has not been used up by that.
    await stall.browser.load(link)
    expect(await whoIs(stall.browser, `${PARTNER}/`)).toBe('alice')
  })

  it.each(['HEAD', 'POST', 'OPTIONS'])('are not used up by %s', async (method) => {
    const stall = await openStall(options)
    const link = await stopBefore(stall.browser, `${PARTNER}/`, '/hand-off?')
    expect((await stall.browser.load(link, { method, follow: false })).status).toBe(405)
    await stall.browser.load(link)
    expect(await whoIs(stall.browser, `${PARTNER}/`)).toBe('alice')
  })

  it('are late after a minute', async () => {
    const stall = await openStall(options)
    const link = await stopBefore(stall.browser, `${PARTNER}/`, '/hand-off?')
    stall.clock.advance(61)
    expect((await stall.browser.load(link)).status).toBe(400)
    expect(await whoIs(stall.browser, `${PARTNER}/`)).toBe(null)
  })

  it("made for the attacker's browser by somebody who is signed in: the attacker never sees it", async () => {
    const stall = await openStall(options)
    await stall.browser.load(`${LOGIN}/`)
    const mallory = stall.newBrowser()
    const { headers } = await mallory.load(`${PARTNER}/`, { follow: false })
    // Alice opens Mallory's link; her browser carries the ticket to the partner, where it is worth nothing.
    const page = await stall.browser.load(String(headers.location))
    expect(page.url.startsWith(`${PARTNER}/.sallyport/hand-off?ticket=`)).toBe(true)
    expect([page.status, cookiesSet(page)]).toEqual([400, []])
    // And it is used up: who reads it in a log comes too late.
    expect((await mallory.load(page.url, { follow: false })).status).toBe(400)
    expect(await whoIs(mallory, `${PARTNER}/`)).toBe(null)
  })

  it('after the session has ended, are over with it', async () => {
    const stall = await openStall(options)
    await stall.browser.load(`${LOGIN}/`)
    const link = await stopBefore(stall.browser, `${PARTNER}/`, '/hand-off?')
    await stall.browser.load(`${LOGIN}/.sallyport/sign-out`, {
      headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
      follow: false,
    })
    const page = await stall.browser.load(link, { follow: false })
    // A session in a cookie cannot be ended from elsewhere.
    expect(page.status).toBe(session === 'store' ? 400 : 303)
  })
})

describe('planted cookies', () => {
  it('on https every cookie is a __Host- one, which no sibling can set, Secure and out of reach of scripts', async () => {
    const stall = await openStall(hosts)
    const lines: string[] = []
    let next = `${PARTNER}/`
    for (let hop = 0; hop < 10 && next !== ''; hop++) {
      const page = await stall.browser.load(next, { follow: false })
      if (next.startsWith('https:')) lines.push(...[page.headers['set-cookie'] ?? []].flat())
      next = typeof page.headers.location === 'string' ? new URL(page.headers.location, next).href : ''
    }
    expect(lines.length).toBeGreaterThanOrEqual(5)
    for (const line of lines) {
      expect(line).toMatch(/^__Host-sallyport\.[\w.~-]+=/)
      expect(line).toMatch(/; Path=\/;.*; HttpOnly; Secure; SameSite=Lax$/)
      expect(line).not.toMatch(/; *domain/i)
    }
    expect(await whoIs(stall.browser, `${PARTNER}/`)).toBe('alice')
  })

  it.each([
    ['\u00a0__Host-sallyport.corp'],
    ['__host-sallyport.corp'],
    ['__Host-Sallyport.corp'],
    ['__Host-sallyport.corp '],
    ['__Secure-sallyport.corp'],
    ['sallyport.corp'],
    ['sallyport-443.corp'],
  ])('of a name that is nearly ours, %s, are not ours', async (name) => {
    const stall = await openStall(hosts)
    const mallory = stall.newBrowser()
    await mallory.load(`${LOGIN}/`)
    const { value } = cookieOf(mallory, 'login.test', '.corp')
    const { request } = await import('../guard/harness.ts')
    const asked = (cookie: string) => stall.guard.handle(request({ host: 'login.test', headers: { Cookie: cookie } }))
    expect((await asked(`__Host-sallyport.corp=${value}`)).kind).toBe('pass')
    const same = name.endsWith(' ')
    expect((await asked(`${name}=${value}`)).kind).toBe(same ? 'pass' : 'reply')
  })

  it("beside one's own, with another value: neither counts, whichever comes first", async () => {
    const stall = await openStall()
    await stall.browser.load(`${stall.origin}/`)
    const { browser: mallory } = await mallorys(stall, `${stall.origin}/`, '/callback/')
    stall.provider.subject = 'mallory'
    await mallory.load(`${stall.origin}/`)
    const { name, value: own } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const { value: planted } = cookieOf(mallory, '127.0.0.1', '.corp')
    const bare = stall.newBrowser()
    for (const cookie of [
      `${name}=${own}; ${name}=${planted}`,
      `${name}=${planted}; ${name}=${own}`,
      `${name}=${own}; ${name}=`,
      `${name}=; ${name}=${own}`,
      `${name}="${own}"; ${name}=${planted}`,
    ]) {
      expect((await bare.script(`${stall.origin}/`, { headers: { cookie } })).status).toBe(403)
    }
    expect(
      (await bare.script(`${stall.origin}/`, { headers: { cookie: `${name}=${own}; ${name}=${own}` } })).status,
    ).toBe(200)
  })

  it("a transaction beside one's own, of the same name: neither counts, another begins", async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const [own = ''] = stall.browser.cookies('127.0.0.1')
    const name = own.slice(0, own.indexOf('='))
    const bare = stall.newBrowser()
    const page = await bare.load(callback, { headers: { cookie: `${own}; ${name}=planted` }, follow: false })
    expectBegun(stall, page)
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('the session is a new one with every sign-in, whatever was there before', async () => {
    const stall = await openStall()
    const values = new Set<string>()
    for (let index = 0; index < 4; index++) {
      await stall.browser.load(`${stall.origin}/.sallyport/sign-in?integration=corp`)
      values.add(cookieOf(stall.browser, '127.0.0.1', '.corp').value)
    }
    expect(values.size).toBe(4)
    // One that the attacker knows is not taken up.
    const victim = stall.newBrowser()
    const { name } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    victim.setCookie('127.0.0.1', name, 'fixed-by-mallory')
    await victim.load(`${stall.origin}/`)
    expect(cookieOf(victim, '127.0.0.1', '.corp').value).not.toBe('fixed-by-mallory')
  })

  it('an integration may be called what login calls its own cookies', async () => {
    for (const name of ['hand-off', 'sign-in-', 'sign-in-0mf3k2a1bABCDEFGH']) {
      const stall = await openStall({
        ...hosts,
        config: {
          routes: [
            { host: 'partner.test', auth: { type: 'jwt', integration: name, login: true } },
            { path: '/', auth: { type: 'jwt', integration: name, login: true } },
          ],
        },
        named: name,
      })
      await stall.browser.load(`${PARTNER}/`)
      await stall.browser.load(`${LOGIN}/x`, { follow: false })
      await stall.browser.load(`${LOGIN}/.sallyport/sign-in?integration=${name}`, { follow: false })
      expect([await whoIs(stall.browser, `${PARTNER}/`), await whoIs(stall.browser, `${LOGIN}/`)]).toEqual([
        'alice',
        'alice',
      ])
    }
  })
})
