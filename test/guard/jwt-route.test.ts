import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GateRequest, JwtAuth } from '../../src/index.ts'
import { createKey, type ProviderServer, type SigningKey, signToken, startProvider } from '../support/keys.ts'
import { ask, authOf, claimsFor, field, guardFor, jwtGuard, replyTo, request, withToken } from './harness.ts'

let key: SigningKey
let provider: ProviderServer

beforeAll(async () => {
  key = await createKey('ES256', 'key')
  provider = await startProvider(key)
})

afterAll(() => provider.close())

describe('A11 a good token', () => {
  it('passes, and the application sees who came', async () => {
    const { guard, clock } = jwtGuard(provider)
    const claims = claimsFor(provider, clock)
    const auth = await authOf(guard, withToken(await signToken(key, claims)))
    expect(auth).toEqual({
      type: 'jwt',
      route: '/',
      integration: 'corp',
      subject: 'ann',
      id: expect.stringMatching(/^[\w-]{43}$/),
      claims,
    })
  })

  it('passes at once the second time', async () => {
    const { guard, clock } = jwtGuard(provider)
    const token = await signToken(key, claimsFor(provider, clock))
    const first = await authOf(guard, withToken(token))
    const second = guard.handle(withToken(token))
    expect(second).not.toBeInstanceOf(Promise)
    expect(second).toEqual({ kind: 'pass', auth: first })
  })

  it.each([{ maxBytes: undefined }, { maxEntries: 10, maxBytes: undefined }, { maxEntries: undefined }])(
    'passes with tokenCache %j: a bound that is undefined is the default',
    async (tokenCache) => {
      const { guard, clock } = jwtGuard(provider, { config: { tokenCache: tokenCache as object } })
      const token = withToken(await signToken(key, claimsFor(provider, clock)))
      for (let round = 0; round < 2; round++) expect(await ask(guard, token)).toBe('pass')
    },
  )

  it.each(['bearer', 'BEARER', 'bEaReR'])('passes with the scheme spelled %s', async (scheme) => {
    const { guard, clock } = jwtGuard(provider)
    const token = await signToken(key, claimsFor(provider, clock))
    expect(await ask(guard, request({ headers: { Authorization: `${scheme} ${token}` } }))).toBe('pass')
    expect(await ask(guard, request({ headers: { authorization: `${scheme}   ${token}` } }))).toBe('pass')
  })

  it('names its subject by the integration: another claim, and an id that hangs on the issuer', async () => {
    const { guard, clock } = jwtGuard(provider, { integration: { subjectClaim: 'oid' } })
    const id = async (claims: object) =>
      (await authOf(guard, withToken(await signToken(key, claimsFor(provider, clock, claims))))).id
    expect(await id({ oid: '1', sub: 'x' })).toBe(await id({ oid: '1', sub: 'y' }))
    expect(await id({ oid: '1' })).not.toBe(await id({ oid: '2' }))
  })

  it.each([[undefined], [null], [7], [['ann']], [{ name: 'ann' }]])(
    'with the subject %j has no subject and no id',
    async (sub) => {
      const { guard, clock } = jwtGuard(provider)
      const auth = await authOf(guard, withToken(await signToken(key, claimsFor(provider, clock, { sub }))))
      expect(auth).not.toHaveProperty('subject')
      expect(auth).not.toHaveProperty('id')
    },
  )

  it.each(['toString', 'constructor', '__proto__'])('has no subject from the prototype: %s', async (subjectClaim) => {
    const { guard, clock } = jwtGuard(provider, { integration: { subjectClaim } })
    const auth = await authOf(guard, withToken(await signToken(key, claimsFor(provider, clock))))
    expect(auth).not.toHaveProperty('subject')
  })

  it('gives each request the same facts, which nobody can change for the next', async () => {
    const { guard, clock } = jwtGuard(provider)
    const token = await signToken(key, claimsFor(provider, clock, { roles: ['user'] }))
    const auth = await authOf(guard, withToken(token))
    expect(() => Object.assign(auth, { subject: 'root' })).toThrow(TypeError)
    expect(() => Object.assign(auth.claims ?? {}, { sub: 'root' })).toThrow(TypeError)
    const { roles } = auth.claims as { roles: string[] }
    expect(() => roles.push('admin')).toThrow(TypeError)
    expect((await authOf(guard, withToken(token))).subject).toBe('ann')
  })

  it('is told apart by route: the facts of one are not those of the other', async () => {
    const { clock, guard } = jwtGuard(provider, {
      config: {
        routes: ['/a', '/b'].map((path) => ({ path, auth: { type: 'jwt', integration: 'corp' } as const })),
      },
    })
    const token = await signToken(key, claimsFor(provider, clock))
    for (let round = 0; round < 2; round++) {
      expect((await authOf(guard, withToken(token, { target: '/a/x' }))).route).toBe('/a')
      expect((await authOf(guard, withToken(token, { target: '/b' }))).route).toBe('/b')
    }
  })
})

describe('A11 no credentials', () => {
  it('403 with a Bearer challenge without error', async () => {
    const { guard } = jwtGuard(provider)
    const reply = await replyTo(guard, request())
    expect(reply.status).toBe(403)
    expect(field(reply, 'www-authenticate')).toBe('Bearer')
    expect(field(reply, 'cache-control')).toBe('no-store')
    expect(field(reply, 'content-type')).toBe('application/problem+json')
    expect(JSON.parse(String(reply.body))).toEqual({ type: 'about:blank', title: 'Forbidden', status: 403 })
  })

  it('401 where the guard or the route says so; the route has the last word', async () => {
    const auth: JwtAuth = { type: 'jwt', integration: 'corp' }
    const { guard } = jwtGuard(provider, {
      config: {
        unauthenticated: 401,
        routes: [
          { path: '/a', auth },
          { path: '/b', auth: { ...auth, unauthenticated: 403 } },
        ],
      },
    })
    expect(await ask(guard, request({ target: '/a' }))).toBe(401)
    expect(await ask(guard, request({ target: '/b' }))).toBe(403)
    const { guard: other } = jwtGuard(provider, { auth: { unauthenticated: 401 } })
    const reply = await replyTo(other, request())
    expect(reply.status).toBe(401)
    expect(field(reply, 'www-authenticate')).toBe('Bearer')
  })

  it.each(['Basic aGVsbG86d29ybGQ=', 'Digest username="x"', 'Bearerabc', 'Bear', '', 'Token x', 'DPoP abc'])(
    'is another scheme too: %j',
    async (authorization) => {
      const { guard, events } = jwtGuard(provider)
      expect(await ask(guard, request({ headers: { Authorization: authorization } }))).toBe(403)
      expect(events.reason).toBe('no_credentials')
    },
  )

  it('is a token in the query or the body: those are not read (RFC 6750 §2.2, §2.3)', async () => {
    const { guard, clock } = jwtGuard(provider)
    const token = await signToken(key, claimsFor(provider, clock))
    expect(await ask(guard, request({ target: `/?access_token=${token}` }))).toBe(403)
  })

  it('is a token in a cookie or another header that was not asked for', async () => {
    const { guard, clock } = jwtGuard(provider)
    const token = await signToken(key, claimsFor(provider, clock))
    for (const name of ['Cookie', 'X-Access-Token', 'Proxy-Authorization', 'X-Forwarded-Authorization']) {
      const value = name === 'Cookie' ? `access_token=${token}` : `Bearer ${token}`
      expect(await ask(guard, request({ headers: { [name]: value } }))).toBe(403)
    }
  })
})

describe('A11 a token that is not good', () => {
  it.each([
    ['malformed', () => 'not-a-token'],
    ['malformed', () => ''],
    ['malformed', () => 'a.b.c d'],
    ['malformed', () => '{"protected":"x"}'],
    ['expired', { exp: 1_799_999_995 }],
    ['not_yet_valid', { nbf: 1_800_000_060 }],
    ['issuer', { iss: 'https://other.example/' }],
    ['audience', { aud: 'billing-api' }],
    ['audience', { aud: undefined }],
    ['type', { token_use: 'id' }],
  ])('401 invalid_token, in the same words for each: %s', async (reason, wrong) => {
    const { guard, clock, events } = jwtGuard(provider)
    const token = typeof wrong === 'function' ? wrong() : await signToken(key, claimsFor(provider, clock, wrong))
    const reply = await replyTo(guard, withToken(token))
    expect(reply.status).toBe(401)
    expect(field(reply, 'www-authenticate')).toBe(
      'Bearer error="invalid_token", error_description="The token is malformed, expired, revoked, or not meant for this service"',
    )
    expect(JSON.parse(String(reply.body))).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401 })
    expect(events.decisions.at(-1)).toMatchObject({ outcome: 'reply', status: 401, reason, subject: null, id: null })
  })

  it('is 401, not 500, with nesting deeper than the stack in a claim that is told of', async () => {
    const { guard, clock } = jwtGuard(provider)
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    const payload = JSON.stringify(claimsFor(provider, clock, { aud: 'AUD' })).replace('"AUD"', deep)
    const token = ['{"alg":"ES256","kid":"key"}', payload, 'x'].map((part) => Buffer.from(part).toString('base64url'))
    expect(await ask(guard, withToken(token.join('.')))).toBe(401)
  })
})

describe('A10 claim rules on a route', () => {
  it('403 without a challenge where the rule is not on scopes; the claim is named in the event only', async () => {
    const { guard, clock, events } = jwtGuard(provider, { auth: { claims: { email: '*@example.com', 'a.b': ['x'] } } })
    const claims = { email: 'ann@example.com', a: { b: 'x' } }
    expect(await ask(guard, withToken(await signToken(key, claimsFor(provider, clock, claims))))).toBe('pass')
    const token = await signToken(key, claimsFor(provider, clock, { ...claims, a: {} }))
    const reply = await replyTo(guard, withToken(token))
    expect(reply.status).toBe(403)
    expect(field(reply, 'www-authenticate')).toBeUndefined()
    expect(JSON.stringify(reply)).not.toContain('a.b')
    expect(events.decisions.at(-1)).toMatchObject({
      reason: 'claim',
      detail: 'claim "a.b" is missing',
      subject: 'ann',
      integration: 'corp',
    })
    expect(await ask(guard, withToken(token))).toBe(403)
    const other = await signToken(key, claimsFor(provider, clock, { ...claims, a: { b: 'y' } }))
    expect(await ask(guard, withToken(other))).toBe(403)
    expect(events.decisions.at(-1)).toMatchObject({ reason: 'claim', detail: 'claim "a.b" is not accepted' })
  })

  it('403 insufficient_scope where it is, with the scopes that would do', async () => {
    const { guard, clock } = jwtGuard(provider, { auth: { claims: { scope: ['orders:read', 'orders:*'] } } })
    const reply = await replyTo(guard, withToken(await signToken(key, claimsFor(provider, clock, { scope: 'openid' }))))
    expect(reply.status).toBe(403)
    expect(field(reply, 'www-authenticate')).toBe('Bearer error="insufficient_scope", scope="orders:read"')
    expect(
      await ask(guard, withToken(await signToken(key, claimsFor(provider, clock, { scope: 'openid orders:write' })))),
    ).toBe('pass')
  })

  it('a pattern alone cannot be asked for, so the challenge names none', async () => {
    const { guard, clock } = jwtGuard(provider, { auth: { claims: { scp: 'orders:*' } } })
    const reply = await replyTo(guard, withToken(await signToken(key, claimsFor(provider, clock))))
    expect(field(reply, 'www-authenticate')).toBe('Bearer error="insufficient_scope"')
  })

  it.each<[string, object, boolean]>([
    ['both in scope', { scope: 'a b' }, true],
    ['both in scp', { scp: 'b a c' }, true],
    ['both in a list', { scp: ['a', 'b'] }, true],
    ['one in each', { scope: 'a', scp: ['b'] }, true],
    ['one only', { scope: 'a' }, false],
    ['none', {}, false],
    ['in another case', { scope: 'A B' }, false],
    ['as the start of others', { scope: 'aa bb' }, false],
    ['with other spaces', { scope: 'a\tb' }, false],
    ['in a list of a list', { scp: [['a', 'b']] }, false],
    ['as keys', { scope: { a: true, b: true } }, false],
    ['null', { scope: null }, false],
    ['a star', { scope: '*' }, false],
    ['as one entry of a list', { scp: ['a b'] }, false],
  ])('scopes asks for all of them: %s', async (_, claims, enough) => {
    const { guard, clock, events } = jwtGuard(provider, { auth: { scopes: ['a', 'b'] } })
    const asked = withToken(await signToken(key, claimsFor(provider, clock, claims)))
    expect(await ask(guard, asked)).toBe(enough ? 'pass' : 403)
    if (enough) return
    expect(field(await replyTo(guard, asked), 'www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="a b"',
    )
    expect(events.decisions.at(-1)).toMatchObject({ reason: 'scope', detail: 'wants a b', subject: 'ann' })
  })

  it('are judged again for each request: another route may want more of the same token', async () => {
    const { guard, clock } = jwtGuard(provider, {
      config: {
        routes: [
          { path: '/', auth: { type: 'jwt', integration: 'corp' } },
          { path: '/admin', auth: { type: 'jwt', integration: 'corp', claims: { role: 'admin' } } },
        ],
      },
    })
    const token = await signToken(key, claimsFor(provider, clock, { role: 'user' }))
    for (let round = 0; round < 2; round++) {
      expect(await ask(guard, withToken(token))).toBe('pass')
      expect(await ask(guard, withToken(token, { target: '/admin' }))).toBe(403)
    }
  })

  it.each(['toString', 'constructor', 'hasOwnProperty'])('a rule on %s from JSON is not lost', async (name) => {
    const { guard, clock } = jwtGuard(provider, { auth: JSON.parse(`{"claims":{"${name}":"*"}}`) })
    expect(await ask(guard, withToken(await signToken(key, claimsFor(provider, clock))))).toBe(403)
    const claims = JSON.parse(`{"${name}":"x"}`)
    expect(await ask(guard, withToken(await signToken(key, { ...claimsFor(provider, clock), ...claims })))).toBe('pass')
  })
})

describe('A7 access token or ID token', () => {
  it('as the integration says', async () => {
    const [access, id] = (['access_token', 'id_token'] as const).map((jwtSource) =>
      jwtGuard(provider, { integration: { jwtSource } }),
    )
    if (access === undefined || id === undefined) throw new Error('both')
    const token = (typ: string | undefined, claims: object) =>
      signToken(key, claimsFor(provider, access.clock, claims), { typ })
    const cases = [
      [await token('at+jwt', {}), 'pass', 401],
      [await token('application/at+jwt', {}), 'pass', 401],
      [await token('id+jwt', {}), 401, 'pass'],
      [await token('JWT', {}), 'pass', 'pass'],
      [await token(undefined, {}), 'pass', 'pass'],
      [await token('JWT', { token_use: 'access' }), 'pass', 401],
      [await token('JWT', { token_use: 'id' }), 401, 'pass'],
      [await token('logout+jwt', {}), 401, 401],
    ] as const
    for (const [asked, asAccess, asId] of cases) {
      expect(await ask(access.guard, withToken(asked))).toBe(asAccess)
      expect(await ask(id.guard, withToken(asked))).toBe(asId)
    }
  })
})

describe('A6 audience', () => {
  it('null accepts what was made for others, typed out', async () => {
    const { guard, clock } = jwtGuard(provider, { integration: { audience: null } })
    for (const aud of ['x', ['x', 'y'], undefined, null]) {
      expect(await ask(guard, withToken(await signToken(key, claimsFor(provider, clock, { aud }))))).toBe('pass')
    }
  })

  it('two integrations of one provider with audiences of their own never accept for each other, cached or not', async () => {
    const integration = { issuer: provider.url, jwksUri: provider.jwksUri }
    const { guard, clock, events } = jwtGuard(provider, {
      config: {
        integrations: {
          orders: { ...integration, audience: 'orders-api' },
          billing: { ...integration, audience: 'billing-api' },
        },
        routes: ['orders', 'billing'].map((name) => ({ path: `/${name}`, auth: { type: 'jwt', integration: name } })),
      },
    })
    const before = provider.fetches
    const tokens = {
      orders: await signToken(key, claimsFor(provider, clock, { aud: 'orders-api' })),
      billing: await signToken(key, claimsFor(provider, clock, { aud: 'billing-api' })),
      both: await signToken(key, claimsFor(provider, clock, { aud: ['orders-api', 'billing-api'] })),
    }
    for (let round = 0; round < 3; round++) {
      expect(await ask(guard, withToken(tokens.orders, { target: '/orders' }))).toBe('pass')
      expect(await ask(guard, withToken(tokens.orders, { target: '/billing' }))).toBe(401)
      expect(events.reason).toBe('audience')
      expect(await ask(guard, withToken(tokens.billing, { target: '/orders' }))).toBe(401)
      expect(await ask(guard, withToken(tokens.billing, { target: '/billing' }))).toBe('pass')
      expect((await authOf(guard, withToken(tokens.both, { target: '/orders' }))).integration).toBe('orders')
      expect((await authOf(guard, withToken(tokens.both, { target: '/billing' }))).integration).toBe('billing')
    }
    expect(provider.fetches).toBe(before + 1)
  })
})

describe('A6 several integrations on one route', () => {
  it('one of them must accept the token; an id hangs on the issuer', async () => {
    const partnerKey = await createKey('ES256', 'key')
    const partner = await startProvider(partnerKey)
    try {
      const { guard, clock } = jwtGuard(provider, {
        config: {
          integrations: {
            corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'orders-api' },
            partner: { issuer: partner.url, jwksUri: partner.jwksUri, audience: 'orders-api' },
          },
        },
        auth: { integration: ['corp', 'partner'] },
      })
      const own = await authOf(guard, withToken(await signToken(key, claimsFor(provider, clock))))
      const theirs = await authOf(guard, withToken(await signToken(partnerKey, claimsFor(partner, clock))))
      expect([own.integration, theirs.integration]).toEqual(['corp', 'partner'])
      expect(own.id).not.toBe(theirs.id)
      // Each other's key under the same name.
      expect(await ask(guard, withToken(await signToken(partnerKey, claimsFor(provider, clock))))).toBe(401)
      expect(await ask(guard, withToken(await signToken(key, claimsFor(partner, clock))))).toBe(401)
    } finally {
      await partner.close()
    }
  })
})

describe('A11 a token in a cookie', () => {
  const auth = { cookie: 'access_token' }
  const origin = 'http://app.example.com'

  async function setUp() {
    const { guard, clock, events } = jwtGuard(provider, { auth })
    const token = await signToken(key, claimsFor(provider, clock))
    const Cookie = `theme=dark; access_token=${token}; other=1`
    return { guard, clock, events, token, Cookie }
  }

  it('is taken where there is no bearer token', async () => {
    const { guard, Cookie, token } = await setUp()
    expect(await ask(guard, request({ headers: { Cookie } }))).toBe('pass')
    expect(await ask(guard, request({ headers: { Cookie, Authorization: 'Basic aGVsbG86d29ybGQ=' } }))).toBe('pass')
    expect(await ask(guard, request({ headers: { Cookie: `access_token="${token}"` } }))).toBe('pass')
    expect(await ask(guard, request({ headers: { Cookie: 'other=1' } }))).toBe(403)
  })

  it('keeps its answers out of shared caches, and pages out of all; a bearer token does so by itself', async () => {
    const { guard, Cookie, token } = await setUp()
    const cacheControl = async (asked: GateRequest) => {
      const outcome = await guard.handle(asked)
      return outcome.kind === 'pass' ? outcome.headers?.['cache-control'] : outcome.kind
    }
    // The first is decided once the keys are there, the others at once.
    for (let round = 0; round < 2; round++) {
      expect(await cacheControl(request({ headers: { Cookie } }))).toBe('private')
      expect(await cacheControl(request({ headers: { Cookie, Accept: 'text/html' } }))).toBe('no-store')
      expect(await cacheControl(withToken(token, { headers: { Cookie, Accept: 'text/html' } }))).toBeUndefined()
    }
  })

  it('is not looked at where there is one, be it a bad one', async () => {
    const { guard, Cookie } = await setUp()
    for (const Authorization of ['Bearer x', 'Bearer ', 'Bearer']) {
      expect(await ask(guard, request({ headers: { Cookie, Authorization } }))).toBe(401)
    }
  })

  it.each<[string, Record<string, string>, number | 'pass']>([
    ['the same origin', { Origin: origin }, 'pass'],
    ['the same origin in capitals', { Origin: 'HTTP://APP.example.com' }, 'pass'],
    ['another origin', { Origin: 'http://evil.example' }, 403],
    ['a sibling', { Origin: 'http://other.example.com' }, 403],
    ['another scheme', { Origin: 'https://app.example.com' }, 403],
    ['another port', { Origin: 'http://app.example.com:8080' }, 403],
    ['an opaque origin', { Origin: 'null' }, 403],
    ['an opaque origin, Sec-Fetch-Site same-origin', { Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }, 'pass'],
    ['an empty origin', { Origin: '' }, 403],
    ['Sec-Fetch-Site same-origin', { 'Sec-Fetch-Site': 'same-origin' }, 'pass'],
    ['Sec-Fetch-Site same-site', { 'Sec-Fetch-Site': 'same-site' }, 403],
    ['Sec-Fetch-Site cross-site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['Sec-Fetch-Site none', { 'Sec-Fetch-Site': 'none' }, 403],
    [
      'an Origin that contradicts Sec-Fetch-Site',
      { Origin: 'http://evil.example', 'Sec-Fetch-Site': 'same-origin' },
      403,
    ],
    ['neither', {}, 403],
  ])('POST needs the same origin: %s', async (_, headers, expected) => {
    const { guard, Cookie, events } = await setUp()
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      expect(await ask(guard, request({ method, headers: { Cookie, ...headers } }))).toBe(expected)
      if (expected !== 'pass') expect(events.reason).toBe('cross_origin')
    }
    // A page cannot read what it gets, and a link from elsewhere must work.
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      expect(await ask(guard, request({ method, headers: { Cookie, ...headers } }))).toBe('pass')
    }
    expect(await ask(guard, request({ kind: 'upgrade', headers: { Cookie, ...headers } }))).toBe(expected)
  })

  it('a POST with a bearer token needs no origin: no browser attaches that by itself', async () => {
    const { guard, token } = await setUp()
    expect(await ask(guard, withToken(token, { method: 'POST', headers: { Origin: 'http://evil.example' } }))).toBe(
      'pass',
    )
    expect(await ask(guard, withToken(token, { kind: 'upgrade' }))).toBe('pass')
  })

  it('behind a trusted proxy the origin is the one that the client sees', async () => {
    const { guard, clock } = jwtGuard(provider, { auth, config: { trustProxy: ['10.0.0.0/8'] } })
    const Cookie = `access_token=${await signToken(key, claimsFor(provider, clock))}`
    const forwarded = { Cookie, 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'public.example.com' }
    const post = (headers: Record<string, string>, from: string) => request({ method: 'POST', from, headers })
    const headers = { ...forwarded, Origin: 'https://public.example.com' }
    expect(await ask(guard, post(headers, '10.0.0.1'))).toBe('pass')
    expect(await ask(guard, post(headers, '192.0.2.1'))).toBe(403)
    expect(await ask(guard, post({ ...forwarded, Origin: origin }, '10.0.0.1'))).toBe(403)
  })

  it.each([':99999', ':0', ':'])('a host with the port %j is decided without an exception', async (port) => {
    const { guard, Cookie } = await setUp()
    const host = `app.example.com${port}`
    const outcome = ask(guard, request({ method: 'POST', host, headers: { Cookie, Origin: `http://${host}` } }))
    expect([400, 403, 'pass']).toContain(await outcome)
  })

  it('twice with different values is none: a sibling subdomain can set a second one', async () => {
    const { guard, Cookie, token } = await setUp()
    expect(await ask(guard, request({ headers: { Cookie: `access_token=evil; ${Cookie}` } }))).toBe(403)
    expect(await ask(guard, request({ headers: { Cookie: `access_token=${token}; ${Cookie}` } }))).toBe('pass')
  })
})

describe('a guard without integrations in use', () => {
  it('fetches nothing', async () => {
    const guard = guardFor({
      integrations: { corp: { issuer: 'https://login.example.com/', audience: 'x' } },
      routes: [{ path: '/', auth: { type: 'none' } }],
      fetch: () => Promise.reject(new Error('must not be called')),
    })
    await guard.ready()
    expect(await ask(guard, request())).toBe('pass')
  })
})
