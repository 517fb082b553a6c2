/** Tokens that a provider, or whoever sits in for it, should not have sent: at sign-in, with a refresh, by userinfo. */
import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createKey, forge, signToken } from '../support/keys.ts'
import { API, type Grant, LOGOUT_EVENT, type RogueHooks } from './rogue-provider.ts'
import { CLIENT_SECRET, cookiesSet, openStall, type Stall, type StallOptions, whoIs } from './stall.ts'

type Claims = Record<string, unknown>

const hs256 = (claims: Claims, secret: string, header: Claims = {}): string => {
  const input = forge({ alg: 'HS256', typ: 'JWT', ...header }, claims).replace(/\.[^.]*$/, '')
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Signs in with tokens as `hooks` have them, and expects that nothing comes of it but a page. */
async function expectNoSession(hooks: RogueHooks, options: StallOptions = {}): Promise<Stall> {
  const stall = await openStall(options)
  stall.provider.hooks = { ...stall.provider.hooks, ...hooks }
  const page = await stall.browser.load(`${stall.origin}/`)
  expect([400, 502, 503]).toContain(page.status)
  expect(page.url).toContain('/callback/corp')
  expect(cookiesSet(page)).toEqual([])
  expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  expect(stall.logins.at(-1)?.kind).toBe('failed')
  for (const secret of stall.provider.secrets) expect(stall.told()).not.toContain(secret)
  return stall
}

const strangers = createKey('ES256', 'rogue-1')

/** What is wrong with a token that names its client or API in `aud`. */
const wrongs: [what: string, wrong: (claims: Claims, stall: () => Stall) => Claims | string | Promise<string>][] = [
  ['of another issuer', (claims) => ({ ...claims, iss: 'https://evil.test' })],
  ['of its issuer with a slash more', (claims) => ({ ...claims, iss: `${claims.iss}/` })],
  ['without an issuer', ({ iss: _, ...claims }) => claims],
  ['with a list of issuers', (claims) => ({ ...claims, iss: [claims.iss] })],
  ['for another audience', (claims) => ({ ...claims, aud: 'another-client' })],
  ['for nobody', ({ aud: _, ...claims }) => claims],
  ['for a list of others', (claims) => ({ ...claims, aud: ['a', 'b'] })],
  ['for an audience in which ours is a part', (claims) => ({ ...claims, aud: `${claims.aud}, x` })],
  ['expired', (claims) => ({ ...claims, exp: Number(claims.iat) - 60 })],
  ['without an end', ({ exp: _, ...claims }) => claims],
  ['with a text for its end', (claims) => ({ ...claims, exp: String(claims.exp) })],
  ['not valid yet', (claims) => ({ ...claims, nbf: Number(claims.iat) + 600 })],
  ['without a subject', ({ sub: _, ...claims }) => claims],
  ['with an empty subject', (claims) => ({ ...claims, sub: '' })],
  ['with a number for a subject', (claims) => ({ ...claims, sub: 42 })],
  ['unsigned', (claims) => forge({ alg: 'none', typ: 'JWT' }, claims, '')],
  ['unsigned, in capitals', (claims) => forge({ alg: 'NONE', typ: 'JWT' }, claims, '')],
  ['signed with the client secret', (claims) => hs256(claims, CLIENT_SECRET)],
  ['signed by an unknown key', async (claims) => signToken(await createKey('ES256', 'unknown'), claims)],
  ["signed by somebody else under the key's name", async (claims) => signToken(await strangers, claims)],
  [
    'that points to its own keys',
    async (claims) => {
      const key = await strangers
      return signToken(key, claims, { jwk: key.jwk, jku: 'http://127.0.0.1:1/jwks', kid: undefined })
    },
  ],
  ['of a type for something else', async (claims) => signToken(await strangers, claims, { typ: 'secevent+jwt' })],
  ['that is none', () => 'nonsense'],
  ['that is empty', () => ''],
  ['that is a JSON of claims', (claims) => JSON.stringify(claims)],
  ['that is a logout token', (claims) => ({ ...claims, events: { [LOGOUT_EVENT]: {} } })],
]

describe('the ID token', () => {
  const idTokenOnly: StallOptions = { integration: { jwtSource: 'id_token', audience: 'shop' } }

  describe.each([
    ['beside the access token that is judged', {}],
    ['as what is judged', idTokenOnly],
  ] as const)('%s', (_where, options: StallOptions) => {
    it.each(wrongs)('%s', async (_what, wrong) => {
      let opened: Stall | undefined
      const stall = await expectNoSession({ idToken: (claims) => wrong(claims, () => opened as Stall) }, options)
      opened = stall
    })

    it.each<[what: string, change: (claims: Claims, grant: Grant) => Claims]>([
      ['without a nonce', ({ nonce: _, ...claims }) => claims],
      ['with another nonce', (claims) => ({ ...claims, nonce: 'another' })],
      ['with a longer nonce', (claims) => ({ ...claims, nonce: `${claims.nonce}x` })],
      ['with a list of nonces', (claims) => ({ ...claims, nonce: [claims.nonce] })],
      ['presented to another client', (claims) => ({ ...claims, azp: 'another-client' })],
      ['for several audiences, presented to another', (claims) => ({ ...claims, aud: [claims.aud, 'x'], azp: 'x' })],
      ['for several audiences, presented to nobody', (claims) => ({ ...claims, aud: [claims.aud, 'x'] })],
      ['with the at_hash of another access token', (claims) => ({ ...claims, at_hash: 'b'.repeat(22) })],
      ['with an at_hash that is cut short', (claims) => ({ ...claims, at_hash: '' })],
      ['with an at_hash that is a number', (claims) => ({ ...claims, at_hash: 1 })],
      ['without the time it was made', ({ iat: _, ...claims }) => claims],
      ['with a text for the time it was made', (claims) => ({ ...claims, iat: 'now' })],
    ])('%s', async (_what, change) => {
      await expectNoSession({ idToken: change }, options)
    })

    it('left out, or null', async () => {
      for (const id_token of [undefined, null]) {
        await expectNoSession({ answer: (body) => ({ ...body, id_token }) }, options)
      }
    })
  })

  it("with another sign-in's nonce, taken from its token", async () => {
    const stall = await openStall()
    const nonces: unknown[] = []
    stall.provider.hooks.idToken = (claims) => {
      nonces.push(claims.nonce)
      return { ...claims, nonce: nonces[0] }
    }
    await stall.browser.load(`${stall.origin}/`)
    const other = stall.newBrowser()
    const page = await other.load(`${stall.origin}/`)
    expect([page.status, await whoIs(other, `${stall.origin}/`)]).toEqual([400, null])
  })

  it("of the other provider, in one's own answer", async () => {
    const stall = await openStall()
    const { issuer, key } = stall.other
    stall.provider.hooks.idToken = (claims) => signToken(key, { ...claims, iss: issuer })
    expect((await stall.browser.load(`${stall.origin}/`)).status).toBe(400)
    stall.provider.hooks.idToken = (claims) => signToken(key, claims)
    expect((await stall.browser.load(`${stall.origin}/`)).status).toBe(502)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })

  it('is never the access token, and the access token is never it', async () => {
    await expectNoSession({ answer: (body) => ({ ...body, access_token: body.id_token }) })
    await expectNoSession({ answer: (body) => ({ ...body, id_token: body.access_token }) })
    await expectNoSession({ answer: (body) => ({ ...body, id_token: body.access_token }) }, idTokenOnly)
  })

  it('where an audience is not checked, it still is for our client', async () => {
    const options: StallOptions = { integration: { jwtSource: 'id_token', audience: null } }
    await expectNoSession({ idToken: (claims) => ({ ...claims, aud: 'another-client' }) }, options)
  })

  it('made in the future by a clock that is a little fast is no reason to turn somebody away', async () => {
    const stall = await openStall()
    stall.provider.hooks.idToken = (claims) => ({ ...claims, iat: Number(claims.iat) + 30 })
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})

describe('the access token that is judged', () => {
  it('ends when it says so itself, whatever expires_in says, and another is had', async () => {
    const stall = await openStall()
    stall.provider.hooks.accessToken = (claims) => ({ ...claims, exp: Number(claims.iat) + 60 })
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(50)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    const before = stall.provider.count('POST /token')
    stall.clock.advance(1800)
    const page = await stall.browser.script(`${stall.origin}/`)
    expect(JSON.parse(page.body).auth.claims.exp).toBeGreaterThan(stall.clock.now() / 1000)
    expect(stall.provider.count('POST /token')).toBe(before + 1)
  })

  it('is no matter where an ID token is judged: the session goes on after its end, for as long as expires_in says', async () => {
    const stall = await openStall({ integration: { jwtSource: 'id_token', audience: 'shop' } })
    stall.provider.hooks.idToken = (claims) => ({ ...claims, exp: Number(claims.iat) + 60 })
    await stall.browser.load(`${stall.origin}/`)
    const before = stall.provider.count('POST /token')
    stall.clock.advance(1800)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(stall.provider.count('POST /token')).toBe(before)
  })

  it.each(wrongs)('%s', async (_what, wrong) => {
    await expectNoSession({ accessToken: (claims) => wrong(claims, () => undefined as never) })
  })
})

describe('the token answer', () => {
  it.each<[what: string, answer: NonNullable<RogueHooks['answer']>]>([
    ['null', () => null],
    ['a list', (body) => [body]],
    ['a text', () => 'access_token=x'],
    ['an error with status 200', () => ({ error: 'invalid_grant' })],
    ['an error beside tokens', (body) => ({ ...body, error: 'server_error' })],
    ['DPoP tokens', (body) => ({ ...body, token_type: 'DPoP' })],
    ['an access token with a line end', (body) => ({ ...body, access_token: 'a\r\nb' })],
    ['an access token that is an object', (body) => ({ ...body, access_token: {} })],
    ['a refresh token that is a list', (body) => ({ ...body, refresh_token: ['x'] })],
    ['megabytes', (body) => ({ ...body, more: 'x'.repeat(1024 * 1024) })],
  ])('%s', async (_what, answer) => {
    await expectNoSession({ answer })
  })

  it('a redirect to elsewhere: code, verifier and secret do not follow it', async () => {
    const stall = await openStall()
    stall.provider.hooks.token = (_sent, response) => {
      response.writeHead(307, { location: `${stall.other.issuer}/token` }).end()
      return true
    }
    const page = await stall.browser.load(`${stall.origin}/`)
    expect([page.status, stall.other.asked]).toEqual([503, []])
  })

  it('claims that objects have by nature do no harm', async () => {
    const stall = await openStall()
    stall.provider.hooks.accessToken = (claims) =>
      signToken(
        stall.provider.key,
        JSON.parse(`{${JSON.stringify(claims).slice(1, -1)},"__proto__":{"groups":["admin"]},"constructor":1}`),
      )
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(({} as Claims).groups).toBe(undefined)
  })
})

describe('userinfo', () => {
  const options: StallOptions = { oauth2: { userInfo: true } }

  it.each<[what: string, userInfo: NonNullable<RogueHooks['userInfo']>]>([
    ['of somebody else', (claims) => ({ ...claims, sub: 'bob' })],
    ['of nobody', ({ sub: _, ...claims }) => claims],
    ['that is no object', () => null],
    ['that is a list', (claims) => [claims]],
    ['that is an error', () => ({ error: 'invalid_token' })],
  ])('%s', async (_what, userInfo) => {
    await expectNoSession({ userInfo }, options)
  })

  it('says nothing over what a signed token says', async () => {
    const stall = await openStall(options)
    stall.provider.hooks.userInfo = (claims) => ({
      ...claims,
      groups: ['admin'],
      iss: 'https://evil.test',
      aud: 'x',
      exp: 0,
      more: 1,
    })
    await stall.browser.load(`${stall.origin}/`)
    const { auth } = JSON.parse((await stall.browser.script(`${stall.origin}/`)).body)
    expect(auth.claims).toMatchObject({ groups: ['staff'], iss: stall.provider.issuer, aud: API, more: 1 })
  })

  it('of somebody else with a refresh changes nothing', async () => {
    const stall = await openStall(options)
    await stall.browser.load(`${stall.origin}/`)
    stall.provider.hooks.userInfo = (claims) => ({ ...claims, sub: 'bob', name: 'Bob', more: 1 })
    stall.clock.advance(3601)
    const { auth } = JSON.parse((await stall.browser.script(`${stall.origin}/`)).body)
    expect(auth).toMatchObject({ subject: 'alice', claims: { name: 'alice by userinfo' } })
    expect(auth.claims.more).toBe(undefined)
  })
})

describe('a refresh', () => {
  const idTokenOnly: StallOptions = { integration: { jwtSource: 'id_token', audience: 'shop' } }
  const as =
    (sub: string): NonNullable<RogueHooks['idToken']> =>
    (claims, _grant, refresh) =>
      refresh ? { ...claims, sub } : claims

  it.each<[what: string, hooks: RogueHooks, options?: StallOptions]>([
    ['all tokens of somebody else', { idToken: as('bob'), accessToken: as('bob') }],
    ['an ID token of somebody else', { idToken: as('bob') }],
    ['an access token of somebody else', { accessToken: as('bob') }],
    [
      'an access token of somebody else, and no ID token',
      {
        accessToken: as('bob'),
        answer: ({ id_token, ...body }, sent) => (sent.has('code') ? { ...body, id_token } : body),
      },
    ],
    ['an ID token of somebody else, which is judged', { idToken: as('bob') }, idTokenOnly],
    [
      'a token of another issuer',
      { accessToken: (claims, _, refresh) => (refresh ? { ...claims, iss: 'x' } : claims) },
    ],
    [
      'a token for another audience',
      { accessToken: (claims, _, refresh) => (refresh ? { ...claims, aud: 'x' } : claims) },
    ],
    [
      'a token that nobody has signed',
      { accessToken: (claims, _, refresh) => (refresh ? forge({ alg: 'none' }, claims, '') : claims) },
    ],
    [
      'a token signed with the secret',
      { accessToken: (claims, _, refresh) => (refresh ? hs256(claims, CLIENT_SECRET) : claims) },
    ],
    [
      'an ID token signed by a stranger',
      { idToken: async (claims, _, refresh) => (refresh ? signToken(await strangers, claims) : claims) },
    ],
  ])('that brings %s ends the session', async (_what, hooks, options) => {
    const stall = await openStall(options)
    stall.provider.hooks = hooks
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    stall.clock.advance(3601)
    const answer = await stall.browser.script(`${stall.origin}/`)
    expect([403, 503]).toContain(answer.status)
    expect(stall.logins.at(-1)).toMatchObject({ kind: 'refresh_failed' })
    // And it stays so.
    stall.clock.advance(600)
    expect([403, 503]).toContain((await stall.browser.script(`${stall.origin}/`)).status)
    for (const secret of stall.provider.secrets) expect(stall.told()).not.toContain(secret)
  })

  it.each<[what: string, status: number, answer: string, ends: boolean]>([
    ['in words that nobody knows', 400, '{"error":"invalid_request","error_description":"No."}', true],
    ['without a word', 403, '', true],
    ['by an Action of Auth0', 500, '{"error":"access_denied","error_description":"user is blocked"}', true],
    ['by what stands in for the provider', 401, '<h1>Sign in to the proxy</h1>', false],
    ['by an ingress that has no provider', 404, '<h1>default backend - 404</h1>', false],
    ['by a proxy that allows no POST', 405, '', false],
    ['by a proxy that is not in charge', 421, '{"message":"Misdirected Request"}', false],
    ['for a mistake of the operator', 401, '{"error":"invalid_client"}', false],
    ['because the provider is in trouble', 503, '{"error":"server_error"}', false],
  ])('that is refused %s, once the session is over', async (_what, status, answer, ends) => {
    const stall = await openStall()
    await stall.browser.load(`${stall.origin}/`)
    stall.provider.hooks.token = (sent, response) => {
      if (sent.get('grant_type') !== 'refresh_token') return false
      response.writeHead(status, { 'content-type': 'application/json' }).end(answer)
      return true
    }
    stall.clock.advance(3601)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(ends ? 403 : 503)
    expect(stall.logins.at(-1)).toMatchObject({
      kind: 'refresh_failed',
      reason: ends ? 'reauth_required' : 'failed',
      detail: expect.stringContaining(`answered ${status}`),
    })
    stall.provider.hooks = {}
    stall.clock.advance(600)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(ends ? 403 : 200)
  })

  it('that is refused in words that nobody knows does not end a session whose tokens are good', async () => {
    const stall = await openStall()
    await stall.browser.load(`${stall.origin}/`)
    stall.provider.hooks.token = (_sent, response) => {
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_request"}')
      return true
    }
    stall.clock.advance(3595)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(200)
    await expect.poll(() => stall.logins.at(-1)).toMatchObject({ kind: 'refresh_failed', reason: 'failed' })
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(200)
  })

  it('with a subject that differs from token to token, as pairwise ones do, goes on with either token', async () => {
    for (const answer of [
      undefined,
      ({ id_token, ...body }: Claims, sent: URLSearchParams) => (sent.has('code') ? { ...body, id_token } : body),
    ]) {
      const stall = await openStall()
      stall.provider.hooks = {
        idToken: (claims) => ({ ...claims, sub: 'pairwise-for-shop' }),
        ...(answer && { answer }),
      }
      await stall.browser.load(`${stall.origin}/`)
      stall.clock.advance(3601)
      expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    }
  })

  it('that brings other groups is judged by them', async () => {
    const stall = await openStall({
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'staff' } } }],
    })
    stall.provider.hooks.accessToken = (claims, _, refresh) => ({ ...claims, groups: refresh ? ['left'] : ['staff'] })
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    stall.clock.advance(3601)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(403)
  })

  it('is not asked of another provider that has taken the name', async () => {
    const { generateKey, createGuard } = await import('../../src/index.ts')
    const { memoryStore } = await import('../../src/stores/memory.ts')
    const { request } = await import('../guard/harness.ts')
    const [key, store] = [generateKey(), memoryStore()]
    const stall = await openStall({ login: { keys: [key], store } })
    await stall.browser.load(`${stall.origin}/`)
    const guard = createGuard({
      clock: stall.clock,
      login: { url: stall.origin, keys: [key], store },
      integrations: { corp: { issuer: stall.other.issuer, audience: API, oauth2: { clientId: 'shop' } } },
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
    })
    stall.clock.advance(3601)
    const cookie = stall.browser.cookies('127.0.0.1').join('; ')
    const outcome = await guard.handle(request({ host: new URL(stall.origin).host, headers: { Cookie: cookie } }))
    expect(outcome).toMatchObject({ kind: 'reply', reply: { status: 403 } })
    expect(stall.other.count('POST /token') + stall.other.count('POST /revoke')).toBe(0)
    await guard.close()
  })
})
