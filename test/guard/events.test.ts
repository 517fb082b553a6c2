/** Everything that is decided is told, and nothing that must stay secret. */
import diagnostics_channel from 'node:diagnostics_channel'
import bcrypt from 'bcryptjs'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Decision, GateRequest, GuardConfig, KeyReport } from '../../src/index.ts'
import {
  createKey,
  createTestClock,
  failing,
  forge,
  type ProviderServer,
  type SigningKey,
  signText,
  signToken,
  startProvider,
} from '../support/keys.ts'
import { ask, claimsFor, guardFor, jwtGuard, listen, request, withPassword, withToken } from './harness.ts'

let key: SigningKey
let stranger: SigningKey
let provider: ProviderServer

beforeAll(async () => {
  key = await createKey('ES256', 'key')
  stranger = await createKey('ES256', 'key')
  provider = await startProvider(key)
})

afterAll(() => provider.close())

afterEach(() => {
  vi.unstubAllEnvs()
})

const QUERY = 'query-secret-4711'
const PASSWORD = 'password-secret-4711'
const WRONG_PASSWORD = 'wrong-secret-4711'
const COOKIE = 'cookie-secret-4711'

describe('events of all decisions', () => {
  it('have each of the reasons that are documented, and hold no token, password, cookie or query', async () => {
    vi.stubEnv('SALLYPORT_TEST_PASSWORD', PASSWORD)
    const clock = createTestClock()
    const down = await startProvider()
    down.answer = failing.down
    const config: GuardConfig = {
      clock,
      trustProxy: ['10.0.0.0/8'],
      internalNetworks: ['192.168.0.0/16'],
      integrations: {
        corp: {
          issuer: provider.url,
          jwksUri: `${provider.jwksUri}?key=${QUERY}`,
          audience: 'orders-api',
          algorithms: ['ES256'],
        },
        away: { issuer: down.url, jwksUri: `${down.jwksUri}?key=${QUERY}`, audience: 'orders-api' },
      },
      routes: [
        { path: '/open', auth: { type: 'none' } },
        { path: '/jwt', auth: { type: 'jwt', integration: 'corp', cookie: 'session' } },
        { path: '/scope', auth: { type: 'jwt', integration: 'corp', scopes: ['write'] } },
        { path: '/claim', auth: { type: 'jwt', integration: 'corp', claims: { role: 'admin' } } },
        { path: '/away', auth: { type: 'jwt', integration: 'away' } },
        {
          path: '/basic',
          auth: { type: 'basic', username: 'ann', password: { secret: 'env:SALLYPORT_TEST_PASSWORD' } },
        },
        { path: '/hash', auth: { type: 'basic', username: 'ann', passwordHash: await bcrypt.hash(PASSWORD, 4) } },
        {
          path: '/verify',
          auth: {
            type: 'basic',
            verify: (username, password) => {
              throw new Error(`cannot check ${username}:${password}`)
            },
          },
        },
        {
          path: '/crash',
          auth: { type: 'jwt', integration: 'corp', cookie: 'session' },
        },
        { host: 'in.example.com', path: '/', exposed: false, auth: { type: 'none' } },
      ],
    }
    const guard = guardFor(config)
    const events = listen(guard)
    provider.documents.set(`/jwks?key=${QUERY}`, { keys: [key.jwk] })
    await guard.ready().catch(() => {})

    const tokens: string[] = []
    const sign = async (more: object, header: Record<string, unknown> = {}, by = key) => {
      const token = await signToken(by, claimsFor(provider, clock, more), header)
      tokens.push(token)
      return token
    }
    const bearer = async (target: string, more: object = {}, header?: Record<string, unknown>, by?: SigningKey) =>
      withToken(await sign(more, header, by), { target: `${target}?access_token=${QUERY}` })
    const garbage = `${QUERY}.not-a-token`
    tokens.push(garbage)

    const asked: [string, GateRequest][] = [
      ['open', request({ target: `/open?x=${QUERY}`, headers: { Cookie: `a=${COOKIE}` } })],
      ['authenticated', await bearer('/jwt')],
      ['authenticated', withPassword('ann', PASSWORD, { target: '/basic' })],
      ['no_credentials', request({ target: `/jwt?x=${QUERY}` })],
      ['no_credentials', request({ target: `/basic?x=${QUERY}` })],
      ['bad_credentials', withPassword('ann', WRONG_PASSWORD, { target: '/basic' })],
      ['bad_credentials', withPassword(WRONG_PASSWORD, 'x', { target: '/basic' })],
      ['malformed', withToken(garbage, { target: '/jwt' })],
      ['malformed', request({ target: '/basic', headers: { Authorization: `Basic ${WRONG_PASSWORD}` } })],
      ['algorithm', withToken(forge({ alg: 'HS256' }, claimsFor(provider, clock)), { target: '/jwt' })],
      ['type', await bearer('/jwt', {}, { typ: 'id+jwt' })],
      ['issuer', await bearer('/jwt', { iss: 'https://other.example/' })],
      ['audience', await bearer('/jwt', { aud: 'x' })],
      ['expired', await bearer('/jwt', { exp: 1 })],
      ['not_yet_valid', await bearer('/jwt', { nbf: 9e9 })],
      ['unknown_key', await bearer('/jwt', {}, { kid: 'other' }, stranger)],
      ['signature', await bearer('/jwt', {}, {}, stranger)],
      ['scope', await bearer('/scope', { scope: 'read' })],
      ['claim', await bearer('/claim', { role: 'user' })],
      [
        'cross_origin',
        request({
          method: 'POST',
          target: '/jwt',
          headers: { Cookie: `session=${COOKIE}`, Origin: 'http://evil.example' },
        }),
      ],
      ['keys_unavailable', withToken(await sign({ iss: down.url }), { target: '/away' })],
      ['check_failed', withPassword('ann', PASSWORD, { target: '/verify' })],
      ['no_route', request({ target: `/nowhere?x=${QUERY}` })],
      ['not_exposed', request({ host: 'in.example.com', from: '192.0.2.1', target: `/?x=${QUERY}` })],
      ['ambiguous_target', request({ target: `/%2f?x=${QUERY}` })],
      ['ambiguous_target', request({ target: `http://user:${PASSWORD}@app.example.com/` })],
      ['ambiguous_target', request({ target: `user:${PASSWORD}@app.example.com:443`, method: 'CONNECT' })],
      ['ambiguous_target', request({ target: `/a#access_token=${QUERY}` })],
      ['ambiguous_host', request({ host: `user:${PASSWORD}@app.example.com` })],
      ['ambiguous_forwarding', request({ from: '10.0.0.1', headers: { 'X-Forwarded-Proto': 'https, http' } })],
      [
        'duplicate_header',
        request({ headers: { Authorization: `Bearer ${tokens[0]}`, authorization: `Bearer ${garbage}` } }),
      ],
      ['error', { ...request({ method: 'POST', target: '/crash' }), headers: undefined as never }],
    ]
    for (const [reason, each] of asked) {
      await guard.handle(each)
      expect(events.reason).toBe(reason)
    }
    const flood = Array.from({ length: 110 }, (_, n) =>
      ask(guard, withPassword('ann', `${WRONG_PASSWORD}${n}`, { target: '/hash' })),
    )
    await Promise.all(flood)
    await guard.close()
    await ask(guard, await bearer('/jwt'))

    expect(events.decisions).toHaveLength(asked.length + 110 + 1)
    expect(new Set(events.decisions.map(({ reason }) => reason))).toEqual(
      new Set([...asked.map(([reason]) => reason), 'busy', 'closed']),
    )
    const told = JSON.stringify(events)
    const encoded = [PASSWORD, WRONG_PASSWORD].map((text) => Buffer.from(text).toString('base64').slice(4, -4))
    const parts = tokens.flatMap((token) => token.split('.')).filter((part) => part.length > 20)
    const secrets = [QUERY, PASSWORD, WRONG_PASSWORD, COOKIE, ...encoded, ...tokens, ...parts]
    expect(secrets.filter((secret) => told.includes(secret))).toEqual([])
    await down.close()
  })

  it('say who, where and what', async () => {
    const { guard, clock, events } = jwtGuard(provider, {
      config: {
        routes: [
          { name: 'orders', host: 'app.example.com', path: '/orders', auth: { type: 'jwt', integration: 'corp' } },
        ],
      },
    })
    const token = await signToken(key, claimsFor(provider, clock))
    await guard.handle(
      withToken(token, {
        method: 'POST',
        host: 'APP.example.com:80',
        target: '/orders//7/?x=1',
        from: '::ffff:192.0.2.7',
      }),
    )
    expect(events.decisions).toEqual([
      {
        kind: 'http',
        method: 'POST',
        host: 'app.example.com',
        path: '/orders/7',
        clientAddress: '192.0.2.7',
        route: 'orders',
        outcome: 'pass',
        status: null,
        reason: 'authenticated',
        detail: null,
        id: expect.stringMatching(/^[\w-]{43}$/),
        subject: 'ann',
        integration: 'corp',
      },
    ])
    await guard.handle(withToken(token, { kind: 'upgrade', target: '/orders' }))
    expect(events.decisions.at(-1)).toMatchObject({ kind: 'upgrade', outcome: 'pass' })
  })

  it('are one for each request, cached or not', async () => {
    const { guard, clock, events } = jwtGuard(provider)
    const asked = withToken(await signToken(key, claimsFor(provider, clock)))
    for (let count = 1; count <= 3; count++) {
      await guard.handle(asked)
      expect(events.decisions).toHaveLength(count)
    }
  })

  it('are short, whatever strangers send', async () => {
    const { guard, clock, events } = jwtGuard(provider)
    const long = 'x'.repeat(30_000)
    await guard.handle(withToken(forge({ alg: long }, claimsFor(provider, clock))))
    await guard.handle(withToken(forge({ alg: 'ES256', typ: long }, claimsFor(provider, clock))))
    await guard.handle(withToken(forge({ alg: 'ES256', kid: long }, claimsFor(provider, clock))))
    await guard.handle(withToken(forge({ alg: 'ES256' }, claimsFor(provider, clock, { iss: long }))))
    await guard.handle(
      withToken(
        signText(key, '{"alg":"ES256","kid":"key"}', JSON.stringify(claimsFor(provider, clock, { aud: [long] }))),
      ),
    )
    expect(events.decisions.map(({ reason }) => reason)).toEqual([
      'algorithm',
      'type',
      'unknown_key',
      'issuer',
      'audience',
    ])
    for (const { detail } of events.decisions) expect(detail?.length).toBeLessThan(400)
  })
})

describe('listeners', () => {
  it('that throw or reject harm no request and no other listener; a warning tells', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    try {
      const guard = guardFor({ routes: [{ path: '/', auth: { type: 'none' } }] })
      guard.on('decision', () => {
        throw new Error('listener-one')
      })
      guard.on('decision', () => Promise.reject(new Error('listener-two')))
      const events = listen(guard)
      expect(await ask(guard, request())).toBe('pass')
      expect(events.decisions).toHaveLength(1)
      await expect.poll(() => warnings.length).toBe(2)
      expect(warnings).toMatchObject([{ code: 'SALLYPORT_LISTENER' }, { code: 'SALLYPORT_LISTENER' }])
    } finally {
      process.off('warning', onWarning)
    }
  })

  it('stop when they are told to, each for itself', async () => {
    const guard = guardFor({ routes: [{ path: '/', auth: { type: 'none' } }] })
    const heard: string[] = []
    const listener = () => heard.push('x')
    const stop = guard.on('decision', listener)
    guard.on('decision', listener)
    await ask(guard, request())
    stop()
    stop()
    await ask(guard, request())
    expect(heard).toHaveLength(3)
  })

  it('for an event that does not exist are refused by name', () => {
    const guard = guardFor({ routes: [{ path: '/', auth: { type: 'none' } }] })
    expect(() => guard.on('decisions' as 'decision', () => {})).toThrow(/no event named "decisions"/)
  })

  it('on the diagnostics channels receive the same', async () => {
    const heard: unknown[] = []
    const onMessage = (message: unknown) => heard.push(message)
    diagnostics_channel.subscribe('sallyport:decision', onMessage)
    diagnostics_channel.subscribe('sallyport:keys', onMessage)
    try {
      const { guard, clock } = jwtGuard(provider)
      await guard.handle(withToken(await signToken(key, claimsFor(provider, clock))))
      expect(heard).toMatchObject([
        { kind: 'loaded', source: provider.jwksUri } satisfies Partial<KeyReport>,
        { outcome: 'pass', subject: 'ann' } satisfies Partial<Decision>,
      ])
    } finally {
      diagnostics_channel.unsubscribe('sallyport:decision', onMessage)
      diagnostics_channel.unsubscribe('sallyport:keys', onMessage)
    }
  })

  it('one guard does not hear another', async () => {
    const config: GuardConfig = { routes: [{ path: '/', auth: { type: 'none' } }] }
    const [first, second] = [guardFor(config), guardFor(config)]
    const events = listen(first)
    await ask(second, request())
    expect(events.decisions).toEqual([])
  })
})
