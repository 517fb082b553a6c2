import { describe, expect, it } from 'vitest'
import { ConfigError, createGuard, type Guard, type GuardConfig, type Route } from '../../src/index.ts'
import { ask, authOf, guardFor, listen, replyTo, request, withPassword } from './harness.ts'

const none = { type: 'none' } as const

/** A guard with open routes. */
function opened(routes: Omit<Route, 'auth'>[], config: Partial<GuardConfig> = {}): Guard {
  return guardFor({ routes: routes.map((route) => ({ ...route, auth: none })), ...config })
}

/** A guard with routes for which any password will do. */
function routed(routes: Omit<Route, 'auth'>[], config: Partial<GuardConfig> = {}): Guard {
  return guardFor({
    routes: routes.map((route) => ({ ...route, auth: { type: 'basic', verify: () => true } })),
    ...config,
  })
}

/** The route of a request, or the status of its answer. */
async function routeOf(guard: Guard, parts: Parameters<typeof request>[0] = {}): Promise<string | number> {
  const outcome = await guard.handle(withPassword('ann', 'any', parts))
  return outcome.kind === 'pass' ? outcome.auth.route : outcome.kind === 'reply' ? outcome.reply.status : outcome.kind
}

describe('A1 A2 the route of a request', () => {
  it('goes by host, wildcard, path and method', async () => {
    const guard = routed([
      { name: 's1', host: 's1.example.com' },
      { name: 'apps', host: '*.apps.example.com' },
      { name: 'one', host: 'one.apps.example.com' },
      { name: 'behind', host: 'example.com/s1' },
      { name: 'deep', host: 'example.com/s1', path: '/v1' },
      { name: 'write', host: 'example.com', methods: ['POST'] },
      { name: 'rest' },
    ])
    expect(await routeOf(guard, { host: 's1.example.com' })).toBe('s1')
    expect(await routeOf(guard, { host: 'S1.Example.COM.:8080' })).toBe('s1')
    expect(await routeOf(guard, { host: 'x.apps.example.com' })).toBe('apps')
    expect(await routeOf(guard, { host: 'x.y.apps.example.com' })).toBe('rest')
    expect(await routeOf(guard, { host: 'apps.example.com' })).toBe('rest')
    expect(await routeOf(guard, { host: 'one.apps.example.com' })).toBe('one')
    expect(await routeOf(guard, { host: 'example.com', target: '/s1/x?y' })).toBe('behind')
    expect(await routeOf(guard, { host: 'example.com', target: '/S1' })).toBe('behind')
    expect(await routeOf(guard, { host: 'example.com', target: '/s1/v1/' })).toBe('deep')
    expect(await routeOf(guard, { host: 'example.com', target: '/s10' })).toBe('rest')
    expect(await routeOf(guard, { host: 'example.com', method: 'POST' })).toBe('write')
    expect(await routeOf(guard, { host: undefined })).toBe('rest')
  })

  it('of a host that is open, for the host as it is spelled; in another spelling it gives way to a protected one', async () => {
    const guard = guardFor({
      routes: [
        { host: 'public.example.com', auth: none },
        { host: 'closed.example.com', name: 'closed', auth: { type: 'basic', verify: () => true } },
        { path: '/', auth: { type: 'basic', username: 'root', password: 'r00t' } },
      ],
    })
    // The second time the host is known from the request before.
    for (const host of ['public.example.com', 'public.example.com', 'public.example.com:8080']) {
      expect(await ask(guard, request({ host }))).toBe('pass')
    }
    for (const host of ['PUBLIC.example.com', 'PUBLIC.example.com', 'public.example.com.', 'public.example.com.:80']) {
      expect(await ask(guard, request({ host }))).toBe(401)
    }
    expect(await routeOf(guard, { host: 'CLOSED.example.com.' })).toBe('closed')
  })

  it('is named by methods, host, port and path where the configuration gives no name', async () => {
    const guard = routed([
      { path: '/a/' },
      { host: '*.example.com', path: '/b' },
      { host: 'example.com/c' },
      { host: 'x.org' },
      { host: 'x.org', port: 81, methods: ['GET', 'PUT'] },
    ])
    const names = ['/a', '*.example.com/b', 'example.com/c', 'x.org/', 'GET,PUT x.org:81/']
    expect(guard.endpoints().map(({ route }) => route)).toEqual(names)
    expect(await routeOf(guard, { target: '/a/1' })).toBe('/a')
  })

  it('A13 has a port where one process listens on several', async () => {
    const guard = routed([
      { name: 'a', port: 8080 },
      { name: 'b', port: 9090, path: '/x' },
      { name: 'c', host: 'app.example.com:9090', path: '/y' },
    ])
    expect(await routeOf(guard, { port: 8080 })).toBe('a')
    expect(await routeOf(guard, { port: 9090, target: '/x' })).toBe('b')
    expect(await routeOf(guard, { port: 9090, target: '/y' })).toBe('c')
    expect(await routeOf(guard, { port: 9090 })).toBe(404)
    // The port in Host is the client's to choose.
    expect(await routeOf(guard, { port: 7070, host: 'app.example.com:8080' })).toBe(404)
  })

  it('GET covers HEAD, and no other method', async () => {
    const guard = routed([{ name: 'read', methods: ['GET'] }])
    expect(await routeOf(guard, { method: 'HEAD' })).toBe('read')
    for (const method of ['POST', 'OPTIONS', 'TRACE', 'CONNECT']) expect(await routeOf(guard, { method })).toBe(404)
  })

  it('caseSensitive: true tells paths apart by case', async () => {
    const routes = [{ name: 'lower', path: '/a' }, { name: 'rest' }]
    expect(await routeOf(routed(routes), { target: '/A' })).toBe('lower')
    expect(await routeOf(routed(routes, { caseSensitive: true }), { target: '/A' })).toBe('rest')
  })

  it('an open route is open in its own spelling only: the router behind may know case', async () => {
    const guard = guardFor({
      routes: [
        { path: '/App', auth: { type: 'basic', username: 'a', password: 'b' } },
        { path: '/App/Public', auth: none },
      ],
    })
    const statusOf = (target: string) => ask(guard, request({ target }))
    expect(await statusOf('/App/Public/x')).toBe('pass')
    for (const target of ['/app/public', '/App/PUBLIC', '/APP/Public', '/App', '/aPP/x', '/App/Public2']) {
      expect(await statusOf(target)).toBe(401)
    }
  })
})

describe('a request that no route matches', () => {
  it('404, without a word about what there is', async () => {
    const guard = opened([{ host: 's1.example.com', path: '/secret' }])
    const events = listen(guard)
    const reply = await replyTo(guard, request())
    expect(reply.status).toBe(404)
    expect(JSON.stringify(reply)).not.toMatch(/s1|secret/)
    expect(events.decisions).toMatchObject([{ outcome: 'reply', status: 404, reason: 'no_route', route: null }])
  })

  it.each(['deny', 'skip'] as const)('tells of a proxy that is not believed (unmatched: %s)', async (unmatched) => {
    const detailOf = async (trustProxy: readonly string[], headers: Record<string, string>) => {
      const guard = opened([{ host: 's1.example.com', path: '/' }], { unmatched, trustProxy })
      const events = listen(guard)
      await ask(guard, request({ headers }))
      expect(events.reason).toBe('no_route')
      return events.decisions[0]?.detail
    }
    const forwarded = { 'X-Forwarded-Host': 's1.example.com' }
    const told = 'X-Forwarded-Host from 127.0.0.1 is not looked at: that is not in trustProxy'
    expect(await detailOf([], forwarded)).toBe(told)
    expect(await detailOf(['10.0.0.0/8'], forwarded)).toBe(told)
    expect(await detailOf(['127.0.0.1'], { 'X-Forwarded-Host': 's2.example.com' })).toBe(null)
    expect(await detailOf([], {})).toBe(null)
  })

  it("is left to the application with unmatched: 'skip'", async () => {
    const guard = opened([{ path: '/a' }], { unmatched: 'skip' })
    expect(guard.handle(request())).toEqual({ kind: 'skip' })
    const events = listen(guard)
    expect(await ask(guard, request())).toBe('skip')
    expect(events.decisions).toMatchObject([{ outcome: 'skip', status: null, reason: 'no_route', route: null }])
    expect(await ask(guard, request({ target: '/a' }))).toBe('pass')
    // Skipping is for what matches nothing, not for what cannot be read.
    expect(await ask(guard, request({ target: '/%2f' }))).toBe(400)
  })
})

describe('a request that two parsers could read differently: 400', () => {
  it.each([
    ['an encoded slash', { target: '/a%2fb' }, 'ambiguous_target'],
    ['a backslash', { target: '/a\\b' }, 'ambiguous_target'],
    ['NUL', { target: '/a%00' }, 'ambiguous_target'],
    ['a bad percent', { target: '/a%zz' }, 'ambiguous_target'],
    ['.. past the root', { target: '/../a' }, 'ambiguous_target'],
    ['a target that is no path', { target: 'a' }, 'ambiguous_target'],
    ['another host in the target', { target: 'http://other.example/' }, 'ambiguous_target'],
    ['a method in lower case', { method: 'post' }, 'ambiguous_method'],
    ['a method in both cases', { method: 'GEt' }, 'ambiguous_method'],
    ['two routes', { target: '/open/..;/closed' }, 'ambiguous_target'],
    ['a path in the host', { host: 'app.example.com/x' }, 'ambiguous_host'],
    ['a user in the host', { host: 'x@app.example.com' }, 'ambiguous_host'],
    ['two hosts', { host: 'a.example.com, b.example.com' }, 'ambiguous_host'],
    ['two Host lines', { headers: { host: 'b.example.com' } }, 'duplicate_header'],
    [
      'two Authorization lines',
      { headers: { Authorization: 'Bearer a', authorization: 'Bearer b' } },
      'duplicate_header',
    ],
    [
      'proxies that contradict each other',
      { from: '10.0.0.1', headers: { 'X-Forwarded-Proto': 'https, http' } },
      'ambiguous_forwarding',
    ],
  ])('%s', async (_, parts, reason) => {
    const guard = opened([{ path: '/open' }, { path: '/closed' }, { path: '/' }], { trustProxy: ['10.0.0.0/8'] })
    const events = listen(guard)
    const reply = await replyTo(guard, request(parts))
    expect(reply.status).toBe(400)
    expect(events.decisions).toMatchObject([{ reason, status: 400, route: null }])
  })
})

describe('A3 a route that is not exposed', () => {
  const routes: Route[] = [
    { host: 'orders-ml.svc.cluster.local', port: 8080, exposed: false, auth: none, name: 'internal' },
    { host: 'secret.svc.cluster.local', exposed: false, auth: { type: 'basic', username: 'a', password: 'b' } },
  ]
  const host = 'orders-ml.svc.cluster.local:8080'

  it.each([
    ['10.1.2.3', 'internal'],
    ['::ffff:10.1.2.3', 'internal'],
    ['fd00::1', 'internal'],
    ['127.0.0.1', 404],
    ['11.0.0.1', 404],
    ['::ffff:11.0.0.1', 404],
    ['::1', 404],
    ['', 404],
    ['not an address', 404],
  ])('asked from %s: %s', async (from, expected) => {
    const guard = guardFor({ routes, internalNetworks: ['10.0.0.0/8', 'fd00::/8'] })
    expect(await routeOf(guard, { host, from })).toBe(expected)
  })

  it('answers strangers as if it were not there, before it asks for credentials', async () => {
    const guard = guardFor({ routes, internalNetworks: ['10.0.0.0/8'] })
    const events = listen(guard)
    const asked = { host: 'secret.svc.cluster.local' }
    const hidden = await replyTo(guard, request({ ...asked, from: '192.0.2.1' }))
    const missing = await replyTo(guard, request({ host: 'no.such.host', from: '192.0.2.1' }))
    expect(hidden).toEqual(missing)
    expect(events.decisions.map(({ reason }) => reason)).toEqual(['not_exposed', 'no_route'])
    expect(await ask(guard, request({ ...asked, from: '10.0.0.1' }))).toBe(401)
    expect(await ask(guard, withPassword('a', 'b', { ...asked, from: '10.0.0.1' }))).toBe('pass')
  })

  it('answers on its own name and port only', async () => {
    const guard = guardFor({ routes, internalNetworks: ['10.0.0.0/8'] })
    expect(await routeOf(guard, { host: 'app.example.com', from: '10.0.0.1' })).toBe(404)
    expect(await routeOf(guard, { host, port: 9090, from: '10.0.0.1' })).toBe(404)
  })

  it('looks at the client behind trusted proxies, and believes nobody else', async () => {
    const guard = guardFor({ routes, internalNetworks: ['10.0.0.0/8'], trustProxy: ['10.9.0.0/16'] })
    const from = (address: string, forwarded: string) => ({
      host,
      from: address,
      headers: { 'X-Forwarded-For': forwarded },
    })
    expect(await routeOf(guard, from('10.9.0.1', '10.1.1.1'))).toBe('internal')
    expect(await routeOf(guard, from('10.9.0.1', '192.0.2.1'))).toBe(404)
    expect(await routeOf(guard, from('10.9.0.1', '10.1.1.1, 192.0.2.1'))).toBe(404)
    expect(await routeOf(guard, from('192.0.2.1', '10.1.1.1'))).toBe(404)
    expect(await routeOf(guard, from('10.9.0.1', 'unknown'))).toBe(400)
  })
})

describe('A13 open routes', () => {
  it('pass at once with what there is to know', async () => {
    const guard = opened([{ path: '/healthz' }])
    const outcome = guard.handle(request({ target: '/healthz' }))
    expect(outcome).toEqual({ kind: 'pass', auth: { type: 'none', route: '/healthz' } })
  })

  it('look at no credentials, good or bad', async () => {
    const guard = opened([{ path: '/' }])
    expect(await ask(guard, request({ headers: { Authorization: 'Bearer rubbish' } }))).toBe('pass')
  })

  it('what one request does with its auth is nothing to the next', async () => {
    const guard = opened([{ path: '/' }])
    const auth = await authOf(guard, request())
    expect(() => Object.assign(auth, { subject: 'root' })).toThrow(TypeError)
    expect(await authOf(guard, request())).toEqual({ type: 'none', route: '/' })
  })
})

describe('A14 endpoints', () => {
  it('lists what is protected, with public URLs', () => {
    const guard = guardFor({
      domains: ['*.apps.example.com', 'example.com'],
      internalNetworks: ['private'],
      integrations: {
        corp: { issuer: 'https://login.example.com/', audience: 'x' },
        partner: { issuer: 'https://partner.example/', audience: 'x' },
      },
      routes: [
        { path: '/healthz', auth: none },
        {
          name: 'notebook',
          host: 'notebook-ml-8080.apps.example.com',
          auth: { type: 'basic', username: 'a', password: 'b' },
        },
        { host: '*.apps.example.com', path: '/app/', methods: ['GET'], auth: { type: 'jwt', integration: 'corp' } },
        { host: 'example.com/s1', port: 9090, auth: { type: 'jwt', integration: ['corp', 'partner'] } },
        { host: 'orders-ml.svc.cluster.local', port: 8080, exposed: false, auth: none },
        { host: 'example.com', path: '/mü sli', auth: none },
      ],
    })
    expect(guard.endpoints()).toEqual([
      {
        route: '/healthz',
        url: null,
        host: null,
        path: '/healthz',
        port: null,
        methods: null,
        exposed: true,
        auth: 'none',
        integrations: [],
        redirectUrls: [],
      },
      expect.objectContaining({ route: 'notebook', url: 'https://notebook-ml-8080.apps.example.com/', auth: 'basic' }),
      expect.objectContaining({
        route: 'GET *.apps.example.com/app',
        url: 'https://*.apps.example.com/app/',
        methods: ['GET'],
        auth: 'jwt',
        integrations: ['corp'],
      }),
      expect.objectContaining({
        url: 'https://example.com/s1/',
        path: '/s1',
        port: 9090,
        integrations: ['corp', 'partner'],
      }),
      expect.objectContaining({ url: 'http://orders-ml.svc.cluster.local:8080/', exposed: false }),
      expect.objectContaining({ url: 'https://example.com/m%C3%BC%20sli/' }),
    ])
  })

  it('holds no secret', () => {
    const guard = guardFor({
      routes: [{ path: '/', auth: { type: 'basic', username: 'ann-name', password: 'hunter2-secret' } }],
    })
    expect(JSON.stringify(guard.endpoints())).not.toMatch(/hunter2|ann-name/)
  })
})

describe('the guard as a gate', () => {
  it('does not hang on the order of routes', async () => {
    const routes = [
      { name: 'a', path: '/a' },
      { name: 'ab', path: '/a/b' },
      { name: 'host', host: 'app.example.com', path: '/a' },
      { name: 'rest' },
    ]
    for (const ordered of [routes, [...routes].reverse()]) {
      const guard = opened(ordered)
      expect(await routeOf(guard, { target: '/a/b' })).toBe('host')
      expect(await routeOf(guard, { target: '/a/b', host: 'x.org' })).toBe('ab')
    }
  })

  it('never throws: what goes wrong inside is answered 500 and told', async () => {
    const guard = guardFor({
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', cookie: 'c' } }],
      integrations: { corp: { issuer: 'https://login.example.com/', audience: 'x' } },
    })
    const events = listen(guard)
    const broken = { ...request({ method: 'POST' }), headers: undefined }
    const outcome = (() => guard.handle(broken as never))()
    expect(await outcome).toMatchObject({ kind: 'reply', reply: { status: 500 } })
    expect(events.decisions).toMatchObject([{ reason: 'error', status: 500 }])
    expect(JSON.stringify(await outcome)).not.toMatch(/TypeError|undefined|cookie/)
  })

  it('a clock that throws is answered 500 too', async () => {
    const guard = guardFor({
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp' } }],
      integrations: { corp: { issuer: 'https://login.example.com/', audience: 'x' } },
      clock: {
        now: () => {
          throw new Error('no time')
        },
      },
    })
    expect(await ask(guard, request({ headers: { Authorization: 'Bearer a.b.c' } }))).toBe(500)
  })

  it('answers 503 on all routes once it is closed', async () => {
    const guard = createGuard({ routes: [{ path: '/', auth: none }], unmatched: 'skip' })
    const events = listen(guard)
    expect(await ask(guard, request())).toBe('pass')
    await guard.close()
    expect(await ask(guard, request())).toBe(503)
    expect(await ask(guard, request({ target: '/%2f' }))).toBe(503)
    expect(events.reason).toBe('closed')
  })

  it('leaves the configuration as it was, and does not follow later changes to it', async () => {
    const config = {
      routes: [{ path: '/a', auth: { type: 'basic' as 'basic' | 'none', username: 'a', password: 'b' } }],
    }
    const before = structuredClone(config)
    const guard = guardFor(config as GuardConfig)
    expect(config).toEqual(before)
    expect(await ask(guard, request({ target: '/a' }))).toBe(401)
    config.routes[0]!.auth = { type: 'none' } as never
    config.routes[0]!.path = '/b'
    expect(await ask(guard, request({ target: '/a' }))).toBe(401)
  })

  it('takes a frozen configuration', async () => {
    const frozen = Object.freeze({
      routes: Object.freeze([Object.freeze({ auth: Object.freeze({ type: 'none' as const }) })]),
    })
    expect(await ask(guardFor(frozen), request())).toBe('pass')
  })

  it('throws ConfigError, and nothing else, for what is no configuration', () => {
    for (const config of [
      undefined,
      null,
      1,
      'x',
      [],
      {},
      { routes: null },
      { routes: [null] },
      { routes: [[]] },
      () => {},
    ]) {
      expect(() => createGuard(config as never)).toThrow(ConfigError)
    }
  })
})
