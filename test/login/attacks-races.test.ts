/** Things that happen at the same moment: callbacks, refreshes, sign-outs; and answers that come when nobody waits any more. */
import { describe, expect, it } from 'vitest'
import { connectRaw } from '../support/raw-client.ts'
import {
  callbackOf,
  cookieOf,
  expectBegun,
  openStall,
  type Stall,
  type StallOptions,
  stopBefore,
  whoIs,
} from './stall.ts'

const click = { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' }

/** Holds the token endpoint's answers to refreshes back, until it is told. */
function gate(stall: Stall, only: 'code' | 'refresh_token' = 'refresh_token') {
  const arrivals: (() => void)[] = []
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  stall.provider.hooks.token = async (sent) => {
    if (!sent.has(only)) return false
    for (const arrived of arrivals.splice(0)) arrived()
    await opened
    return false
  }
  return { open, arrival: () => new Promise<void>((resolve) => arrivals.push(resolve)) }
}

/** Resolves with the next event of `kind`. */
function next(stall: Stall, kind: string): Promise<{ reason: string | null }> {
  return new Promise((resolve) => {
    const stop = stall.guard.on('login', (event) => {
      if (event.kind !== kind) return
      stop()
      resolve(event)
    })
  })
}

describe('two callbacks with the same code and state at once', () => {
  /** As RFC 6749 §4.1.2 asks: who redeems a code twice loses all that came of it. */
  const strict = (stall: Stall) => {
    const redeemed = new Map<string, number>()
    const revoked = { grant: false }
    stall.provider.hooks.token = (sent, response) => {
      const code = sent.get('code') ?? ''
      if (sent.has('code')) redeemed.set(code, (redeemed.get(code) ?? 0) + 1)
      if ((redeemed.get(code) ?? 0) > 1) revoked.grant = true
      if (!revoked.grant || (sent.has('code') && redeemed.get(code) === 1)) return false
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}')
      return true
    }
    return revoked
  }

  it.each([2, 10])(
    '%i of them, by an impatient click: signed in, and the provider has seen the code once',
    async (count) => {
      const stall = await openStall()
      const revoked = strict(stall)
      const callback = await callbackOf(stall.browser, `${stall.origin}/deep`)
      const pages = await Promise.all(
        Array.from({ length: count }, () => stall.browser.load(callback, { follow: false })),
      )
      expect(pages.map(({ status, headers }) => [status, headers.location])).toEqual(
        Array(count).fill([303, `${stall.origin}/deep`]),
      )
      expect(stall.provider.count('POST /token')).toBe(1)
      expect(revoked.grant).toBe(false)
      expect(stall.logins.filter(({ kind }) => kind === 'signed_in').length).toBe(1)
      stall.clock.advance(3601)
      expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    },
  )

  it('of which one is another browser with nothing but the address: it gets a sign-in of its own', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const thief = stall.newBrowser()
    const [own, other] = await Promise.all([
      stall.browser.load(callback, { follow: false }),
      thief.load(callback, { follow: false }),
    ])
    expect(own.status).toBe(303)
    expectBegun(stall, other)
    expect(await whoIs(thief, `${stall.origin}/`)).toBe(null)
  })

  it('of which one has another code: each is an answer of its own', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const [good, forged] = await Promise.all([
      stall.browser.load(callback, { follow: false }),
      stall.newBrowser().load(callback.replace(/code=[^&]+/, 'code=forged'), {
        headers: { cookie: stall.browser.cookies('127.0.0.1').join('; ') },
        follow: false,
      }),
    ])
    expect([good.status, forged.status]).toEqual([303, 502])
  })

  it('when the provider fails, fail together and can be tried again', async () => {
    const stall = await openStall()
    stall.provider.hooks.token = (_sent, response) => {
      response.writeHead(500).end()
      return true
    }
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const pages = await Promise.all([1, 2].map(() => stall.browser.load(callback, { follow: false })))
    expect(pages.map(({ status }) => status)).toEqual([503, 503])
    stall.provider.hooks = {}
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('a ticket that is brought twice at once is good once', async () => {
    for (const session of ['store', 'cookie'] as const) {
      const stall = await openStall({
        url: 'https://login.test',
        origins: ['https://partner.test'],
        login: { session },
        routes: [
          { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
          { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
        ],
      })
      const link = await stopBefore(stall.browser, 'https://partner.test/', '/hand-off?')
      const pages = await Promise.all(Array.from({ length: 5 }, () => stall.browser.load(link, { follow: false })))
      expect(pages.map(({ status }) => status).sort()).toEqual([303, 400, 400, 400, 400])
    }
  })
})

describe('a refresh', () => {
  it('is made once for fifty requests with an expired token', async () => {
    const stall = await openStall()
    await stall.browser.load(`${stall.origin}/`)
    const before = stall.provider.count('POST /token')
    stall.clock.advance(3601)
    const answers = await Promise.all(Array.from({ length: 50 }, () => stall.browser.script(`${stall.origin}/`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(stall.provider.count('POST /token')).toBe(before + 1)
  })

  it('under way while the person signs out does not bring the session back', async () => {
    const stall = await openStall({ login: { signOut: 'local' } })
    await stall.browser.load(`${stall.origin}/`)
    const { name, value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const held = gate(stall)
    stall.clock.advance(3590)
    // Still good, so it is refreshed behind the request's back.
    const arrived = held.arrival()
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    await arrived
    const out = await stall.browser.load(`${stall.origin}/.sallyport/sign-out`, { headers: click, follow: false })
    expect(out.status).toBe(303)
    const late = next(stall, 'refresh_failed')
    held.open()
    expect(await late).toMatchObject({ reason: 'revoked_late' })
    const thief = stall.newBrowser()
    thief.setCookie('127.0.0.1', name, value)
    expect(await whoIs(thief, `${stall.origin}/`)).toBe(null)
    stall.clock.advance(60)
    expect(await whoIs(thief, `${stall.origin}/`)).toBe(null)
    // What was redeemed in between went back to the provider, and so did what was there before.
    expect(stall.provider.count('POST /revoke')).toBe(2)
  })

  it('of an expired token that hangs does not hold up the sign-out, and is over for those who wait for it', async () => {
    const stall = await openStall({ login: { signOut: 'local' } })
    await stall.browser.load(`${stall.origin}/`)
    const { name, value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const held = gate(stall)
    stall.clock.advance(3601)
    const arrived = held.arrival()
    const waiting = stall.browser.script(`${stall.origin}/`)
    await arrived
    const out = await stall.browser.load(`${stall.origin}/.sallyport/sign-out`, { headers: click, follow: false })
    expect([out.status, stall.logins.at(-1)?.kind]).toEqual([303, 'signed_out'])
    held.open()
    expect((await waiting).status).toBe(403)
    const thief = stall.newBrowser()
    thief.setCookie('127.0.0.1', name, value)
    expect(await whoIs(thief, `${stall.origin}/`)).toBe(null)
  })

  it('is not made for somebody who signs out', async () => {
    const stall = await openStall({ login: { signOut: 'local' } })
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(3601)
    await stall.browser.load(`${stall.origin}/.sallyport/sign-out`, { headers: click, follow: false })
    expect(stall.provider.count('POST /token')).toBe(1)
    expect(stall.logins.at(-1)).toMatchObject({ kind: 'signed_out', subject: 'alice' })
  })

  it('under way while the provider ends the session does not bring it back', async () => {
    const stall = await openStall()
    let sid = ''
    stall.provider.hooks.idToken = (claims) => {
      sid = String(claims.sid)
      return claims
    }
    await stall.browser.load(`${stall.origin}/`)
    const held = gate(stall)
    stall.clock.advance(3601)
    const arrived = held.arrival()
    const waiting = stall.browser.script(`${stall.origin}/`)
    await arrived
    const form = { logout_token: await stall.provider.logoutToken({ sub: 'alice', sid }) }
    const ended = await stall
      .newBrowser()
      .load(`${stall.origin}/.sallyport/back-channel/corp`, { method: 'POST', form })
    expect([ended.status, stall.logins.at(-1)]).toEqual([
      200,
      expect.objectContaining({ kind: 'ended', detail: '1 session' }),
    ])
    held.open()
    expect((await waiting).status).toBe(403)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })

  it('that the browser has not waited for is there for its next request', async () => {
    const stall = await openStall()
    await stall.browser.load(`${stall.origin}/`)
    const held = gate(stall)
    stall.clock.advance(3601)
    const arrived = held.arrival()
    const connection = await connectRaw(stall.port)
    connection.send({
      headers: { Host: `127.0.0.1:${stall.port}`, Cookie: stall.browser.cookies('127.0.0.1').join('; ') },
    })
    await arrived
    connection.socket.resetAndDestroy()
    const refreshed = next(stall, 'refreshed')
    held.open()
    await refreshed
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(stall.provider.count('POST /token')).toBe(2)
  })
})

describe('a provider that answers when nobody listens any more', () => {
  /** Passes requests for tokens on and gives up at once, for as long as `impatient` is set. */
  function impatience(): { options: StallOptions; given: { up: boolean }; answered: Promise<unknown>[] } {
    const given = { up: false }
    const answered: Promise<unknown>[] = []
    const fetch = (url: string, init: RequestInit) => {
      if (!given.up || !url.endsWith('/token')) return globalThis.fetch(url, init)
      const { signal: _, ...rest } = init
      answered.push(globalThis.fetch(url, rest).then((response) => response.text()))
      return Promise.reject(new DOMException('The operation timed out', 'TimeoutError'))
    }
    return { options: { config: { fetch } }, given, answered }
  }

  it('to a code: no session, a page that says so, and the next try succeeds', async () => {
    const { options, given, answered } = impatience()
    const stall = await openStall(options)
    given.up = true
    const page = await stall.browser.load(`${stall.origin}/deep`)
    expect(page.status).toBe(503)
    await Promise.all(answered)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    given.up = false
    // The code is spent.
    expectBegun(stall, await stall.browser.load(page.url, { follow: false }))
    const retry = /href="([^"]*sign-in[^"]*)"/.exec(page.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
    expect((await stall.browser.load(retry)).url).toBe(`${stall.origin}/deep`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('to a refresh, whose token is thereby spent: no pass with the old one, and a page load signs in again', async () => {
    const { options, given, answered } = impatience()
    const stall = await openStall(options)
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(3601)
    given.up = true
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(503)
    await Promise.all(answered)
    given.up = false
    stall.clock.advance(600)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(403)
    const page = await stall.browser.load(`${stall.origin}/deep`)
    expect([page.status, page.url]).toEqual([200, `${stall.origin}/deep`])
  })

  it('a browser that hangs up during its callback harms nobody', async () => {
    const stall = await openStall()
    const callback = new URL(await callbackOf(stall.browser, `${stall.origin}/`))
    const held = gate(stall, 'code')
    const arrived = held.arrival()
    const connection = await connectRaw(stall.port)
    connection.send({
      target: callback.pathname + callback.search,
      headers: { Host: callback.host, Cookie: stall.browser.cookies('127.0.0.1').join('; ') },
    })
    await arrived
    connection.socket.resetAndDestroy()
    const done = next(stall, 'signed_in')
    held.open()
    await done
    // The cookie never arrived.
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    stall.provider.hooks = {}
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})

describe('people at the same time', () => {
  it('twenty browsers sign in at once, and each is who it is', async () => {
    const stall = await openStall()
    const browsers = Array.from({ length: 20 }, () => stall.newBrowser())
    const callbacks: string[] = []
    for (const [index, browser] of browsers.entries()) {
      stall.provider.subject = `person-${index}`
      callbacks.push(await callbackOf(browser, `${stall.origin}/`))
    }
    await Promise.all(browsers.map((browser, index) => browser.load(callbacks[index] ?? '')))
    const seen = await Promise.all(browsers.map((browser) => whoIs(browser, `${stall.origin}/`)))
    expect(seen).toEqual(browsers.map((_, index) => `person-${index}`))
  })

  it('two sign-outs at once are one, and no error', async () => {
    const stall = await openStall({ login: { signOut: 'local' } })
    await stall.browser.load(`${stall.origin}/`)
    const cookie = stall.browser.cookies('127.0.0.1').join('; ')
    const pages = await Promise.all(
      [1, 2, 3].map(() =>
        stall
          .newBrowser()
          .load(`${stall.origin}/.sallyport/sign-out`, { headers: { ...click, cookie }, follow: false }),
      ),
    )
    expect(pages.map(({ status }) => status)).toEqual([303, 303, 303])
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })
})
