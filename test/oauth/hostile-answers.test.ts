/** Answers of a provider, or of somebody in its place, that must not be believed; and what the errors then say. */
import { createHash } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError, FetchError, SecretError } from '../../src/core/errors.ts'
import type { Fetch } from '../../src/net/fetch.ts'
import { AuthorizationError } from '../../src/oauth/authorization-error.ts'
import { createOAuthClient, type OAuthClient, type OAuthClientSettings } from '../../src/oauth/oauth-client.ts'
import { RedeemError } from '../../src/store/redeem-error.ts'
import { createKey, forge, type SigningKey, signToken } from '../support/keys.ts'
import { type Answer, expectNothingOf, json, type OddServer, rejection, startOddServer, text } from './odd-server.ts'

const CODE = 'CODE-Jc8vR2'
const VERIFIER = 'VERIFIER-0123456789-0123456789-0123456789-0123'
const SECRET = 'SECRET:with+odd%characters'
const ACCESS = 'ACCESS-TOKEN-1'
const REFRESH = 'REFRESH-TOKEN-1'
const SECRETS = [CODE, VERIFIER, SECRET, encodeURIComponent(SECRET), ACCESS, REFRESH]
const STATE = 'the-state'
const attempt = { redirectUri: 'https://app.example/callback', state: STATE, nonce: 'the-nonce', verifier: VERIFIER }
const { nonce: _, ...plainAttempt } = attempt
const never = new AbortController().signal

let server: OddServer
let elsewhere: OddServer
let key: SigningKey
beforeAll(async () => {
  key = await createKey('ES256')
})
beforeEach(async () => {
  server = await startOddServer()
  elsewhere = await startOddServer()
})
afterEach(() => Promise.all([server.close(), elsewhere.close()]))

/** Settings for a client of the server, without the algorithms of ID tokens. */
function settings(): OAuthClientSettings {
  return {
    server: async () => server.metadata,
    clientId: 'app',
    authentication: async () => ({ method: 'client_secret_post', secret: SECRET }),
    scopes: ['openid'],
    fetch: (url, init) => fetch(url, init),
    limits: { timeoutMs: 5_000, maxBytes: 10_000 },
  }
}

function createClient(more: Partial<OAuthClientSettings> = {}): OAuthClient {
  return createOAuthClient({ ...settings(), idTokenAlgorithms: ['RS256', 'ES256'], ...more })
}

/** A callback's parameters; `undefined` leaves one out. */
function callback(parameters: Record<string, string | undefined> = {}): URLSearchParams {
  const all = { code: CODE, state: STATE, ...parameters }
  return new URLSearchParams(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Claims of an ID token as they should be. */
function goodClaims() {
  const now = Math.floor(Date.now() / 1000)
  return { iss: server.url, aud: 'app', sub: 'alice', iat: now, exp: now + 300, nonce: 'the-nonce' }
}

/** An ID token, good but for `claims`; `undefined` leaves one out. */
function idToken(claims: object = {}): Promise<string> {
  return signToken(key, { ...goodClaims(), ...claims })
}

/** A good token response but for `more`. */
async function tokens(more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  return { access_token: ACCESS, token_type: 'Bearer', expires_in: 300, id_token: await idToken(), ...more }
}

/** An AuthorizationError of this kind that says nothing that was secret. */
async function failure(promise: Promise<unknown>, kind: string): Promise<AuthorizationError> {
  const error = await rejection(promise)
  expect(error).toBeInstanceOf(AuthorizationError)
  expect(error).toMatchObject({ name: 'AuthorizationError', kind })
  expectNothingOf(error, ...SECRETS)
  return error as AuthorizationError
}

/** A RedeemError of this kind that says nothing that was secret. */
async function refreshFailure(client: OAuthClient, kind: string): Promise<RedeemError> {
  const error = await rejection(client.refresh(REFRESH, never))
  expect(error).toBeInstanceOf(RedeemError)
  expect(error).toMatchObject({ failure: kind })
  expectNothingOf(error, ...SECRETS)
  return error as RedeemError
}

describe('A8 a callback that does not fit: the code goes nowhere', () => {
  it.each<[string, URLSearchParams]>([
    ['no state', callback({ state: undefined })],
    ['an empty state', callback({ state: '' })],
    ['the state of another attempt', callback({ state: 'another' })],
    ['two states', new URLSearchParams(`code=${CODE}&state=${STATE}&state=another`)],
    ['the same state twice', new URLSearchParams(`code=${CODE}&state=${STATE}&state=${STATE}`)],
    ['two codes', new URLSearchParams(`code=${CODE}&state=${STATE}&code=another`)],
    ['two of what nobody knows', new URLSearchParams(`code=${CODE}&state=${STATE}&x=1&x=2`)],
    ['no code', callback({ code: undefined })],
    ['an empty code', callback({ code: '' })],
    ['nothing', new URLSearchParams()],
    ['another issuer: a mix-up (RFC 9207)', callback({ iss: 'https://evil.example' })],
    ['an issuer that begins like ours', callback({ iss: 'http://127.0.0.1' })],
    ['an ID token, as in the implicit flow', callback({ id_token: 'ey.ey.x' })],
    ['a response in a JWT', callback({ response: 'ey.ey.x' })],
    ['an error with a forged state', callback({ error: 'access_denied', state: 'another' })],
  ])('%s', async (_name, parameters) => {
    await failure(createClient().redeem(parameters, attempt), 'invalid')
    expect(server.received).toEqual([])
  })

  it('no issuer, where every callback should have it', async () => {
    const client = createClient({ server: async () => ({ ...server.metadata, issParameter: true }) })
    for (const parameters of [callback(), callback({ iss: '' }), callback({ error: 'access_denied' })]) {
      await failure(client.redeem(parameters, attempt), 'invalid')
    }
    expect(server.received).toEqual([])
    server.answer = json(await tokens())
    expect(await client.redeem(callback({ iss: server.url }), attempt)).toMatchObject({ accessToken: ACCESS })
  })
})

describe('A8 errors in a callback (RFC 6749 §4.1.2.1)', () => {
  it.each([
    ['access_denied', 'denied'],
    ['login_required', 'denied'],
    ['consent_required', 'denied'],
    ['interaction_required', 'denied'],
    ['account_selection_required', 'denied'],
    ['user_cancelled_authorize', 'denied'],
    ['unauthorized', 'denied'],
    ['invalid_scope', 'rejected'],
    ['unauthorized_client', 'rejected'],
    ['unsupported_response_type', 'rejected'],
    ['an_error_that_nobody_has_ever_heard_of', 'rejected'],
    ['server_error', 'unavailable'],
    ['temporarily_unavailable', 'unavailable'],
  ])('%s: %s', async (error, kind) => {
    const said = await failure(createClient().redeem(callback({ code: undefined, error }), attempt), kind)
    expect(said.error).toBe(error)
    expect(said.message).toContain(error)
    expect(server.received).toEqual([])
  })

  it.each([
    ['two\nlines'],
    ['"quoted"'],
    ['back\\slash'],
    ['ümlaut'],
    ['x'.repeat(101)],
    [CODE],
    [`about_${VERIFIER}`],
  ])('%j is no error code, and is not repeated', async (error) => {
    const said = await failure(createClient().redeem(callback({ error }), attempt), 'rejected')
    expect(said.error).toBeUndefined()
    expect(said.message).not.toContain(error)
  })

  it('a description is repeated for the operator, in one short line without secrets', async () => {
    const description = `no\r\nsuch person: ${CODE} ${'k'.repeat(40)} ${'long '.repeat(1_000)}`
    const parameters = callback({ error: 'access_denied', error_description: description })
    const { message } = await failure(createClient().redeem(parameters, attempt), 'denied')
    expect(message).toContain('access_denied (no?such person: … … long long')
    expect(message.length).toBeLessThan(500)
  })
})

describe('A8 an ID token that does not fit (OpenID Connect Core §3.1.3.7)', () => {
  const now = Math.floor(Date.now() / 1000)
  it.each<[string, object, string]>([
    ['no nonce', { nonce: undefined }, 'nonce'],
    ['a forged nonce', { nonce: 'another' }, 'nonce'],
    ['a nonce that is a list', { nonce: ['the-nonce'] }, 'nonce'],
    ['another audience', { aud: 'another' }, 'expected "app", got "another"'],
    ['no audience', { aud: undefined }, 'aud'],
    ['several audiences, of which ours is one', { aud: ['app', 'another'] }, 'aud'],
    ['several audiences, for another party', { aud: ['app', 'another'], azp: 'another' }, 'azp'],
    ['another party beside our audience', { azp: 'another' }, 'azp'],
    ['another issuer', { iss: 'https://evil.example' }, 'got "https://evil.example"'],
    ['no issuer', { iss: undefined }, 'iss'],
    ['no subject', { sub: undefined }, 'sub'],
    ['an empty subject', { sub: '' }, 'sub'],
    ['a subject that is a number', { sub: 7 }, 'sub'],
    ['an end in the past', { iat: now - 600, exp: now - 60 }, 'exp'],
    ['an end that is a text', { exp: `${now + 300}` }, 'exp'],
    ['no end', { exp: undefined }, 'exp'],
    ['a beginning in the future', { nbf: now + 600 }, 'nbf'],
    ['the at_hash of another access token', { at_hash: 'x'.repeat(22) }, 'at_hash'],
    ['an empty at_hash', { at_hash: '' }, 'at_hash'],
    ['an at_hash that is null', { at_hash: null }, 'at_hash'],
  ])('%s', async (_name, claims, detail) => {
    server.answer = json(await tokens({ id_token: await idToken(claims) }))
    const { message } = await failure(createClient().redeem(callback(), attempt), 'invalid')
    expect(message).toMatch(/^the ID token does not fit: /)
    expect(message).toContain(detail)
  })

  it.each<[string, () => unknown]>([
    ['none at all', () => undefined],
    ['an empty text', () => ''],
    ['null', () => null],
    ['what is no JWT', () => 'x'],
    ['an encrypted one', () => 'a.b.c.d.e'],
    ['an unsigned one', () => forge({ alg: 'none' }, goodClaims(), '')],
    ['an algorithm that is not allowed', () => forge({ alg: 'HS256' }, goodClaims())],
    ['an algorithm that is allowed elsewhere', () => forge({ alg: 'EdDSA' }, goodClaims())],
    ['an extension that must be understood', () => forge({ alg: 'ES256', crit: ['exp'] }, goodClaims())],
    ['a header that is a list', () => forge([], goodClaims())],
    ['a payload that is a list', () => forge({ alg: 'ES256' }, [])],
  ])('%s', async (_name, make) => {
    server.answer = json(await tokens({ id_token: await make() }))
    await failure(createClient().redeem(callback(), attempt), 'invalid')
  })

  it('an expired one is good for as long as clocks may differ', async () => {
    server.answer = json(await tokens({ id_token: await idToken({ exp: now - 60 }) }))
    const client = createClient({ clockToleranceSeconds: 120 })
    expect(await client.redeem(callback(), attempt)).toMatchObject({ idTokenClaims: { exp: now - 60 } })
  })

  it('one that echoes what it was sent is not quoted', async () => {
    server.answer = async ({ form }, response) => {
      const aud = `${form.get('code')} ${form.get('code_verifier')} ${form.get('client_secret')} ${ACCESS}`
      json(await tokens({ id_token: await idToken({ aud, iss: server.url }) }))({} as never, response)
    }
    expect((await failure(createClient().redeem(callback(), attempt), 'invalid')).message).toContain('got "… … … …"')
  })

  it('several audiences are fine where the token says that it was made for us', async () => {
    server.answer = json(await tokens({ id_token: await idToken({ aud: ['another', 'app'], azp: 'app' }) }))
    expect(await createClient().redeem(callback(), attempt)).toMatchObject({ idTokenClaims: { azp: 'app' } })
  })

  it('the at_hash of the access token is fine', async () => {
    const hash = createHash('sha256').update(ACCESS).digest().subarray(0, 16).toString('base64url')
    server.answer = json(await tokens({ id_token: await idToken({ at_hash: hash }) }))
    expect(await createClient().redeem(callback(), attempt)).toMatchObject({ idTokenClaims: { at_hash: hash } })
  })

  it('of an issuer that is a template, the claims say which it is', async () => {
    const issuer = 'https://login.example/{tenantid}/v2.0'
    const client = createClient({
      server: async () => ({ ...server.metadata, issuer }),
      idTokenIssuer: ({ tid }) => issuer.replace('{tenantid}', String(tid)),
    })
    server.answer = json(await tokens({ id_token: await idToken({ iss: 'https://login.example/t1/v2.0', tid: 't1' }) }))
    expect(await client.redeem(callback(), attempt)).toMatchObject({ idTokenClaims: { tid: 't1' } })
    server.answer = json(await tokens({ id_token: await idToken({ iss: 'https://login.example/t1/v2.0', tid: 't2' }) }))
    await failure(client.redeem(callback(), attempt), 'invalid')
    server.answer = json(await tokens({ id_token: await idToken({ iss: issuer, tid: 't1' }) }))
    await failure(client.redeem(callback(), attempt), 'invalid')
  })

  it.each<[string, readonly string[] | undefined, 'good' | 'bad']>([
    ['what the server announces', ['ES256', 'RS256'], 'good'],
    ['RS256 where it announces nothing', undefined, 'bad'],
  ])('unless told, %s is allowed', async (_name, idTokenAlgorithms, outcome) => {
    const announcing = async () => ({ ...server.metadata, idTokenAlgorithms })
    server.answer = json(await tokens())
    const redeemed = createOAuthClient({ ...settings(), server: announcing }).redeem(callback(), attempt)
    if (outcome === 'good') expect(await redeemed).toMatchObject({ accessToken: ACCESS })
    else expect((await failure(redeemed, 'invalid')).message).toContain('alg')
  })

  it.each(['none', 'HS256'])('%s is never allowed, though the server announces it', async (alg) => {
    const announcing = async () => ({ ...server.metadata, idTokenAlgorithms: [alg, 'RS256'] })
    server.answer = json(await tokens({ id_token: forge({ alg }, goodClaims()) }))
    const client = createOAuthClient({ ...settings(), server: announcing })
    expect((await failure(client.redeem(callback(), attempt), 'invalid')).message).toContain('alg')
  })

  it('without a nonce a bad one is no matter, since nobody gets it', async () => {
    server.answer = json(await tokens({ id_token: 'x' }))
    expect(await createClient().redeem(callback(), plainAttempt)).toEqual({
      accessToken: ACCESS,
      expiresInSeconds: 300,
    })
  })

  it('in a refresh it has no nonce, and must fit otherwise', async () => {
    server.answer = json(await tokens({ id_token: await idToken({ nonce: undefined }) }))
    expect(await createClient().refresh(REFRESH, never)).toMatchObject({ idTokenClaims: { sub: 'alice' } })
    server.answer = json(await tokens({ id_token: await idToken({ aud: 'another' }) }))
    // What was sent for it is spent.
    await refreshFailure(createClient(), 'dead')
    expect(await createClient({ scopes: ['email'] }).refresh(REFRESH, never)).not.toHaveProperty('idToken')
  })

  it('in a refresh its times are left to whoever checks its signature, and nothing else is', async () => {
    const now = Math.floor(Date.now() / 1000)
    for (const times of [{ exp: now - 3600 }, { nbf: now + 3600 }, { iat: now + 3600 }]) {
      server.answer = json(await tokens({ id_token: await idToken({ nonce: undefined, ...times }) }))
      expect(await createClient().refresh(REFRESH, never)).toMatchObject({ idTokenClaims: times })
    }
    const over = { nonce: undefined, exp: now - 3600 }
    for (const bad of [
      { aud: 'x' },
      { iss: 'x' },
      { azp: 'x' },
      { sub: '' },
      { exp: String(now) },
      { exp: undefined },
    ]) {
      server.answer = json(await tokens({ id_token: await idToken({ ...over, ...bad }) }))
      await refreshFailure(createClient(), 'dead')
    }
  })
})

/** Answers of a token endpoint that are no tokens; what redeeming a code and what refreshing makes of each. */
const BAD_ANSWERS: readonly (readonly [string, () => Answer, string, string])[] = [
  ['invalid_grant', () => json({ error: 'invalid_grant' }, 400), 'rejected', 'dead'],
  ['invalid_client', () => json({ error: 'invalid_client' }, 401), 'rejected', 'rejected'],
  [
    'invalid_client with a challenge',
    () => json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' }),
    'rejected',
    'rejected',
  ],
  ['an error with status 200, as of GitHub', () => json({ error: 'bad_verification_code' }), 'rejected', 'rejected'],
  ['an error with status 200 beside a token', () => json({ error: 'x', access_token: 'y' }), 'rejected', 'rejected'],
  ['a dead refresh token with status 200', () => json({ error: 'bad_refresh_token' }), 'rejected', 'dead'],
  ['400 without JSON', () => text('<h1>no</h1>', 400), 'rejected', 'rejected'],
  ['400 with an error that is an object', () => json({ error: { code: 7 } }, 400), 'rejected', 'rejected'],
  ['403 without a word', () => text('', 403), 'rejected', 'rejected'],
  ...[401, 404, 405, 421, 425, 451, 499].map(
    (status) => [`${status} of a proxy`, () => text('<h1>no</h1>', status), 'rejected', 'transient'] as const,
  ),
  ['404 of an application', () => json({ error: 'Not Found' }, 404), 'rejected', 'transient'],
  ['404 with a code', () => json({ error: 'invalid_request' }, 404), 'rejected', 'rejected'],
  ['404 with invalid_grant', () => json({ error: 'invalid_grant' }, 404), 'rejected', 'dead'],
  ['429', () => json({ error: 'invalid_request' }, 429), 'unavailable', 'transient'],
  ['500', () => text('oh no', 500), 'unavailable', 'transient'],
  ['503 with an error', () => json({ error: 'temporarily_unavailable' }, 503), 'unavailable', 'transient'],
  ['400 for a while', () => json({ error: 'temporarily_unavailable' }, 400), 'unavailable', 'transient'],
  ['HTML', () => text('<h1>sign in to the proxy</h1>'), 'unavailable', 'transient'],
  ['HTML that says that it is JSON', () => text('<h1>', 200, 'application/json'), 'unavailable', 'transient'],
  [
    'a form, as of GitHub if not asked for JSON',
    () => text('access_token=x&token_type=bearer'),
    'unavailable',
    'transient',
  ],
  ['nothing', () => text(''), 'unavailable', 'transient'],
  ['null', () => json(null), 'unavailable', 'transient'],
  ['a list', () => json([{ access_token: 'x' }]), 'unavailable', 'transient'],
  ['no access token', () => json({ token_type: 'bearer' }), 'unavailable', 'transient'],
  ['an empty access token', () => json({ access_token: '', token_type: 'bearer' }), 'unavailable', 'transient'],
  [
    'an access token that is a number',
    () => json({ access_token: 7, token_type: 'bearer' }),
    'unavailable',
    'transient',
  ],
  ['an access token that is no header', () => json({ access_token: 'a\r\nb: c' }), 'unavailable', 'transient'],
  ['a token that needs a proof', () => json({ access_token: 'x', token_type: 'DPoP' }), 'unavailable', 'transient'],
  ['a token of type 7', () => json({ access_token: 'x', token_type: 7 }), 'unavailable', 'transient'],
  [
    'a refresh token that is an object',
    () => json({ access_token: 'x', refresh_token: {} }),
    'unavailable',
    'transient',
  ],
  ['an ID token that is a list', () => json({ access_token: 'x', id_token: ['x'] }), 'unavailable', 'transient'],
  ['too much', () => json({ access_token: 'x'.repeat(20_000) }), 'unavailable', 'transient'],
  ['a redirect without a place', () => text('', 302), 'unavailable', 'transient'],
  ['a cut connection', () => (_request, response) => response.destroy(), 'unavailable', 'transient'],
  [
    'no HTTP',
    () => (_request, response) => response.socket?.end('220 smtp.example ESMTP\r\n'),
    'unavailable',
    'transient',
  ],
]

describe('A8 G9 a token endpoint that gives none', () => {
  it.each(BAD_ANSWERS)('%s', async (_name, answer, kind, refreshKind) => {
    server.answer = answer()
    await failure(createClient().redeem(callback(), attempt), kind)
    await refreshFailure(createClient(), refreshKind)
  })

  it('gives an access token that no header takes: with a code as with a refresh token it is refused', async () => {
    const client = createClient({ limits: { timeoutMs: 5_000, maxBytes: 100_000 } })
    server.answer = json({ access_token: 'x'.repeat(16_385), refresh_token: 'y' })
    for (const error of [
      await failure(client.redeem(callback(), attempt), 'rejected'),
      await refreshFailure(client, 'rejected'),
    ])
      expect(error.message).toContain('sent a token of 16385 characters, which no header takes')
    server.answer = json({ access_token: 'x'.repeat(16_384), refresh_token: 'y' })
    await failure(client.redeem(callback(), attempt), 'invalid') // it has no ID token; its length is all right
  })

  it.each([301, 302, 303, 307, 308])('sends us elsewhere with %i: nothing goes there', async (status) => {
    server.answer = (_request, response) => response.writeHead(status, { location: elsewhere.url }).end()
    const auto = createClient({
      server: async () => ({ ...server.metadata, pushedAuthorizationUrl: `${server.url}/par` }),
    })
    const errors = [
      await failure(createClient().redeem(callback(), attempt), 'unavailable'),
      await refreshFailure(createClient(), 'transient'),
      await failure(createClient().revoke(REFRESH, 'refresh_token'), 'unavailable'),
      await failure(auto.authorizationUrl(attempt), 'unavailable'),
      await failure(createClient().userInfo(ACCESS, 'alice'), 'unavailable'),
    ]
    for (const { message } of errors) expect(message).toContain('redirects')
    expect(server.received).toHaveLength(5)
    expect(elsewhere.received).toEqual([])
  })

  it('hangs: there is a deadline', async () => {
    server.answer = () => {}
    const client = createClient({ limits: { timeoutMs: 50, maxBytes: 10_000 } })
    expect((await failure(client.redeem(callback(), attempt), 'unavailable')).message).toContain('within 50 ms')
    expect((await failure(client.revoke(REFRESH, 'refresh_token'), 'unavailable')).message).toContain('within 50 ms')
  })

  it('G9 answers a refresh late: it may have spent the token, so the deadline is that of who asks', async () => {
    const held: (() => void)[] = []
    server.answer = (received, response) => {
      const fresh = { access_token: ACCESS, token_type: 'Bearer', refresh_token: 'new' }
      if (received.form.has('refresh_token')) held.push(() => json(fresh)(received, response))
    }
    const client = createClient({ limits: { timeoutMs: 50, maxBytes: 10_000 } })
    const refreshed = expect(client.refresh(REFRESH, never)).resolves.toMatchObject({ refreshToken: 'new' })
    await expect.poll(() => held.length).toBe(1)
    // What was asked later has come to its end meanwhile.
    await failure(client.redeem(callback(), attempt), 'unavailable')
    for (const answer of held) answer()
    await refreshed
  })

  it('is not there: the cause is kept for the operator', async () => {
    await server.close()
    const error = await failure(createClient().redeem(callback(), attempt), 'unavailable')
    expect(error.message).toContain('ECONNREFUSED')
    expect(error.cause).toBeInstanceOf(FetchError)
    server = await startOddServer()
  })

  it('echoes what it was sent: the errors do not', async () => {
    server.answer = ({ form }, response) => {
      const error_description = `bad: ${form} and ${[...form.values()].join(' ')}`
      json({ error: 'invalid_client', error_description }, 401)({} as never, response)
    }
    for (const method of ['client_secret_post', 'client_secret_basic'] as const) {
      const client = createClient({ authentication: async () => ({ method, secret: SECRET }) })
      const { message } = await failure(client.redeem(callback(), attempt), 'rejected')
      expect(message).toContain('answered 401 invalid_client (bad: ')
      await refreshFailure(client, 'rejected')
      await failure(client.revoke(REFRESH, 'refresh_token'), 'rejected')
    }
  })

  it("is reached by a fetch of the user's own, whose errors tell everything: ours do not", async () => {
    const { privateJwk } = await createKey('ES256')
    const sent: string[] = []
    const talkative: Fetch = (url, init) => {
      const authorization = new Headers(init.headers).get('authorization') ?? ''
      sent.push(String(init.body).match(/client_assertion=([^&]+)/)?.[1] ?? '', authorization.replace('Basic ', ''))
      const error = new Error(`cannot send ${init.body} to ${url} with ${authorization}`)
      throw Object.assign(error, { request: { url, init }, cause: init })
    }
    for (const authentication of [
      { method: 'client_secret_post', secret: SECRET },
      { method: 'client_secret_basic', secret: SECRET },
      { method: 'private_key_jwt', key: JSON.stringify(privateJwk) },
    ] as const) {
      const client = createClient({ authentication: async () => authentication, fetch: talkative })
      const errors = [
        await failure(client.redeem(callback(), attempt), 'unavailable'),
        await refreshFailure(client, 'transient'),
        await failure(client.revoke(REFRESH, 'refresh_token'), 'unavailable'),
        await failure(client.userInfo(ACCESS, 'alice'), 'unavailable'),
      ]
      for (const error of errors) {
        expect(error.message).toContain('cannot send')
        expectNothingOf(error, ...sent.filter((text) => text !== ''))
      }
    }
  })

  it('echoes a client assertion: the error does not', async () => {
    const { privateJwk } = await createKey('ES256')
    const client = createClient({
      authentication: async () => ({ method: 'private_key_jwt', key: JSON.stringify(privateJwk) }),
    })
    server.answer = ({ form }, response) =>
      json({ error: 'invalid_client', error_description: form.get('client_assertion') }, 401)({} as never, response)
    const error = await failure(client.redeem(callback(), attempt), 'rejected')
    const assertion = server.received[0]?.form.get('client_assertion') ?? ''
    const [, payload = '', signature = ''] = assertion.split('.')
    expectNothingOf(error, payload, signature)
  })

  it('says when to come again', async () => {
    server.answer = json({}, 503, { 'retry-after': '7' })
    expect((await refreshFailure(createClient(), 'transient')).retryAfterMs).toBe(7_000)
    server.answer = json({}, 503, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() })
    const { retryAfterMs = 0 } = await refreshFailure(createClient(), 'transient')
    expect(retryAfterMs).toBeGreaterThan(50_000)
    expect(retryAfterMs).toBeLessThanOrEqual(60_000)
    for (const nonsense of ['soon', '-1', '0', 'Thu, 01 Jan 1970 00:00:00 GMT']) {
      server.answer = json({}, 503, { 'retry-after': nonsense })
      expect((await refreshFailure(createClient(), 'transient')).retryAfterMs).toBeUndefined()
    }
  })
})

describe('G9 token responses of real servers', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['expires_in is a text', { expires_in: '3600' }, { expiresInSeconds: 3600 }],
    ['expires_in is a fraction', { expires_in: 3599.9 }, { expiresInSeconds: 3599 }],
    ['expires_in is missing', {}, {}],
    ['expires_in is null', { expires_in: null }, {}],
    ['expires_in is 0, said of tokens that do not expire', { expires_in: 0 }, {}],
    ['expires_in is negative', { expires_in: -5 }, {}],
    ['expires_in is a word', { expires_in: 'never' }, {}],
    ['expires_in is an object', { expires_in: { valueOf: 3 } }, {}],
    ['expires_in is longer than calendars', { expires_in: 1e300 }, { expiresInSeconds: 315_360_000 }],
    ['expires_in is a long text', { expires_in: '9'.repeat(400) }, { expiresInSeconds: 315_360_000 }],
    ['token_type is in another case', { token_type: 'BEARER' }, {}],
    ['token_type is missing, as of Shopify', { token_type: undefined }, {}],
    ['refresh_token is null', { refresh_token: null }, {}],
    ['refresh_token is empty', { refresh_token: '' }, {}],
    ['scope is null', { scope: null }, {}],
    ['scope is a list, as of Twitch', { scope: ['a', 'b'] }, { scope: 'a b' }],
    ['scope is a number', { scope: 7 }, {}],
    ['error is empty', { error: '' }, {}],
    ['error is null', { error: null }, {}],
    ['there is more', { refresh_token: 'r', scope: 'a b', other: 1 }, { refreshToken: 'r', scope: 'a b' }],
  ])('%s', async (_name, part, expected) => {
    server.answer = json({ access_token: ACCESS, token_type: 'bearer', ...part })
    const client = createClient()
    expect(await client.redeem(callback(), plainAttempt)).toEqual({ accessToken: ACCESS, ...expected })
    expect(await client.refresh(REFRESH, never)).toEqual({ accessToken: ACCESS, refreshToken: REFRESH, ...expected })
  })

  it('a refresh keeps the old refresh token where no new one comes, and takes a new one', async () => {
    server.answer = json({ access_token: ACCESS, token_type: 'bearer' })
    expect(await createClient().refresh(REFRESH, never)).toEqual({ accessToken: ACCESS, refreshToken: REFRESH })
    server.answer = json({ access_token: ACCESS, token_type: 'bearer', refresh_token: 'new' })
    expect(await createClient().refresh(REFRESH, never)).toEqual({ accessToken: ACCESS, refreshToken: 'new' })
  })
})

describe('G9 a refresh that is given up', () => {
  it('while the server thinks', async () => {
    const stop = new AbortController()
    server.answer = () => stop.abort()
    expect((await rejection(createClient().refresh(REFRESH, stop.signal))) as Error).toMatchObject({
      name: 'RedeemError',
      failure: 'transient',
      message: `${server.url}/token: given up`,
    })
  })

  it.each(['server', 'authentication'] as const)(
    'while the %s is looked up: nothing is sent afterwards',
    async (slow) => {
      const stop = new AbortController()
      let goOn = () => {}
      const waiting = new Promise<void>((resolve) => {
        goOn = resolve
      })
      const client = createClient({
        server: async () => {
          if (slow === 'server') await waiting
          return server.metadata
        },
        authentication: async () => {
          if (slow === 'authentication') await waiting
          return { method: 'none' }
        },
      })
      const refreshing = rejection(client.refresh(REFRESH, stop.signal))
      stop.abort()
      expect(await refreshing).toMatchObject({ failure: 'transient', message: 'given up' })
      goOn()
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(server.received).toEqual([])
    },
  )

  it('before it began', async () => {
    expect(await rejection(createClient().refresh(REFRESH, AbortSignal.abort()))).toMatchObject({
      failure: 'transient',
    })
    expect(server.received).toEqual([])
  })
})

describe('A8 what must be looked up and is not there', () => {
  it.each([
    ['metadata', { server: () => Promise.reject(new FetchError('no metadata')) }, 'no metadata'],
    ['a secret', { authentication: () => Promise.reject(new SecretError('no secret')) }, 'no secret'],
    [
      'a usable key',
      { authentication: async () => ({ method: 'private_key_jwt', key: `x${SECRET}` }) as const },
      'the private key of the client is neither PEM nor a private JWK',
    ],
    [
      'an empty secret',
      { authentication: async () => ({ method: 'client_secret_post', secret: '' }) as const },
      'empty',
    ],
    [
      'a token endpoint',
      { server: async () => ({ ...server.metadata, tokenUrl: undefined }) },
      'names no token_endpoint',
    ],
  ] satisfies [string, Partial<OAuthClientSettings>, string][])('%s', async (_name, part, message) => {
    const client = createClient(part)
    expect((await failure(client.redeem(callback(), attempt), 'unavailable')).message).toContain(message)
    expect((await refreshFailure(client, 'transient')).message).toContain(message)
    expect(server.received).toEqual([])
  })

  it('a cause is kept where it is an error of ours', async () => {
    const client = createClient({ authentication: async () => ({ method: 'private_key_jwt', key: 'x' }) })
    expect((await failure(client.redeem(callback(), attempt), 'unavailable')).cause).toBeInstanceOf(ConfigError)
  })

  it('of any other error the message is kept, and no more', async () => {
    const failing = (text: string) =>
      createClient({ server: () => Promise.reject(Object.assign(new Error(text), { hidden: SECRET })) })
    const redeemed = await failure(failing(`boom ${CODE}`).redeem(callback(), attempt), 'unavailable')
    const refreshed = await refreshFailure(failing(`boom ${REFRESH}`), 'transient')
    for (const { message, cause } of [redeemed, refreshed]) expect([message, cause]).toEqual(['boom …', undefined])
  })

  it('it is looked up again with the next operation, and a key is read once', async () => {
    let lookups = 0
    const { privateJwk } = await createKey('ES256')
    let readings = 0
    const authentication = {
      method: 'private_key_jwt' as const,
      get key() {
        readings++
        return JSON.stringify(privateJwk)
      },
    }
    const client = createClient({
      server: async () => {
        if (++lookups === 1) throw new FetchError('not yet')
        return server.metadata
      },
      authentication: async () => authentication,
    })
    server.answer = json(await tokens())
    await failure(client.redeem(callback(), attempt), 'unavailable')
    expect(await client.redeem(callback(), attempt)).toMatchObject({ accessToken: ACCESS })
    expect(await client.redeem(callback(), attempt)).toMatchObject({ accessToken: ACCESS })
    expect(lookups).toBe(3)
    expect(readings).toBe(1)
  })

  it('an authorization endpoint, or one for UserInfo', async () => {
    const client = createClient({
      server: async () => ({ ...server.metadata, authorizationUrl: undefined, userInfoUrl: undefined }),
    })
    expect((await failure(client.authorizationUrl(attempt), 'unavailable')).message).toContain('authorization_endpoint')
    expect((await failure(client.userInfo(ACCESS, 'alice'), 'unavailable')).message).toContain('userinfo_endpoint')
  })

  it('a revocation endpoint: there is nothing to do', async () => {
    const client = createClient({
      server: async () => ({ ...server.metadata, revocationUrl: undefined }),
      authentication: () => Promise.reject(new Error('not needed')),
    })
    await client.revoke(REFRESH, 'refresh_token')
    expect(server.received).toEqual([])
  })
})

describe('A8 other endpoints', () => {
  it('a revocation names the token and what it is (RFC 7009 §2.1)', async () => {
    server.answer = text('', 200)
    await createClient().revoke(REFRESH, 'refresh_token')
    expect(Object.fromEntries(server.received[0]?.form ?? [])).toEqual({
      token: REFRESH,
      token_type_hint: 'refresh_token',
      client_id: 'app',
      client_secret: SECRET,
    })
  })

  it('a revocation of a token that is no more: it is done (RFC 7009 §2.2)', async () => {
    server.answer = json({ error: 'invalid_token', error_description: 'Token expired or revoked' }, 400)
    await createClient().revoke(REFRESH, 'refresh_token')
    expect(server.received).toHaveLength(1)
  })

  it.each<[string, Answer, string]>([
    ['unsupported_token_type', json({ error: 'unsupported_token_type' }, 400), 'rejected'],
    ['503', text('', 503), 'unavailable'],
  ])('a revocation that fails: %s', async (_name, answer, kind) => {
    server.answer = answer
    await failure(createClient().revoke(REFRESH, 'refresh_token'), kind)
  })

  it.each<[string, Answer, string]>([
    ['invalid_request', json({ error: 'invalid_request' }, 400), 'rejected'],
    ['no request_uri', json({ expires_in: 60 }, 201), 'unavailable'],
    ['a request_uri that is a list', json({ request_uri: ['urn:x'], expires_in: 60 }, 201), 'unavailable'],
    ['500', text('', 500), 'unavailable'],
    ['HTML', text('<h1>', 201), 'unavailable'],
  ])('a pushed authorization request that fails: %s', async (_name, answer, kind) => {
    const client = createClient({
      server: async () => ({ ...server.metadata, pushedAuthorizationUrl: `${server.url}/par` }),
    })
    server.answer = answer
    await failure(client.authorizationUrl(attempt), kind)
  })

  it.each<[string, Answer, string]>([
    ['no sub', json({ email: 'a@example.com' }), 'unavailable'],
    ['the sub of another', json({ sub: 'bob' }), 'invalid'],
    ['an empty sub', json({ sub: '' }), 'invalid'],
    ['a list', json(['alice']), 'unavailable'],
    [
      'a JWT, which nobody here can check',
      text(forge({ alg: 'ES256' }, { sub: 'alice' }), 200, 'application/jwt'),
      'unavailable',
    ],
    ['HTML', text('<h1>'), 'unavailable'],
    ['401', text('', 401), 'rejected'],
    ['401 with a challenge', json({ error: 'invalid_token' }, 401, { 'www-authenticate': 'Bearer' }), 'rejected'],
    ['500', text('', 500), 'unavailable'],
  ])('UserInfo that is no use: %s', async (_name, answer, kind) => {
    server.answer = answer
    await failure(createClient().userInfo(ACCESS, 'alice'), kind)
  })

  it('UserInfo is not asked with what is no header', async () => {
    await failure(createClient().userInfo(`${ACCESS}\r\nx: y`, 'alice'), 'rejected')
    expect(server.received).toEqual([])
  })
})
