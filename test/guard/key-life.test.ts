/** Keys over time: a guard before a real HTTP server of an identity provider that is slow, down, rotating or sending garbage. */
import { createServer, type Socket } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createKey,
  createNamelessKey,
  failing,
  forge,
  type ProviderServer,
  type SigningKey,
  signToken,
  startProvider,
} from '../support/keys.ts'
import { ask, claimsFor, field, guardFor, jwtGuard, listen, replyTo, withToken } from './harness.ts'

let one: SigningKey
let two: SigningKey
let provider: ProviderServer

beforeAll(async () => {
  one = await createKey('ES256', 'one')
  two = await createKey('ES256', 'two')
})

beforeEach(async () => {
  provider = await startProvider(one)
})

afterEach(() => provider.close())

/** A guard whose tokens live longer than any test. */
function setUp(integration: object = {}) {
  const made = jwtGuard(provider, { integration: { keys: { timeoutMs: 10_000 }, ...integration } })
  const claims = (more: object = {}) => claimsFor(provider, made.clock, { exp: made.clock.now() / 1000 + 1e6, ...more })
  const token = (key: SigningKey, more: object = {}, header: Record<string, unknown> = {}) =>
    signToken(key, claims(more), header)
  return { ...made, claims, token }
}

describe('A6 keys are cached', () => {
  it('one fetch for a hundred first requests, and none after that', async () => {
    const { guard, token } = setUp()
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, n) => token(one, { n })))
    expect(new Set(await Promise.all(tokens.map((each) => ask(guard, withToken(each)))))).toEqual(new Set(['pass']))
    for (const each of tokens) expect(await ask(guard, withToken(each))).toBe('pass')
    expect(provider.fetches).toBe(1)
  })

  it('renewed in the background before they are stale: no request is held up, be the provider silent', async () => {
    const { guard, clock, token, events } = setUp()
    const asked = withToken(await token(one))
    await guard.handle(asked)
    clock.advance(479)
    expect(guard.handle(asked)).toMatchObject({ kind: 'pass' })
    expect(events.keys).toHaveLength(1)
    let answer = () => {}
    provider.answer = (_, response) => {
      answer = () => response.end(JSON.stringify({ keys: [one.jwk] }))
    }
    const renewed = events.nextKeys()
    clock.advance(1)
    for (let count = 0; count < 100; count++) expect(guard.handle(asked)).toMatchObject({ kind: 'pass' })
    await expect.poll(() => provider.fetches).toBe(2)
    expect(guard.handle(asked)).toMatchObject({ kind: 'pass' })
    answer()
    expect(await renewed).toMatchObject({ kind: 'loaded', keys: 1, source: provider.jwksUri })
    clock.advance(479)
    expect(guard.handle(asked)).toMatchObject({ kind: 'pass' })
    expect(provider.fetches).toBe(2)
  })

  it('stale after a time without requests: the next request waits for new ones', async () => {
    const { guard, clock, token } = setUp()
    const [old, fresh] = [await token(one), await token(two)]
    expect(await ask(guard, withToken(old))).toBe('pass')
    provider.keys = [two.jwk]
    clock.advance(601)
    expect(await ask(guard, withToken(old))).toBe(401)
    expect(await ask(guard, withToken(fresh))).toBe('pass')
  })

  it('for as long as the configuration says', async () => {
    const { guard, clock, token } = setUp({ keys: { maxAgeSeconds: 10, ceilingSeconds: 20 } })
    const asked = withToken(await token(one))
    await guard.handle(asked)
    provider.answer = failing.down
    clock.advance(10)
    expect(await ask(guard, asked)).toBe('pass')
    clock.advance(9.999)
    expect(await ask(guard, asked)).toBe('pass')
    clock.advance(0.001)
    expect(await ask(guard, asked)).toBe(503)
  })

  it('two integrations with other key times do not share them; with the same they do', async () => {
    const { clock } = setUp()
    const integration = { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'orders-api' }
    const guard = guardFor({
      clock,
      integrations: {
        a: integration,
        b: { ...integration, audience: 'billing-api' },
        c: { ...integration, keys: { maxAgeSeconds: 60 } },
      },
      routes: ['a', 'b', 'c'].map((name) => ({ path: `/${name}`, auth: { type: 'jwt', integration: name } })),
    })
    await guard.ready()
    expect(provider.fetches).toBe(2)
  })
})

describe('A6 a provider that is down', () => {
  it('is passed over up to the ceiling, then 503 with Retry-After; never 401, never a pass', async () => {
    const { guard, clock, token, events } = setUp()
    const asked = withToken(await token(one))
    expect(await ask(guard, asked)).toBe('pass')
    provider.answer = failing.down
    clock.advance(21_599)
    expect(await ask(guard, asked)).toBe('pass')
    clock.advance(1)
    const reply = await replyTo(guard, asked)
    expect(reply.status).toBe(503)
    expect(field(reply, 'retry-after')).toMatch(/^[1-9]\d*$/)
    expect(field(reply, 'www-authenticate')).toBeUndefined()
    expect(events.decisions.at(-1)).toMatchObject({ reason: 'keys_unavailable', status: 503, subject: null })
    provider.answer = undefined
    clock.advance(75)
    expect(await ask(guard, asked)).toBe('pass')
  })

  it('takes away keys that never were: tokens with no provider to ask are 503, bad ones by their own words 401', async () => {
    const { guard, token, clock } = setUp()
    provider.answer = failing.down
    expect(await ask(guard, withToken(await token(one)))).toBe(503)
    expect(await ask(guard, withToken(await token(one, { exp: 1 })))).toBe(401)
    expect(await ask(guard, withToken(await token(one, { iss: 'https://x.example/' })))).toBe(401)
    expect(await ask(guard, withToken('nonsense'))).toBe(401)
    expect(provider.fetches).toBe(1)
    provider.answer = undefined
    clock.advance(2)
    expect(await ask(guard, withToken(await token(one)))).toBe('pass')
  })

  it('is asked less and less often', async () => {
    const { guard, clock, token, events } = setUp()
    provider.answer = failing.status500
    const asked = withToken(await token(one))
    for (let second = 0; second < 600; second++) {
      expect(await ask(guard, asked)).toBe(503)
      clock.advance(1)
    }
    // 1, 2, 4, 8, 16, 32 and then 60 seconds, each a quarter more or less.
    expect(provider.fetches).toBeGreaterThanOrEqual(11)
    expect(provider.fetches).toBeLessThanOrEqual(20)
    expect(events.keys).toHaveLength(provider.fetches)
    expect(Number(field(await replyTo(guard, asked), 'retry-after'))).toBeLessThanOrEqual(75)
  })

  it('while an unknown key is asked for: 503, since it may be a new one; known keys go on', async () => {
    const { guard, clock, token } = setUp()
    const known = withToken(await token(one))
    const unknown = withToken(await token(two))
    expect(await ask(guard, known)).toBe('pass')
    provider.answer = failing.down
    expect(await ask(guard, unknown)).toBe(503)
    expect(await ask(guard, unknown)).toBe(503)
    expect(provider.fetches).toBe(2)
    expect(guard.handle(known)).toMatchObject({ kind: 'pass' })
    expect(await ask(guard, withToken(await token(one, { n: 2 })))).toBe('pass')
    provider.answer = undefined
    provider.keys = [one.jwk, two.jwk]
    clock.advance(2)
    expect(await ask(guard, unknown)).toBe('pass')
  })

  const pages: [string, NonNullable<ProviderServer['answer']>, RegExp][] = [
    ['hangs up', failing.down, /other side closed|socket|ECONNRESET/i],
    ['answers 500', failing.status500, /answered 500/],
    ['answers 404', (_, response) => void response.writeHead(404).end('{"keys":[]}'), /answered 404/],
    ['answers 204', (_, response) => void response.writeHead(204).end(), /answered 204/],
    ['sends HTML', failing.body('<!doctype html><title>Sign in</title>', 'text/html'), /not JSON/],
    ['sends nothing', failing.body('', 'application/json'), /not JSON/],
    ['sends half a document', failing.body('{"keys":[', 'application/json'), /not JSON/],
    ['sends {}', failing.body('{}', 'application/json'), /not a JWK set/],
    ['sends a list', failing.body('[]', 'application/json'), /not a JWK set/],
    ['sends null', failing.body('null', 'application/json'), /not a JWK set/],
    ['sends an error', failing.body('{"error":"server_error"}', 'application/json'), /not a JWK set/],
    ['sends a megabyte', failing.body(Buffer.alloc(1 << 20, 0x20), 'application/json'), /more than 524288 bytes/],
    [
      'sends without an end',
      (request, response) => {
        const send = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        }
        response.on('drain', send).on('error', () => {})
        request.on('error', () => {})
        send()
      },
      /more than 524288 bytes/,
    ],
    [
      'promises more than it sends',
      (request, response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"keys":[')
        setImmediate(() => request.socket.destroy())
      },
      /./,
    ],
    ['speaks no HTTP', (request) => void request.socket.end('SSH-2.0-OpenSSH_9.9\r\n'), /./],
    ['redirects to itself', (_, response) => void response.writeHead(302, { location: '/jwks' }).end(), /redirects/],
    ['redirects to no URL', (_, response) => void response.writeHead(302, { location: 'http://[' }).end(), /redirects/],
    [
      'redirects to a file',
      (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      /redirects/,
    ],
    ['redirects nowhere', (_, response) => void response.writeHead(302).end(), /answered 302/],
  ]
  it.each(pages)('%s: 503 at first; later the keys at hand stay good', async (_, answer, reason) => {
    const { guard, token, events } = setUp()
    provider.answer = answer
    const asked = withToken(await token(one))
    expect(await ask(guard, asked)).toBe(503)
    expect(events.keys.at(-1)).toMatchObject({ kind: 'failed', reason: expect.stringMatching(reason) })
    const later = setUp()
    provider.answer = undefined
    expect(await ask(later.guard, asked)).toBe('pass')
    provider.answer = answer
    later.clock.advance(601)
    expect(await ask(later.guard, asked)).toBe('pass')
    expect(later.events.keys.at(-1)).toMatchObject({ kind: 'failed' })
  })

  it('never answers: a deadline, then 503; whoever comes in between waits with the others', async () => {
    const { guard, token, events } = setUp({ keys: { timeoutMs: 100 } })
    provider.answer = failing.silent
    const asked = withToken(await token(one))
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(guard, asked)))
    expect(new Set(answers)).toEqual(new Set([503]))
    expect(events.keys).toMatchObject([{ kind: 'failed', reason: expect.stringMatching(/within 100 ms/) }])
    expect(await ask(guard, asked)).toBe(503)
    // On a busy machine the deadline can be over before the provider has heard anything.
    expect(events.keys).toHaveLength(1)
    expect(provider.fetches).toBeLessThanOrEqual(1)
  })

  it('starts an answer and never ends it: the deadline covers that too', async () => {
    const { guard, token, events } = setUp({ keys: { timeoutMs: 100 } })
    provider.answer = (_, response) => void response.writeHead(200).write('{"keys":[')
    expect(await ask(guard, withToken(await token(one)))).toBe(503)
    expect(events.keys.at(-1)).toMatchObject({ reason: expect.stringMatching(/within 100 ms/) })
  })

  it('takes connections and says nothing at all', async () => {
    const sockets: Socket[] = []
    const mute = createServer((socket) => sockets.push(socket))
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const { port } = mute.address() as { port: number }
    const { guard, token } = setUp({ jwksUri: `http://127.0.0.1:${port}/jwks`, keys: { timeoutMs: 100 } })
    expect(await ask(guard, withToken(await token(one)))).toBe(503)
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => mute.close(resolve))
  })

  it('is not there', async () => {
    const { guard, token, events } = setUp()
    await provider.close()
    expect(await ask(guard, withToken(await token(one)))).toBe(503)
    expect(events.keys.at(-1)).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/ECONNREFUSED/) })
  })

  it('redirects from https to http: 503, and the other end is not asked', async () => {
    const asked: string[] = []
    const { guard, token, events } = (() => {
      const made = jwtGuard(provider, {
        integration: { jwksUri: 'https://login.example.com/jwks' },
        config: {
          fetch: async (url) => {
            asked.push(url)
            return new Response(null, { status: 307, headers: { location: provider.jwksUri } })
          },
        },
      })
      return { ...made, token: () => signToken(one, claimsFor(provider, made.clock)) }
    })()
    expect(await ask(guard, withToken(await token()))).toBe(503)
    expect(asked).toEqual(['https://login.example.com/jwks'])
    expect(events.keys.at(-1)).toMatchObject({ reason: expect.stringMatching(/redirects away from https/) })
    expect(provider.asked).toEqual([])
  })

  it('a fetch of the user that throws, rejects or returns nonsense: 503', async () => {
    for (const fetch of [
      () => {
        throw new Error('at once')
      },
      () => Promise.reject(new Error('later')),
      () => Promise.reject(Object.create(null)),
      () => Promise.resolve(undefined),
      () => Promise.resolve({ status: 200 }),
    ]) {
      const { guard, clock } = jwtGuard(provider, { config: { fetch: fetch as () => Promise<Response> } })
      expect(await ask(guard, withToken(await signToken(one, claimsFor(provider, clock))))).toBe(503)
    }
  })
})

describe('A6 rotation', () => {
  it('a token with a new kid is found by another fetch, at once', async () => {
    const { guard, token } = setUp()
    expect(await ask(guard, withToken(await token(one)))).toBe('pass')
    provider.keys = [one.jwk, two.jwk]
    expect(await ask(guard, withToken(await token(two)))).toBe('pass')
    expect(provider.fetches).toBe(2)
  })

  it('a hundred tokens with the new kid at once lead to one fetch', async () => {
    const { guard, token } = setUp()
    expect(await ask(guard, withToken(await token(one)))).toBe('pass')
    provider.keys = [one.jwk, two.jwk]
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, n) => token(two, { n })))
    expect(new Set(await Promise.all(tokens.map((each) => ask(guard, withToken(each)))))).toEqual(new Set(['pass']))
    expect(provider.fetches).toBe(2)
  })

  it('without kids it is found too', async () => {
    const [before, after] = [await createNamelessKey(), await createNamelessKey()]
    provider.keys = [before.jwk]
    const { guard, token } = setUp()
    const old = await token(before)
    expect(await ask(guard, withToken(old))).toBe('pass')
    provider.keys = [after.jwk]
    expect(await ask(guard, withToken(await token(after)))).toBe('pass')
    // What the old key had verified went with it.
    expect(await ask(guard, withToken(old))).toBe(401)
  })

  it('a key that is no longer published: 401, for cached tokens too', async () => {
    provider.keys = [one.jwk, two.jwk]
    const { guard, clock, token, events } = setUp()
    const [first, second] = [await token(one), await token(two)]
    expect(await ask(guard, withToken(first))).toBe('pass')
    expect(await ask(guard, withToken(second))).toBe('pass')
    provider.keys = [two.jwk]
    const renewed = events.nextKeys()
    clock.advance(480)
    expect(await ask(guard, withToken(first))).toBe('pass')
    await renewed
    expect(await ask(guard, withToken(first))).toBe(401)
    expect(events.reason).toBe('unknown_key')
    expect(await ask(guard, withToken(second))).toBe('pass')
  })

  it('the same kid with another key', async () => {
    const other = await createKey('ES256', 'one')
    const { guard, clock, token } = setUp()
    const old = await token(one)
    expect(await ask(guard, withToken(old))).toBe('pass')
    provider.keys = [other.jwk]
    clock.advance(600)
    expect(await ask(guard, withToken(old))).toBe(401)
    expect(await ask(guard, withToken(await token(other)))).toBe('pass')
  })

  it('all keys withdrawn: 401', async () => {
    const { guard, clock, token } = setUp()
    const asked = withToken(await token(one))
    expect(await ask(guard, asked)).toBe('pass')
    provider.keys = []
    clock.advance(600)
    expect(await ask(guard, asked)).toBe(401)
  })
})

describe('A6 ten thousand made-up kids', () => {
  it('cost a handful of fetches, hold up nobody whose key is known, and hide no rotation', async () => {
    const { guard, token, claims } = setUp()
    const known = withToken(await token(one))
    expect(await ask(guard, known)).toBe('pass')
    const madeUp = (n: number) => withToken(forge({ alg: 'ES256', kid: `made-up-${n}`, typ: 'JWT' }, claims()))
    expect(await ask(guard, madeUp(-1))).toBe(401)

    const flood = Array.from({ length: 10_000 }, (_, n) => ask(guard, madeUp(n)))
    for (let count = 0; count < 100; count++) expect(guard.handle(known)).toMatchObject({ kind: 'pass' })
    expect(await ask(guard, withToken(await token(one, { fresh: true })))).toBe('pass')
    provider.keys = [one.jwk, two.jwk]
    const real = withToken(await token(two))
    let answer = await ask(guard, real)
    const tried = [answer]
    const answers = await Promise.all(flood)
    answer = await ask(guard, real)
    tried.push(answer)

    expect(answer).toBe('pass')
    expect(tried[0]).not.toBe(401)
    expect(new Set(answers)).toEqual(new Set([401, 503]))
    expect(guard.handle(known)).toMatchObject({ kind: 'pass' })
    expect(provider.fetches).toBeLessThanOrEqual(4)
  })
})

describe('close in the middle', () => {
  it('a request that waits for keys is answered, and then all are 503', async () => {
    const { guard, token } = setUp({ keys: { timeoutMs: 1_000 } })
    provider.answer = failing.silent
    const waiting = ask(guard, withToken(await token(one)))
    await expect.poll(() => provider.fetches).toBe(1)
    await guard.close()
    expect(await waiting).toBe(503)
    expect(await ask(guard, withToken(await token(one)))).toBe(503)
    expect(provider.fetches).toBe(1)
  })

  it('a request that waits for another look is answered 503 at once', async () => {
    const { guard, token, claims, events } = setUp()
    expect(await ask(guard, withToken(await token(one)))).toBe('pass')
    const madeUp = (kid: string) => withToken(forge({ alg: 'ES256', kid }, claims()))
    expect(await ask(guard, madeUp('x'))).toBe(401)
    const waiting = ask(guard, madeUp('y'))
    await guard.close()
    expect(await waiting).toBe(503)
    expect(events.reason).toBe('keys_unavailable')
    expect(provider.fetches).toBe(2)
  })

  it('a request whose keys come in after all passes', async () => {
    const { guard, token } = setUp()
    let answer = () => {}
    provider.answer = (_, response) => {
      answer = () => response.end(JSON.stringify({ keys: [one.jwk] }))
    }
    const waiting = ask(guard, withToken(await token(one)))
    await expect.poll(() => provider.fetches).toBe(1)
    await guard.close()
    answer()
    expect(await waiting).toBe('pass')
  })

  it('may be done twice, and before anything', async () => {
    const { guard } = setUp()
    await guard.close()
    await guard.close()
    await expect(guard.ready()).rejects.toThrow(/not ready/)
    expect(provider.fetches).toBe(0)
  })
})

describe('ready', () => {
  it('fetches what is needed, once for all routes', async () => {
    const clock = { now: () => 1_800_000_000_000 }
    const auth = { type: 'jwt', integration: 'corp' } as const
    const guard = guardFor({
      clock,
      integrations: { corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'x' } },
      routes: [
        { path: '/a', auth },
        { path: '/b', auth },
      ],
    })
    await Promise.all([guard.ready(), guard.ready()])
    expect(provider.fetches).toBe(1)
  })

  it('rejects with the route, the source and the reason; and resolves once the provider is back', async () => {
    const { guard, clock } = setUp()
    provider.answer = failing.status500
    const error = await guard.ready().catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ name: 'SallyportError', code: 'ERR_NOT_READY' })
    expect((error as Error).message).toBe(
      [
        'the guard is not ready:',
        '  route "/": the keys of the identity provider are not available',
        `  keys of ${provider.jwksUri}: ${provider.jwksUri}: answered 500`,
      ].join('\n'),
    )
    provider.answer = undefined
    clock.advance(2)
    await guard.ready()
  })

  it('a process warning tells of failing keys where nobody listens, once', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    try {
      const clock = { time: 1_800_000_000_000, now: () => clock.time }
      const guard = guardFor({
        clock,
        integrations: { corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'x' } },
        routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp' } }],
      })
      provider.answer = failing.status500
      for (let round = 0; round < 3; round++) {
        await expect(guard.ready()).rejects.toThrow()
        clock.time += 100_000
      }
      await new Promise((resolve) => setImmediate(resolve))
      expect(provider.fetches).toBe(3)
      expect(warnings).toMatchObject([{ code: 'SALLYPORT_KEYS', message: expect.stringContaining(provider.jwksUri) }])
    } finally {
      process.off('warning', onWarning)
    }
  })

  it('tells of keys that were left out', async () => {
    provider.keys = [one.jwk, { kty: 'oct', kid: 'shared', k: 'c2VjcmV0' }, { ...two.jwk, use: 'enc' }]
    const { guard } = setUp()
    const events = listen(guard)
    await guard.ready()
    expect(events.keys).toEqual([
      {
        kind: 'loaded',
        source: provider.jwksUri,
        keys: 1,
        refused: [
          { kid: 'shared', reason: expect.stringMatching(/shared secret/) },
          { kid: 'two', reason: 'its use is "enc"' },
        ],
      },
    ])
    expect(JSON.stringify(events)).not.toContain('c2VjcmV0')
  })
})
