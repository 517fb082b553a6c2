/** The guard's lines of the answers table, on every server, byte for byte. */
import { SignJWT } from 'jose'
import { createGuard, type Decision, type Guard } from 'sallyport'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUDIENCE, type KeyServer, makeKey, type SigningKey, startKeyServer } from '../support/identity-provider.ts'
import { askRaw, type RawAnswer, type RawRequest } from '../support/raw-client.ts'
import { type RunningApp, SERVERS, STREAMED } from '../support/servers.ts'
import { expectProblem, expectReached, withoutReaching } from './helpers.ts'

const BASIC_CHALLENGE = 'Basic realm="Orders \\"EU\\"", charset="UTF-8"'
const INVALID_TOKEN =
  'Bearer error="invalid_token", error_description="The token is malformed, expired, revoked, or not meant for this service"'

let keys: KeyServer
let dead: KeyServer
/** A key of somebody else, under the id of the provider's. */
let forged: SigningKey

beforeAll(async () => {
  ;[keys, dead, forged] = await Promise.all([startKeyServer(), startKeyServer(), makeKey('key-1')])
  dead.mode = 'refuse'
})
afterAll(() => Promise.all([keys.close(), dead.close()]))

function makeGuard(): Guard {
  const { issuer, jwksUri } = keys
  return createGuard({
    integrations: {
      corp: { issuer, jwksUri, audience: AUDIENCE },
      dead: { issuer: dead.issuer, jwksUri: dead.jwksUri, audience: AUDIENCE },
    },
    internalNetworks: ['10.0.0.0/8'],
    trustProxy: ['127.0.0.1'],
    routes: [
      { path: '/open', auth: { type: 'none' } },
      { path: '/open/admin', auth: { type: 'basic', username: 'root', password: 'toor' } },
      { path: '/basic', auth: { type: 'basic', username: 'hello', password: 'pä:ss', realm: 'Orders "EU"' } },
      { path: '/basic/stream', auth: { type: 'none' } },
      { path: '/jwt', auth: { type: 'jwt', integration: 'corp' } },
      { path: '/jwt401', auth: { type: 'jwt', integration: 'corp', unauthenticated: 401 } },
      { path: '/claims', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com' } } },
      { path: '/scoped', auth: { type: 'jwt', integration: 'corp', scopes: ['orders:read', 'orders:write'] } },
      { path: '/dead', auth: { type: 'jwt', integration: 'dead' } },
      { host: 'orders-ml.svc.cluster.local', path: '/', exposed: false, auth: { type: 'none' } },
    ],
  })
}

const basic = (credentials: string) => ({ authorization: `Basic ${Buffer.from(credentials).toString('base64')}` })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe.each(SERVERS)('$name', ({ framework, start }) => {
  let app: RunningApp
  let guard: Guard
  const decisions: Decision[] = []

  beforeAll(async () => {
    guard = makeGuard()
    guard.on('decision', (decision) => decisions.push(decision))
    guard.on('keys', () => {})
    app = await start({ gates: [guard] })
  })
  beforeEach(() => {
    decisions.length = 0
  })
  afterAll(async () => {
    await app.close()
    await guard.close()
  })

  const ask = (request: RawRequest): Promise<RawAnswer> => askRaw(app.port, request)
  /** Sends a request that must be refused, and returns the answer and the reason that the guard told. */
  async function refused(request: RawRequest): Promise<{ answer: RawAnswer; reason: string | undefined }> {
    const answer = await withoutReaching(app, () => ask(request))
    return { answer, reason: decisions.at(-1)?.reason }
  }

  describe('what is let in', () => {
    test('A13 an open route passes, and authOf says that nobody was authenticated', async () => {
      const answer = await ask({ target: '/open/whoami?x=1' })
      expect(expectReached(answer)).toEqual({
        method: 'GET',
        url: '/open/whoami?x=1',
        auth: { type: 'none', route: '/open' },
      })
    })

    test('A5 basic: the right password passes, and authOf names the user', async () => {
      const { auth } = expectReached(await ask({ target: '/basic/whoami', headers: basic('hello:pä:ss') }))
      expect(auth).toEqual({ type: 'basic', route: '/basic', subject: 'hello', id: expect.stringMatching(/^.{16,}$/) })
    })

    test('A6 JWT: a good token passes, and authOf has integration, subject and claims', async () => {
      const token = await keys.sign({ email: 'alice@example.com' })
      const { auth } = expectReached(await ask({ target: '/jwt/whoami', headers: bearer(token) }))
      expect(auth).toEqual({
        type: 'jwt',
        route: '/jwt',
        integration: 'corp',
        subject: 'alice',
        id: expect.stringMatching(/^.{16,}$/),
        claims: expect.objectContaining({ iss: keys.issuer, aud: AUDIENCE, sub: 'alice', email: 'alice@example.com' }),
      })
    })

    test('A6 one person has one id, on every route and with every token', async () => {
      const ids = new Set<string | undefined>()
      for (const [target, sub] of [
        ['/jwt/whoami', 'alice'],
        ['/jwt401/whoami', 'alice'],
        ['/jwt/whoami', 'bob'],
      ] as const) {
        const token = await keys.sign({ sub, jti: String(ids.size) })
        ids.add(expectReached(await ask({ target, headers: bearer(token) })).auth?.id)
      }
      expect(ids.size).toBe(2)
    })

    test('A6 a token that has been seen passes without another fetch of the keys', async () => {
      const headers = bearer(await keys.sign({ jti: 'again' }))
      expectReached(await ask({ target: '/jwt/whoami', headers }))
      const before = keys.fetches
      for (let round = 0; round < 3; round++) expectReached(await ask({ target: '/jwt/whoami', headers }))
      expect(keys.fetches).toBe(before)
    })

    test('A10 a claim that matches the rule passes', async () => {
      const token = await keys.sign({ email: 'alice@example.com' })
      expectReached(await ask({ target: '/claims/whoami', headers: bearer(token) }))
    })

    test('A10 a token with all the scopes passes', async () => {
      const token = await keys.sign({ scope: 'openid orders:write orders:read' })
      expectReached(await ask({ target: '/scoped/whoami', headers: bearer(token) }))
    })

    test('A3 a route that is not exposed answers callers inside the networks', async () => {
      const headers = { host: 'orders-ml.svc.cluster.local:8080', 'x-forwarded-for': '10.1.2.3' }
      expect(expectReached(await ask({ target: '/whoami', headers })).auth?.type).toBe('none')
    })

    test.each([
      ['in upper case', '/BASIC/whoami', '/basic'],
      ['with needless encoding inside the route', '/open/%77hoami', '/open'],
      ['in absolute form', 'http://app.example.com/open/whoami', '/open'],
      ['with an encoded slash in the query only', '/open/whoami?next=%2Fbasic%00', '/open'],
    ])('A2 a target %s passes', async (_how, target, route) => {
      await ask({ target, headers: basic('hello:pä:ss') })
      expect(decisions).toMatchObject([{ outcome: 'pass', route }])
    })
  })

  describe('404', () => {
    test('no route matches', async () => {
      const { answer, reason } = await refused({ target: '/elsewhere/whoami' })
      expectProblem(answer, 404)
      expect(reason).toBe('no_route')
    })

    test('A2 a route ends at a segment', async () => {
      expectProblem((await refused({ target: '/opened/whoami' })).answer, 404)
    })

    test('A3 a route that is not exposed, called from outside', async () => {
      const { answer, reason } = await refused({
        target: '/whoami',
        headers: { host: 'orders-ml.svc.cluster.local:8080' },
      })
      expectProblem(answer, 404)
      expect(reason).toBe('not_exposed')
    })

    test('the application does not answer where no route is, not even with its own 404', async () => {
      expectProblem((await refused({ method: 'POST', target: '/', body: '{}' })).answer, 404)
    })
  })

  describe('400', () => {
    test.each([
      ['an encoded slash', '/open%2Fadmin/whoami'],
      ['an encoded slash in lower case', '/open/%2f/whoami'],
      ['a backslash', '/open\\admin/whoami'],
      ['an encoded backslash', '/open%5Cadmin/whoami'],
      ['an encoded NUL', '/open/whoami%00.png'],
      ['`..` past the root', '/../open/whoami'],
      ['encoded `..` past the root', '/open/%2e%2e/%2e%2e/whoami'],
      ['`..` into another route', '/open/../basic/whoami'],
      ['encoded `..` into another route', '/open/%2e%2e/basic/whoami'],
      ['path parameters that hide another route', '/open/admin;/whoami'],
      ['path parameters that end in another route', '/open;/admin/whoami'],
      ['an encoded letter that hides another route', '/open/%61dmin/whoami'],
      ['two slashes that hide another route', '/open//admin/whoami'],
      ['two slashes that look like a host', '//open/admin/whoami'],
      ['a fragment', '/open/whoami#/admin'],
      ['an absolute form for another host', 'http://evil.example.com/open/whoami'],
    ])('a target with %s', async (_what, target) => {
      const { answer, reason } = await refused({ target, headers: basic('hello:pä:ss') })
      expectProblem(answer, 400)
      expect(reason).toBe('ambiguous_target')
    })

    test.each([
      ['a bad percent', '/open/%zz/whoami'],
      ['a percent at the end', '/open/whoami%'],
      ['octets that are not UTF-8', '/open/%ff/whoami'],
    ])('a target with %s', async (_what, target) => {
      const { answer } = await refused({ target })
      // Fastify's router turns these away before any hook runs.
      if (framework === 'fastify') expect(answer.status).toBe(400)
      else expectProblem(answer, 400)
    })

    test('two Host lines', async () => {
      const headers = [
        ['Host', 'app.example.com'],
        ['Host', 'orders-ml.svc.cluster.local'],
      ] as const
      const { answer, reason } = await refused({ target: '/open/whoami', headers })
      expectProblem(answer, 400)
      expect(reason).toBe('duplicate_header')
    })

    test('two Authorization lines', async () => {
      const good = basic('hello:pä:ss').authorization
      const headers = [
        ['Authorization', good],
        ['authorization', good],
      ] as const
      const { answer, reason } = await refused({ target: '/basic/whoami', headers })
      expectProblem(answer, 400)
      expect(reason).toBe('duplicate_header')
    })

    test.each(['app.example.com@evil.example.com', 'app.example.com/basic', 'a b', '0x7f.1', '[::1'])(
      'a Host of %s',
      async (host) => {
        const { answer, reason } = await refused({ target: '/open/whoami', headers: { host } })
        expectProblem(answer, 400)
        expect(reason).toBe('ambiguous_host')
      },
    )

    test('a trusted proxy that contradicts itself', async () => {
      const { answer, reason } = await refused({ target: '/open/whoami', headers: { 'x-forwarded-for': 'nobody' } })
      expectProblem(answer, 400)
      expect(reason).toBe('ambiguous_forwarding')
    })
  })

  describe('401 basic', () => {
    test.each([
      ['no credentials', {}, 'no_credentials'],
      ['a wrong password', basic('hello:wrong'), 'bad_credentials'],
      ['an unknown user', basic('nobody:pä:ss'), 'bad_credentials'],
      ['another scheme', { authorization: 'Bearer abc' }, 'malformed'],
      ['credentials that are not base64', { authorization: 'Basic %%%' }, 'malformed'],
      ['credentials without a colon', basic('hello'), 'malformed'],
    ])('%s', async (_what, headers, expected) => {
      const { answer, reason } = await refused({ target: '/basic/whoami', headers })
      expectProblem(answer, 401, { 'www-authenticate': BASIC_CHALLENGE })
      expect(reason).toBe(expected)
    })
  })

  test('A2 an open route in another case gives way to the protected one around it', async () => {
    expect((await ask({ target: '/basic/stream' })).text()).toBe(STREAMED)
    const { answer } = await refused({ target: '/basic/STREAM' })
    expectProblem(answer, 401, { 'www-authenticate': BASIC_CHALLENGE })
  })

  describe('JWT without credentials', () => {
    test('A11 403 with a challenge that has no error', async () => {
      const { answer, reason } = await refused({ target: '/jwt/whoami' })
      expectProblem(answer, 403, { 'www-authenticate': 'Bearer' })
      expect(reason).toBe('no_credentials')
    })

    test('A11 credentials of another scheme are none', async () => {
      const { answer } = await refused({ target: '/jwt/whoami', headers: basic('hello:pä:ss') })
      expectProblem(answer, 403, { 'www-authenticate': 'Bearer' })
    })

    test("A11 401 where the route asks for the RFC's number", async () => {
      expectProblem((await refused({ target: '/jwt401/whoami' })).answer, 401, { 'www-authenticate': 'Bearer' })
    })
  })

  describe('401 invalid_token', () => {
    const now = Math.floor(Date.now() / 1000)
    const tokens: [string, string, () => Promise<string>][] = [
      ['that is not a JWT', 'malformed', async () => 'abc'],
      ['that is empty', 'malformed', async () => ''],
      ['whose payload is no JSON', 'malformed', async () => 'eyJhbGciOiJSUzI1NiJ9.YWJj.c2ln'],
      ['that has expired', 'expired', () => keys.sign({ exp: now - 60 })],
      ['that never expires', 'expired', () => keys.sign({ exp: undefined as never })],
      ['that is not valid yet', 'not_yet_valid', () => keys.sign({ nbf: now + 60 })],
      ['of another issuer', 'issuer', () => keys.sign({ iss: 'https://evil.example.com/' })],
      ['for another audience', 'audience', () => keys.sign({ aud: 'billing-api' })],
      ['without an audience', 'audience', () => keys.sign({ aud: undefined as never })],
      ['that is an ID token by its type', 'type', () => keys.sign({}, { header: { typ: 'id+jwt' } })],
      ["signed with another key under the provider's key id", 'signature', () => keys.sign({}, { key: forged })],
      [
        'signed with a shared secret',
        'algorithm',
        () =>
          new SignJWT({ iss: keys.issuer, aud: AUDIENCE, exp: now + 60 })
            .setProtectedHeader({ alg: 'HS256' })
            .sign(new TextEncoder().encode('a secret of at least thirty-two octets')),
      ],
      [
        'that is not signed',
        'algorithm',
        async () => {
          const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
          return `${part({ alg: 'none' })}.${part({ iss: keys.issuer, aud: AUDIENCE, exp: now + 60 })}.`
        },
      ],
    ]

    test.each(tokens)('a token %s', async (_what, expected, make) => {
      const { answer, reason } = await refused({ target: '/jwt/whoami', headers: bearer(await make()) })
      expectProblem(answer, 401, { 'www-authenticate': INVALID_TOKEN })
      expect(reason).toBe(expected)
    })

    test('a token with a piece of its signature changed, though the good one is cached', async () => {
      const token = await keys.sign({ jti: 'flip' })
      expectReached(await ask({ target: '/jwt/whoami', headers: bearer(token) }))
      const at = token.lastIndexOf('.') + 5
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      const { answer } = await refused({ target: '/jwt/whoami', headers: bearer(changed) })
      expectProblem(answer, 401, { 'www-authenticate': INVALID_TOKEN })
    })
  })

  describe('403', () => {
    test.each([
      ['does not match', { email: 'alice@evil.com' }],
      ['is absent', {}],
    ])('A10 a claim that %s, without saying which', async (_what, claims) => {
      const { answer, reason } = await refused({ target: '/claims/whoami', headers: bearer(await keys.sign(claims)) })
      expectProblem(answer, 403)
      expect(reason).toBe('claim')
      expect(decisions.at(-1)?.detail).toContain('email')
      expect(answer.text()).not.toContain('email')
    })

    test('insufficient_scope, with the scopes that the route wants', async () => {
      const token = await keys.sign({ scope: 'orders:read' })
      const { answer, reason } = await refused({ target: '/scoped/whoami', headers: bearer(token) })
      expectProblem(answer, 403, {
        'www-authenticate': 'Bearer error="insufficient_scope", scope="orders:read orders:write"',
      })
      expect(reason).toBe('scope')
    })
  })

  describe('503', () => {
    test('the identity provider is down: Retry-After, never 401 and never a pass', async () => {
      const token = await keys.sign({ iss: dead.issuer })
      for (let round = 0; round < 2; round++) {
        const { answer, reason } = await refused({ target: '/dead/whoami', headers: bearer(token) })
        expectProblem(answer, 503, { 'retry-after': expect.stringMatching(/^[12]$/) })
        expect(reason).toBe('keys_unavailable')
      }
    })

    test('a provider that is down takes no other route with it', async () => {
      expectReached(await ask({ target: '/jwt/whoami', headers: bearer(await keys.sign()) }))
      expectReached(await ask({ target: '/open/whoami' }))
    })
  })
})
