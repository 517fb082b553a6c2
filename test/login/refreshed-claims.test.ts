/** What a session's claims are worth, and until when, where the provider says less than it could. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSealer } from '../../src/core/sealing.ts'
import { createPeople, PEOPLE, type Person } from '../../src/identity/people.ts'
import { generateKey } from '../../src/index.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createKey, signToken } from '../support/keys.ts'
import type { Grant, RogueHooks } from './rogue-provider.ts'
import { cookieOf, openStall, type Stall, type StallOptions, whoIs } from './stall.ts'

const idTokenOnly: StallOptions = { integration: { jwtSource: 'id_token', audience: 'shop' } }

describe('a session in cookies', () => {
  it.each([true, false])('ends with the ID token that is judged (refresh token: %s)', async (sent) => {
    const stall = await openStall({ ...idTokenOnly, login: { session: 'cookie' } })
    stall.provider.hooks.idToken = (claims) => ({ ...claims, exp: Number(claims.iat) + 300 })
    stall.provider.hooks.answer = ({ refresh_token, ...body }) => ({
      ...body,
      expires_in: 86_400,
      ...(sent && { refresh_token }),
    })
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(295)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    stall.clock.advance(30)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })
})

describe('groups that UserInfo says', () => {
  it.each([true, false])('are lost with the next refresh (with an ID token: %s)', async (again) => {
    const stall = await openStall({
      ...idTokenOnly,
      oauth2: { userInfo: true },
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'admin' } } }],
    })
    let groups = ['admin']
    stall.provider.hooks.userInfo = (claims) => ({ ...claims, name: 'by UserInfo', groups })
    stall.provider.hooks.answer = ({ id_token, ...body }, sent) =>
      sent.has('code') || again ? { ...body, id_token } : body
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(3601)
    const { auth } = JSON.parse((await stall.browser.script(`${stall.origin}/`)).body)
    // What the token says still wins.
    expect(auth.claims).toMatchObject({ groups: ['admin'], name: 'The alice' })
    groups = ['guest']
    stall.clock.advance(3601)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(403)
    groups = ['admin']
    stall.clock.advance(3601)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(200)
  })
})

describe('new tokens that cannot be checked whole', () => {
  const staffOnly: StallOptions['routes'] = [
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'staff' } } },
  ]
  const status = async (stall: Stall) => (await stall.browser.script(`${stall.origin}/`)).status
  const refreshes = (stall: Stall) => stall.provider.count('POST /token') - 1

  it('a token that says that the person has left counts, though UserInfo fails', async () => {
    const stall = await openStall({ oauth2: { userInfo: true }, routes: staffOnly })
    await stall.browser.load(`${stall.origin}/`)
    stall.provider.hooks = {
      accessToken: (claims) => ({ ...claims, groups: ['left'] }),
      userInfo: () => ({ error: 'insufficient_scope' }),
    }
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(403)
    expect(stall.logins).toContainEqual(expect.objectContaining({ kind: 'refresh_failed', reason: 'unchecked' }))
  })

  it.each<[source: string, options: StallOptions]>([
    ['access', {}],
    ['ID', idTokenOnly],
  ])('where UserInfo fails, what it said before counts for as long as the %s token', async (_source, options) => {
    const stall = await openStall({ ...options, oauth2: { userInfo: true } })
    stall.provider.hooks.userInfo = (claims) => ({ ...claims, more: 1 })
    await stall.browser.load(`${stall.origin}/`)
    const short = (claims: Record<string, unknown>) => ({ ...claims, exp: Number(claims.iat) + 600 })
    stall.provider.hooks = {
      accessToken: short,
      idToken: short,
      answer: (body) => ({ ...body, expires_in: 5 * 86_400 }),
      userInfo: () => ({ error: 'insufficient_scope' }),
    }
    stall.clock.advance(3601)
    const { auth } = JSON.parse((await stall.browser.script(`${stall.origin}/`)).body)
    expect(auth.claims).toMatchObject({ more: 1, exp: expect.any(Number) })
    expect(auth.claims.exp * 1000).toBeGreaterThan(stall.clock.now())
    stall.provider.hooks.userInfo = (claims) => ({ ...claims, more: 2 })
    stall.clock.advance(610)
    expect(JSON.parse((await stall.browser.script(`${stall.origin}/`)).body).auth.claims.more).toBe(2)
    expect(refreshes(stall)).toBe(2)
  })

  it('where UserInfo fails and no ID token comes, what was known counts five minutes longer, and nothing is spent for it', async () => {
    const stall = await openStall({ ...idTokenOnly, oauth2: { userInfo: true }, routes: staffOnly })
    let groups = ['staff']
    stall.provider.hooks = {
      userInfo: (claims) => ({ ...claims, groups }),
      answer: ({ id_token, ...body }, sent) => (sent.has('code') ? { ...body, id_token } : body),
    }
    const { userInfo } = stall.provider.hooks
    await stall.browser.load(`${stall.origin}/`)
    stall.provider.hooks.userInfo = () => ({ error: 'insufficient_scope' })
    stall.clock.advance(3595)
    expect(await status(stall)).toBe(200)
    await expect.poll(() => stall.logins.at(-1)?.kind).toBe('refreshed')
    stall.clock.advance(290)
    expect(await status(stall)).toBe(200)
    await expect.poll(() => stall.logins.at(-1)).toMatchObject({ kind: 'refresh_failed', reason: 'failed' })
    expect(refreshes(stall)).toBe(1)
    for (const seconds of [20, 10, 10]) {
      stall.clock.advance(seconds)
      expect(await status(stall)).toBe(503)
    }
    expect(refreshes(stall)).toBe(2)
    stall.provider.hooks.userInfo = userInfo as NonNullable<typeof userInfo>
    stall.clock.advance(60)
    expect(await status(stall)).toBe(200)
    expect(refreshes(stall)).toBe(2)
    groups = ['left']
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(403)
  })

  it('signed with a key that cannot be had: looked at again within five minutes, and then they count', async () => {
    const { stall, keys } = await openWithKeys(staffOnly)
    keys.down = true
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(200)
    keys.down = false
    stall.clock.advance(310)
    expect(await status(stall)).toBe(403)
  })

  it('signed with a key that cannot be had: looked at again, they take back nothing that was said since they came', async () => {
    const key = generateKey()
    const store = memoryStore()
    const { stall, keys } = await openWithKeys(staffOnly, { store, keys: [key] })
    const people = createPeople(sealed(store, [key]), stall.clock)
    const [record] = (await store.scan(PEOPLE)).records
    const before = await people.read(record?.key.owner ?? '')
    keys.down = true
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(200)
    stall.clock.advance(100)
    const since = { ...(before as Person), groups: ['said since'], seenAt: stall.clock.now() }
    await people.write(since)
    keys.down = false
    stall.clock.advance(185)
    await expect.poll(() => status(stall)).toBe(403)
    expect(refreshes(stall)).toBe(1)
    expect(await people.read(since.id)).toEqual(since)
    // What comes anew counts again.
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(403)
    expect(await people.read(since.id)).toMatchObject({ groups: ['left'], seenAt: stall.clock.now() })
  })

  it('signed with a key that cannot be had: nobody gets in for longer than five minutes, or long after the end', async () => {
    const { stall, keys } = await openWithKeys(staffOnly)
    keys.down = true
    stall.clock.advance(5 * 3600)
    expect(await status(stall)).toBe(503)
    for (let minute = 0; minute < 20; minute++) {
      stall.clock.advance(60)
      expect(await status(stall)).toBe(503)
    }
    expect(refreshes(stall)).toBeLessThanOrEqual(5)
    keys.down = false
    stall.clock.advance(600)
    expect(await status(stall)).toBe(403)
    expect(stall.logins.filter(({ kind }) => kind === 'refresh_failed').map(({ reason }) => reason)).not.toContain(
      'reauth_required',
    )
  })
})

describe('an e-mail address and whether it is verified', () => {
  const mine = 'mallory@evil.test'
  const theirs = 'boss@example.com'
  const claimsIn = async (stall: Stall) =>
    JSON.parse((await stall.browser.script(`${stall.origin}/`)).body).auth.claims as Record<string, unknown>
  const options: StallOptions = { oauth2: { userInfo: true } }

  it.each<[what: string, token: object, userInfo: object, email: string, verified: unknown]>([
    ['by UserInfo, of the same address', { email: mine }, { email: mine, email_verified: true }, mine, true],
    ['by UserInfo, of another', { email: theirs }, { email: mine, email_verified: true }, theirs, undefined],
    ['by UserInfo, of none', { email: theirs }, { email_verified: true }, theirs, undefined],
    ['by UserInfo alone', {}, { email: mine, email_verified: true }, mine, true],
    ['by the token', { email: mine, email_verified: true }, { email: theirs, email_verified: false }, mine, true],
    ['by the token, of none', { email_verified: true }, { email: theirs }, theirs, undefined],
    [
      'by the token, of none, denied',
      { email_verified: true },
      { email: theirs, email_verified: false },
      theirs,
      false,
    ],
  ])('at sign-in and with a refresh: %s', async (_what, token, userInfo, email, verified) => {
    const stall = await openStall(options)
    stall.provider.hooks = {
      accessToken: (claims) => ({ ...claims, ...token }),
      userInfo: (claims) => ({ ...claims, ...userInfo }),
    }
    await stall.browser.load(`${stall.origin}/`)
    for (let refreshes = 0; refreshes < 3; refreshes++) {
      if (refreshes === 2) stall.provider.hooks.userInfo = () => ({ error: 'insufficient_scope' })
      const claims = await claimsIn(stall)
      expect([claims.email, claims.email_verified]).toEqual([email, verified])
      stall.clock.advance(3601)
    }
  })

  it.each([true, false])(
    'while UserInfo fails, its word is about the address that it named (the token too: %s)',
    async (too) => {
      const stall = await openStall(options)
      let email: string | undefined = too ? mine : undefined
      stall.provider.hooks = {
        accessToken: (claims) => (email === undefined ? claims : { ...claims, email }),
        userInfo: (claims) => ({ ...claims, email: mine, email_verified: true }),
      }
      await stall.browser.load(`${stall.origin}/`)
      expect(await claimsIn(stall)).toMatchObject({ email: mine, email_verified: true })
      stall.provider.hooks.userInfo = () => ({ error: 'insufficient_scope' })
      stall.clock.advance(3601)
      expect(await claimsIn(stall)).toMatchObject({ email: mine, email_verified: true })
      email = theirs
      stall.clock.advance(3601)
      const claims = await claimsIn(stall)
      expect([claims.email, claims.email_verified]).toEqual([theirs, undefined])
    },
  )
})

/** A session of somebody in `staff`, whose next tokens say `left`, by a key that the provider has begun to use since. */
async function openWithKeys(routes: StallOptions['routes'], login: StallOptions['login'] = {}) {
  const next = await createKey('ES256', 'rogue-2')
  const keys: { down: boolean; all: unknown[] } = { down: false, all: [] }
  const server = createServer((_request, response) => {
    response.writeHead(keys.down ? 500 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: keys.all }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const jwks_uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
  const stall = await openStall({
    ...(routes && { routes }),
    login,
    prepare(provider) {
      keys.all = [provider.key.jwk]
      provider.hooks.metadata = (document) => ({ ...document, jwks_uri })
    },
  })
  await stall.browser.load(`${stall.origin}/`)
  keys.all = [next.jwk]
  const { hooks } = stall.provider
  hooks.accessToken = (claims) => signToken(next, { ...claims, groups: ['left'] })
  hooks.answer = ({ id_token: _, ...body }) => body
  return { stall, keys }
}

describe('a refreshed ID token that does not fit', () => {
  it.each([
    ['azp', 'another'],
    ['at_hash', 'b'.repeat(22)],
  ])('by its %s ends the session and says so, and the refresh token is not sent again', async (claim, value) => {
    const stall = await openStall()
    stall.provider.hooks.idToken = (claims, _grant, refresh) => (refresh ? { ...claims, [claim]: value } : claims)
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(3595)
    await stall.browser.script(`${stall.origin}/`)
    await expect.poll(() => stall.logins.at(-1)).toMatchObject({ reason: 'reauth_required' })
    expect(stall.logins.at(-1)?.detail).toContain(claim)
    stall.clock.advance(60)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    expect(stall.provider.count('POST /token')).toBe(2)
  })
})

describe('the nonce of a refreshed ID token (OpenID Connect Core §12.2)', () => {
  const refreshedWith =
    (nonceOf: (grant: Grant) => unknown): NonNullable<RogueHooks['idToken']> =>
    (claims, grant, refresh) =>
      refresh ? { ...claims, nonce: nonceOf(grant) } : claims
  const either: [what: string, options: StallOptions][] = [
    ['beside the access token that is judged', {}],
    ['as what is judged', idTokenOnly],
  ]

  it.each(either)(
    '%s: one of another sign-in ends the session, also after a refresh without one',
    async (_, options) => {
      const stall = await openStall(options)
      let others: string | undefined
      stall.provider.hooks.idToken = (claims, grant) => {
        others = grant.nonce
        return claims
      }
      await stall.newBrowser().load(`${stall.origin}/`)
      stall.provider.hooks = {}
      await stall.browser.load(`${stall.origin}/`)
      stall.clock.advance(3601)
      expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
      stall.provider.hooks.idToken = refreshedWith(() => others)
      stall.clock.advance(3601)
      expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
      expect(stall.logins.at(-1)).toMatchObject({
        kind: 'refresh_failed',
        reason: 'reauth_required',
        detail: 'the refreshed ID token has the nonce of another sign-in',
      })
      for (const secret of stall.provider.secrets) expect(stall.told()).not.toContain(secret)
    },
  )

  it.each<[what: string, nonceOf: (grant: Grant) => unknown, subject: string | null]>([
    ["the sign-in's own", ({ nonce }) => nonce, 'alice'],
    ['null, as some write what they leave out', () => null, 'alice'],
    ['an empty text, likewise', () => '', 'alice'],
    ['a number', () => 7, null],
    ["a list of the sign-in's own", ({ nonce }) => [nonce], null],
  ])('%s', async (_what, nonceOf, subject) => {
    const stall = await openStall()
    stall.provider.hooks.idToken = refreshedWith(nonceOf)
    await stall.browser.load(`${stall.origin}/`)
    for (let refreshes = 0; refreshes < 2; refreshes++) {
      stall.clock.advance(3601)
      expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(subject)
    }
  })

  it.each(either)('%s: a session of a version that kept none is not ended for it', async (_, options) => {
    const key = generateKey()
    const store = sealed(memoryStore(), [key])
    const stall = await openStall({ ...options, login: { keys: [key], store } })
    stall.provider.hooks.idToken = refreshedWith(() => 'another')
    await stall.browser.load(`${stall.origin}/`)
    const cookie = cookieOf(stall.browser, '127.0.0.1', '.corp').value
    const { plaintext } = await createSealer([key], 'login-session').openText(cookie, `session corp ${stall.origin}`)
    const { owner, id } = JSON.parse(plaintext)
    const place = { space: 'login-sessions', owner, id }
    const found = await store.get(place)
    const record = JSON.parse(Buffer.from(found?.value ?? []).toString('utf8'))
    expect(record.tokens.nonce).toEqual(expect.any(String))
    delete record.tokens.nonce
    const value = Buffer.from(JSON.stringify(record))
    expect(await store.put(place, value, { ifVersion: found?.version ?? null })).not.toBe('conflict')
    stall.clock.advance(3601)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('is not kept in cookies, whose sessions are not refreshed', async () => {
    const key = generateKey()
    const stall = await openStall({ login: { keys: [key], session: 'cookie' } })
    await stall.browser.load(`${stall.origin}/`)
    const { value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const sealer = createSealer([key], 'login-session')
    const { plaintext } = await sealer.openText(value, `cookie session corp ${stall.origin}`)
    expect(JSON.parse(plaintext)).not.toHaveProperty('nonce')
  })
})
