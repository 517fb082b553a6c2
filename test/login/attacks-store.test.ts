/** The token store away, at any moment of a journey: 503 or what needs no store, never a pass that was not there, never 500. */
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { createSealer } from '../../src/core/sealing.ts'
import { generateKey, type TokenStore } from '../../src/index.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { hiccup, operatedStore } from '../../src/testing/failing-store.ts'
import {
  callbackOf,
  cookieOf,
  cookiesSet,
  openStall,
  type Stall,
  type StallOptions,
  stopBefore,
  whoIs,
} from './stall.ts'

const click = { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' }
const LOGIN = 'https://login.test'
const PARTNER = 'https://partner.test'
const spread: StallOptions = {
  url: LOGIN,
  origins: [PARTNER],
  routes: [
    { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
  ],
}

/** A store that can be taken away, and counts what changes it. */
function switchable(inner: TokenStore = memoryStore()) {
  const state = { down: false, operations: 0 }
  const store = operatedStore(inner, (_turn, operation) => {
    state.operations++
    return state.down ? Promise.reject(new StoreError('the store is away')) : operation()
  })
  return { store, state }
}

async function openWithStore(
  options: StallOptions = {},
): Promise<{ stall: Stall; state: { down: boolean; operations: number } }> {
  const { store, state } = switchable()
  const stall = await openStall({ ...options, login: { ...options.login, store } })
  return { stall, state }
}

describe('the store is away', () => {
  it('at the start of a sign-in: nobody notices, since nothing is kept there', async () => {
    const { stall, state } = await openWithStore()
    state.down = true
    const page = await stall.browser.load(`${stall.origin}/`, { follow: false })
    expect([page.status, state.operations]).toEqual([302, 0])
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(403)
  })

  it('at the callback: a page with 503, and no session; then it can be tried again', async () => {
    const { stall, state } = await openWithStore()
    const callback = await callbackOf(stall.browser, `${stall.origin}/deep`)
    state.down = true
    const page = await stall.browser.load(callback, { follow: false })
    expect([page.status, page.headers['retry-after'] !== undefined, cookiesSet(page)]).toEqual([503, true, []])
    expect(stall.logins.at(-1)).toMatchObject({ kind: 'failed', reason: 'unavailable' })
    state.down = false
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    const retry = /href="([^"]*sign-in[^"]*)"/.exec(page.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
    expect((await stall.browser.load(retry)).url).toBe(`${stall.origin}/deep`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('at a request with a session: 503, as a page or a status, and the session is there afterwards', async () => {
    const { stall, state } = await openWithStore()
    await stall.browser.load(await callbackOf(stall.browser, `${stall.origin}/`), { follow: false })
    state.down = true
    const script = await stall.browser.script(`${stall.origin}/`)
    expect([script.status, script.headers['retry-after'] !== undefined]).toEqual([503, true])
    const page = await stall.browser.load(`${stall.origin}/`, { follow: false })
    expect([page.status, page.headers['content-type']]).toEqual([503, 'text/html; charset=utf-8'])
    const form = await stall.browser.load(`${stall.origin}/`, { method: 'POST', headers: { origin: stall.origin } })
    expect(form.status).toBe(503)
    expect([script, page, form].flatMap(cookiesSet)).toEqual([])
    await expect(stall.guard.identify(await asked(stall))).rejects.toThrow(/cannot be had/)
    state.down = false
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('at a request with a forged cookie: as ever', async () => {
    const { stall, state } = await openWithStore()
    state.down = true
    const cookie = `sallyport-${stall.port}.corp=forged`
    expect((await stall.browser.script(`${stall.origin}/`, { headers: { cookie } })).status).toBe(403)
    expect(state.operations).toBe(0)
  })

  it('at the sign-out: it says so, and leaves the cookie, with which it can be tried again', async () => {
    const { stall, state } = await openWithStore({ login: { signOut: 'local' } })
    await stall.browser.load(`${stall.origin}/`)
    state.down = true
    const asks = await stall.browser.load(`${stall.origin}/.sallyport/sign-out`)
    expect([200, 503]).toContain(asks.status)
    const page = await stall.browser.load(`${stall.origin}/.sallyport/sign-out`, { headers: click, follow: false })
    expect([page.status, page.headers['set-cookie']]).toEqual([503, undefined])
    state.down = false
    await stall.browser.load(`${stall.origin}/.sallyport/sign-out`, { headers: click })
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })

  it('at the back channel: 503, so that the provider comes again', async () => {
    const { stall, state } = await openWithStore()
    await stall.browser.load(`${stall.origin}/`)
    state.down = true
    const form = { logout_token: await stall.provider.logoutToken({ sub: 'alice' }) }
    const url = `${stall.origin}/.sallyport/back-channel/corp`
    const answer = await stall.newBrowser().load(url, { method: 'POST', form })
    expect([answer.status, answer.headers['retry-after'] !== undefined]).toEqual([503, true])
    state.down = false
    expect((await stall.newBrowser().load(url, { method: 'POST', form })).status).toBe(200)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })

  it('at either end of a hand-off: 503', async () => {
    const { stall, state } = await openWithStore(spread)
    const callback = await callbackOf(stall.browser, `${PARTNER}/`)
    state.down = true
    expect((await stall.browser.load(callback, { follow: false })).status).toBe(503)
    state.down = false
    const ticket = await stopBefore(stall.browser, `${PARTNER}/`, '/hand-off?')
    state.down = true
    expect((await stall.browser.load(ticket, { follow: false })).status).toBe(503)
    // With a session at the login's origin that cannot be looked up, too.
    const wanting = await stall.browser.load(`${PARTNER}/`, { follow: false })
    const page = await stall.browser.load(String(wanting.headers.location), { follow: false })
    expect([302, 503]).toContain(page.status)
    state.down = false
    await stall.browser.load(ticket, { follow: false })
    expect(await whoIs(stall.browser, `${PARTNER}/`)).toBe('alice')
  })

  it('during a refresh: 503 once the token is over, and no second redemption of what was redeemed', async () => {
    const { stall, state } = await openWithStore()
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(3601)
    state.down = true
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(503)
    expect(stall.provider.count('POST /token')).toBe(1)
    state.down = false
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(stall.provider.count('POST /token')).toBe(2)
  })
})

describe.each([['before'], ['after']] as const)('one operation of the store fails, %s it is done', (when) => {
  it('wherever that is in a sign-in, a visit and a sign-out', async () => {
    const seen = new Map<number, number>()
    for (let failing = 0; failing < 60; failing++) {
      let turns = 0
      const counted = operatedStore(memoryStore(), (_turn, operation) => {
        turns++
        return operation()
      })
      const stall = await openStall({ ...spread, login: { store: hiccup(counted, failing, when), signOut: 'local' } })
      const statuses: number[] = []
      const visit = async (url: string, headers: Record<string, string> = {}) => {
        let next = url
        for (let hop = 0; hop < 10 && next !== ''; hop++) {
          const page = await stall.browser.load(next, { headers, follow: false })
          statuses.push(page.status)
          if (page.status === 200 && !next.includes('.sallyport') && next.startsWith('https:')) {
            expect(JSON.parse(page.body).auth.subject).toBe('alice')
          }
          next = typeof page.headers.location === 'string' ? new URL(page.headers.location, next).href : ''
        }
      }
      await visit(`${PARTNER}/`)
      await visit(`${PARTNER}/`)
      await visit(`${PARTNER}/.sallyport/sign-out`, click)
      await visit(`${PARTNER}/.sallyport/sign-out`, click)
      expect([200, 302, 303, 400, 403, 503], `operation ${failing}`).toEqual(
        expect.arrayContaining([...new Set(statuses)]),
      )
      expect(await whoIs(stall.browser, `${PARTNER}/`), `operation ${failing}`).toBe(null)
      for (const status of statuses) seen.set(status, (seen.get(status) ?? 0) + 1)
      if (turns <= failing) break
    }
    expect(seen.get(503)).toBeGreaterThan(5)
  })
})

describe('a record that does not open', () => {
  const spoil = async (store: TokenStore, space: string) => {
    const [record] = (await store.scan(space)).records
    if (record === undefined) throw new Error(`nothing in ${space}`)
    await store.put(record.key, Buffer.from('spoilt'), { ifVersion: record.version })
  }

  it.each<[space: string, refresh: boolean, names: Record<string, unknown>]>([
    ['login-sessions', false, { sub: 'alice' }],
    ['login-sessions', false, { sid: 'same' }],
    ['login-sessions', false, { sub: 'alice', sid: 'same' }],
    ['login-provider-sessions', false, { sub: 'alice' }],
    ['login-provider-sessions', false, { sid: 'same' }],
    ['login-sessions', true, { sid: 'same' }],
    ['login-provider-sessions', true, { sid: 'same' }],
  ])('in %s (sid with a refresh: %s) keeps no session from ending from afar: %j', async (space, refresh, names) => {
    const inner = memoryStore()
    const stall = await openStall({ login: { store: inner } })
    const spoilt = stall.newBrowser()
    const phone = stall.newBrowser()
    const bobs = stall.newBrowser()
    stall.provider.hooks.idToken = ({ sid: _, ...claims }, grant, again) =>
      again || !refresh ? { ...claims, sid: grant.subject === 'bob' ? 'another' : 'same' } : claims
    const browsers = [spoilt, phone]
    for (const browser of browsers) await browser.load(`${stall.origin}/`)
    stall.provider.subject = 'bob'
    if (refresh) {
      stall.clock.advance(3601)
      for (const browser of browsers) expect(await whoIs(browser, `${stall.origin}/`)).toBe('alice')
    }
    await spoil(inner, space)
    await bobs.load(`${stall.origin}/`)
    const form = { logout_token: await stall.provider.logoutToken(names) }
    const url = `${stall.origin}/.sallyport/back-channel/corp`
    expect((await stall.newBrowser().load(url, { method: 'POST', form })).status).toBe(200)
    for (const browser of browsers) expect(await whoIs(browser, `${stall.origin}/`)).toBe(null)
    expect(await whoIs(bobs, `${stall.origin}/`)).toBe('bob')
    const owners = (await inner.scan('login-sessions')).records.map(({ value }) => Buffer.from(value).toString('utf8'))
    expect(owners).not.toContain('spoilt')
  })

  it('of what has ended of late lets nobody in whom it is about, and everybody who comes later', async () => {
    const inner = memoryStore()
    const stall = await openStall({ login: { store: inner } })
    stall.provider.hooks.idToken = async (claims) => {
      const form = { logout_token: await stall.provider.logoutToken({ sub: 'alice' }) }
      await stall.newBrowser().load(`${stall.origin}/.sallyport/back-channel/corp`, { method: 'POST', form })
      await spoil(inner, 'login-ended')
      return claims
    }
    const page = await stall.browser.load(`${stall.origin}/`)
    expect([page.status, stall.logins.at(-1)?.reason]).toEqual([400, 'expired'])
    stall.provider.hooks = {}
    stall.clock.advance(10)
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})

describe('the keys of the store', () => {
  it('are others than it was written with: 503 wherever it is needed, and the operator reads why', async () => {
    const inner = memoryStore()
    const old = sealed(inner, [generateKey()])
    await old.put({ space: 'login-sessions', owner: 'x', id: 'x' }, Buffer.from('{}'), { ifVersion: null })
    const stall = await openStall({ login: { store: inner, signOut: 'local' } })
    await expect(stall.guard.ready()).rejects.toThrow(/not configured/)
    const page = await stall.browser.load(`${stall.origin}/`, { follow: true })
    expect([page.status, page.url.includes('/callback/')]).toEqual([503, true])
    const ticket = await stall.browser.load(`${stall.origin}/.sallyport/hand-off?ticket=${'A'.repeat(43)}`)
    expect([400, 503]).toContain(ticket.status)
    const form = { logout_token: await stall.provider.logoutToken({ sub: 'alice' }) }
    const ended = await stall.browser.load(`${stall.origin}/.sallyport/back-channel/corp`, { method: 'POST', form })
    expect(ended.status).toBe(503)
    expect(stall.told()).toContain('not configured')
  })

  it('do not open one record: 503 for its session alone, which can be signed out and begun anew', async () => {
    const [key, inner] = [generateKey(), memoryStore()]
    const stall = await openStall({ login: { keys: [key], store: inner, signOut: 'local' } })
    await stall.browser.load(`${stall.origin}/`)
    const { value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const { plaintext } = await createSealer([key], 'login-session').openText(value, `session corp ${stall.origin}`)
    const { owner, id } = JSON.parse(plaintext)
    // Somebody with access to the database has copied the row of another person over it.
    const bob = stall.newBrowser()
    stall.provider.subject = 'bob'
    await bob.load(`${stall.origin}/`)
    const bobs = JSON.parse(
      (
        await createSealer([key], 'login-session').openText(
          cookieOf(bob, '127.0.0.1', '.corp').value,
          `session corp ${stall.origin}`,
        )
      ).plaintext,
    )
    const record = await inner.get({ space: 'login-sessions', owner: bobs.owner, id: bobs.id })
    const place = { space: 'login-sessions', owner, id }
    const before = await inner.get(place)
    await inner.put(place, record?.value ?? new Uint8Array(), { ifVersion: before?.version ?? null })
    const { request } = await import('../guard/harness.ts')
    const { createGuard } = await import('../../src/index.ts')
    // Another process, which has not read it yet.
    const guard = createGuard({
      clock: stall.clock,
      login: { url: stall.origin, keys: [key], store: inner, signOut: 'local' },
      integrations: {
        corp: { issuer: stall.provider.issuer, audience: 'https://orders.example.com', oauth2: { clientId: 'shop' } },
      },
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
    })
    const host = new URL(stall.origin).host
    const headers = { Cookie: stall.browser.cookies('127.0.0.1').join('; ') }
    expect(await guard.handle(request({ host, headers }))).toMatchObject({ kind: 'reply', reply: { status: 503 } })
    const target = '/.sallyport/sign-out'
    const form = await guard.handle(request({ host, target, headers }))
    expect(form).toMatchObject({ kind: 'reply', reply: { status: 200, body: expect.stringContaining('csrf_token') } })
    // But for what is random, where `bob` comes by chance.
    const told = JSON.stringify(form).replaceAll(/[\w.-]{22,}/g, '')
    expect(told).not.toMatch(/alice|bob/i)
    const out = await guard.handle(
      request({
        host,
        target,
        headers: { ...headers, ...click, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      }),
    )
    expect(out).toMatchObject({ kind: 'reply', reply: { status: 303 } })
    expect(await guard.handle(request({ host, headers }))).toMatchObject({ kind: 'reply', reply: { status: 403 } })
    expect(await whoIs(bob, `${stall.origin}/`)).toBe('bob')
    await guard.close()
  })
})

/** A request with the browser's cookies, as an adapter makes it. */
async function asked(stall: Stall) {
  const { request } = await import('../guard/harness.ts')
  return request({
    host: new URL(stall.origin).host,
    headers: { Cookie: stall.browser.cookies('127.0.0.1').join('; ') },
  })
}
