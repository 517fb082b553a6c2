/** Back-channel sign-out with tokens that are none, or of others: nobody is signed out by them (Back-Channel Logout 1.0 §2.6). */
import { describe, expect, it } from 'vitest'
import { createKey, forge, signToken } from '../support/keys.ts'
import { LOGOUT_EVENT, type RogueHooks, type RogueProvider } from './rogue-provider.ts'
import { callbackOf, openStall, type Stall, type StallOptions, whoIs } from './stall.ts'

type Claims = Record<string, unknown>

async function send(stall: Stall, token: string, integration = 'corp'): Promise<number> {
  const url = `${stall.origin}/.sallyport/back-channel/${integration}`
  const { status } = await stall
    .newBrowser()
    .load(url, { method: 'POST', form: { logout_token: token }, follow: false })
  return status
}

/** The `sid` of the browser's session, by its ID token. */
async function signedIn(stall: Stall, subject = 'alice', browser = stall.browser): Promise<string> {
  let sid = ''
  stall.provider.subject = subject
  stall.provider.hooks.idToken = (claims) => {
    sid = String(claims.sid)
    return claims
  }
  await browser.load(`${stall.origin}/`)
  expect(await whoIs(browser, `${stall.origin}/`)).toBe(subject)
  return sid
}

const sidBy =
  (first: string | undefined, then: string): NonNullable<RogueHooks['idToken']> =>
  ({ sid: _, ...claims }, _grant, refresh) => {
    const sid = refresh ? then : first
    return sid === undefined ? claims : { ...claims, sid }
  }

describe('a logout token', () => {
  it('as it should be ends the session that it names, and no other', async () => {
    const stall = await openStall()
    const bobs = stall.newBrowser()
    const phone = stall.newBrowser()
    await signedIn(stall, 'bob', bobs)
    await signedIn(stall, 'alice', phone)
    const sid = await signedIn(stall)
    expect(await send(stall, await stall.provider.logoutToken({ sub: 'alice', sid }))).toBe(200)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    expect(await whoIs(phone, `${stall.origin}/`)).toBe('alice')
    expect(await send(stall, await stall.provider.logoutToken({ sub: 'alice' }))).toBe(200)
    expect(await whoIs(phone, `${stall.origin}/`)).toBe(null)
    expect(await whoIs(bobs, `${stall.origin}/`)).toBe('bob')
  })

  it('by sid alone ends the later one of two sessions that got the same sid with a refresh, however long ago the first did', async () => {
    const stall = await openStall()
    stall.provider.hooks.idToken = sidBy(undefined, 'same')
    const days = async (browser: Stall['browser'], count: number) => {
      for (let half = 0; half < 2 * count; half++) {
        stall.clock.advance(12 * 3600)
        expect(await whoIs(browser, `${stall.origin}/`)).toBe('alice')
      }
    }
    await stall.browser.load(`${stall.origin}/`)
    await days(stall.browser, 6)
    const phone = stall.newBrowser()
    await phone.load(`${stall.origin}/`)
    await days(phone, 2)
    expect(await send(stall, await stall.provider.logoutToken({ sid: 'same' }))).toBe(200)
    expect(await whoIs(phone, `${stall.origin}/`)).toBe(null)
  })

  it.each<[what: string, options: StallOptions, idToken: RogueHooks['idToken'], names: Claims]>([
    ['without an ID token (no openid)', { oauth2: { scopes: ['orders:read'] } }, undefined, { sub: 'alice', sid: 'x' }],
    ['whose ID token has no sid', {}, ({ sid: _, ...claims }) => claims, { sub: 'alice', sid: 'x' }],
    ['that got another sid with a refresh', {}, sidBy('old', 'new'), { sub: 'alice', sid: 'new' }],
    ['that got another sid with a refresh, by sid alone', {}, sidBy('old', 'new'), { sid: 'new' }],
    ['that got its sid with a refresh', {}, sidBy(undefined, 'new'), { sub: 'alice', sid: 'new' }],
    ['that got its sid with a refresh, by sid alone', {}, sidBy(undefined, 'new'), { sid: 'new' }],
  ])('ends a session %s', async (_what, options, idToken, names) => {
    const stall = await openStall(options)
    const phone = stall.newBrowser()
    if (options.oauth2 === undefined) await signedIn(stall, 'alice', phone)
    const bobs = stall.newBrowser()
    stall.provider.subject = 'bob'
    await bobs.load(`${stall.origin}/`)
    stall.provider.subject = 'alice'
    if (idToken !== undefined) stall.provider.hooks.idToken = idToken
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(3601)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    // The phone's has a name of its own, and keeps it.
    delete stall.provider.hooks.idToken
    if (options.oauth2 === undefined) expect(await whoIs(phone, `${stall.origin}/`)).toBe('alice')
    expect(await send(stall, await stall.provider.logoutToken(names))).toBe(200)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    expect(await whoIs(bobs, `${stall.origin}/`)).toBe('bob')
    if (options.oauth2 === undefined) expect(await whoIs(phone, `${stall.origin}/`)).toBe('alice')
    expect(stall.logins).toContainEqual(expect.objectContaining({ kind: 'ended', detail: '1 session' }))
  })

  const wrongs: [
    what: string,
    make: (provider: RogueProvider, claims: Claims, stall: Stall) => Promise<string> | string,
  ][] = [
    ['with a nonce', (provider, claims) => provider.logoutToken({ ...claims, nonce: 'x' })],
    ['with a nonce that is null', (provider, claims) => provider.logoutToken({ ...claims, nonce: null })],
    ['without events', (provider, claims) => provider.logoutToken({ ...claims, events: undefined })],
    ['with other events', (provider, claims) => provider.logoutToken({ ...claims, events: { 'https://x.test': {} } })],
    ['with a list of events', (provider, claims) => provider.logoutToken({ ...claims, events: [LOGOUT_EVENT] })],
    ['with a text for events', (provider, claims) => provider.logoutToken({ ...claims, events: LOGOUT_EVENT })],
    ['with events that are null', (provider, claims) => provider.logoutToken({ ...claims, events: null })],
    ['for another client', (provider, claims) => provider.logoutToken({ ...claims, aud: 'another-client' })],
    ['for the API', (provider, claims) => provider.logoutToken({ ...claims, aud: 'https://orders.example.com' })],
    ['for nobody', (provider, claims) => provider.logoutToken({ ...claims, aud: undefined })],
    ['of another issuer', (provider, claims) => provider.logoutToken({ ...claims, iss: 'https://evil.test' })],
    [
      'made ten minutes ago',
      (provider, claims, { clock }) =>
        provider.logoutToken({ ...claims, iat: clock.now() / 1000 - 600, exp: clock.now() / 1000 + 600 }),
    ],
    [
      'made in an hour',
      (provider, claims, { clock }) =>
        provider.logoutToken({ ...claims, iat: clock.now() / 1000 + 3600, exp: clock.now() / 1000 + 7200 }),
    ],
    ['without the time it was made', (provider, claims) => provider.logoutToken({ ...claims, iat: undefined })],
    ['with a text for the time it was made', (provider, claims) => provider.logoutToken({ ...claims, iat: 'now' })],
    ['expired', (provider, claims, { clock }) => provider.logoutToken({ ...claims, exp: clock.now() / 1000 - 60 })],
    ['without an end', (provider, claims) => provider.logoutToken({ ...claims, exp: undefined })],
    ['that names nobody', (provider) => provider.logoutToken({})],
    ['that names an empty text', (provider) => provider.logoutToken({ sub: '', sid: '' })],
    ['that names no texts', (provider) => provider.logoutToken({ sub: 1, sid: ['x'] })],
    ['of a type for something else', (provider, claims) => provider.logoutToken(claims, { typ: 'at+jwt' })],
    ['of the type of ID tokens', (provider, claims) => provider.logoutToken(claims, { typ: 'id+jwt' })],
    [
      'unsigned',
      (provider, claims) =>
        forge(
          { alg: 'none', typ: 'logout+jwt' },
          { iss: provider.issuer, aud: 'shop', events: { [LOGOUT_EVENT]: {} }, ...claims },
          '',
        ),
    ],
    [
      'of an unknown key',
      async (provider, claims) => provider.logoutToken(claims, {}, await createKey('ES256', 'other')),
    ],
    [
      "of a stranger, under the key's name",
      async (provider, claims) => provider.logoutToken(claims, {}, await createKey('ES256', 'rogue-1')),
    ],
    ['of the other provider', (_provider, claims, { other }) => other.logoutToken(claims)],
    [
      'of the other provider, for its client',
      (_provider, claims, { other }) => other.logoutToken({ ...claims, aud: 'shop-at-other' }),
    ],
    [
      "of the other provider under our provider's name",
      (provider, claims, { other }) => other.logoutToken({ ...claims, iss: provider.issuer }),
    ],
    [
      'of 60 KB',
      (provider, claims) =>
        provider.logoutToken({ ...claims, more: 'x'.repeat(45_000) }).then((token) => token.slice(0, -1)),
    ],
  ]

  it.each(wrongs)('%s', async (_what, make) => {
    const stall = await openStall()
    const sid = await signedIn(stall)
    const token = await make(stall.provider, { sub: 'alice', sid }, stall)
    expect(await send(stall, token)).toBe(400)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(stall.told()).not.toContain(token)
    expect(stall.logins.at(-1)).toMatchObject({ kind: 'failed', reason: 'invalid' })
  })

  it('an ID token or an access token in its place', async () => {
    const stall = await openStall()
    await signedIn(stall)
    const tokens = [...stall.provider.secrets].filter((secret) => secret.startsWith('eyJ'))
    expect(tokens.length).toBe(2)
    for (const token of tokens) expect(await send(stall, token)).toBe(400)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('and the other way round, it is no bearer token, no ID token and no session', async () => {
    const stall = await openStall()
    const token = await stall.provider.logoutToken({ sub: 'alice', aud: 'https://orders.example.com' }, { typ: 'JWT' })
    const answer = await stall.browser.load(`${stall.origin}/`, { headers: { authorization: `Bearer ${token}` } })
    expect(answer.status).toBe(401)
    stall.provider.hooks.idToken = (claims) =>
      signToken(stall.provider.key, { ...claims, events: { [LOGOUT_EVENT]: {} } })
    expect((await stall.browser.load(`${stall.origin}/`)).status).toBe(502)
  })

  it('at the back channel of another integration', async () => {
    const stall = await openStall()
    const sid = await signedIn(stall)
    const token = await stall.provider.logoutToken({ sub: 'alice', sid })
    expect(await send(stall, token, 'other')).toBe(400)
    expect(await send(stall, token, 'nobody')).toBe(404)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('of a sid that another provider has given out under the same name', async () => {
    const stall = await openStall()
    const sid = await signedIn(stall)
    const token = await stall.other.logoutToken({ sub: 'alice', sid, aud: 'shop-at-other' })
    expect(await send(stall, token, 'other')).toBe(200)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it.each<[what: string, options: StallOptions]>([
    [
      'where ID tokens are judged for several audiences',
      { integration: { jwtSource: 'id_token', audience: ['shop', 'another-client'] } },
    ],
    ['where ID tokens are judged for any audience', { integration: { jwtSource: 'id_token', audience: null } }],
    [
      'where another claim has the audience',
      { integration: { jwtSource: 'id_token', audience: 'x', audienceClaim: 'client' } },
    ],
  ])('for another client of the same provider, %s', async (_what, options) => {
    const stall = await openStall(options)
    stall.provider.hooks.idToken = (claims) => ({ ...claims, client: 'x' })
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    const token = await stall.provider.logoutToken({ sub: 'alice', aud: 'another-client', client: 'x' })
    expect(await send(stall, token)).toBe(400)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(await send(stall, await stall.provider.logoutToken({ sub: 'alice' }))).toBe(200)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })

  it('caught and sent again does not end the sessions that began since', async () => {
    const stall = await openStall()
    await signedIn(stall)
    const token = await stall.provider.logoutToken({ sub: 'alice' })
    expect(await send(stall, token)).toBe(200)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    stall.clock.advance(30)
    await stall.browser.load(`${stall.origin}/`)
    // A provider that has not heard our answer sends it again, and that is no error.
    expect(await send(stall, token)).toBe(200)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('that comes while the person is signing in: the session that begins with a code of that time is none', async () => {
    const stall = await openStall()
    let sid = ''
    stall.provider.hooks.idToken = async (claims) => {
      sid = String(claims.sid)
      // The provider has made the tokens and not sent them yet.
      expect(await send(stall, await stall.provider.logoutToken({ sub: 'alice', sid }))).toBe(200)
      return claims
    }
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    await stall.browser.load(callback, { follow: false })
    expect(sid).not.toBe('')
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    // Somebody who signs in afterwards gets in.
    stall.provider.hooks = {}
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})

describe('the place for logout tokens', () => {
  it.each(['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])('%s is no way to send one', async (method) => {
    const stall = await openStall()
    const sid = await signedIn(stall)
    const token = await stall.provider.logoutToken({ sub: 'alice', sid })
    const url = `${stall.origin}/.sallyport/back-channel/corp?logout_token=${token}`
    const { status, headers } = await stall.browser.load(url, {
      method,
      form: method === 'PUT' ? { logout_token: token } : undefined,
    } as never)
    expect([status, headers.allow]).toEqual([405, 'POST'])
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('a token in the query of a POST, or two of them, is none', async () => {
    const stall = await openStall()
    const sid = await signedIn(stall)
    const token = await stall.provider.logoutToken({ sub: 'alice', sid })
    const url = `${stall.origin}/.sallyport/back-channel/corp`
    expect((await stall.browser.load(`${url}?logout_token=${token}`, { method: 'POST', form: {} })).status).toBe(400)
    const form = new URLSearchParams([
      ['logout_token', token],
      ['logout_token', 'nonsense'],
    ])
    expect((await stall.browser.load(url, { method: 'POST', form })).status).toBe(400)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('there is none for sessions in cookies', async () => {
    const stall = await openStall({ login: { session: 'cookie' } })
    expect(await send(stall, 'x')).toBe(404)
  })

  it('a page of another site can post there, and gets nothing from it', async () => {
    const stall = await openStall()
    await signedIn(stall)
    const page = await stall.browser.load(`${stall.origin}/.sallyport/back-channel/corp`, {
      method: 'POST',
      form: { logout_token: 'x' },
      headers: { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
    })
    expect(page.status).toBe(400)
    expect(page.headers['access-control-allow-origin']).toBe(undefined)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})
