import { describe, expect, it } from 'vitest'
import { ConfigError, type ConfigProblem, createGuard, type GuardConfig } from '../../src/index.ts'

const corp = { issuer: 'https://login.example.com/', audience: 'orders-api' }
const jwt = { type: 'jwt', integration: 'corp' }
const basic = { type: 'basic', username: 'ann', password: 'secret' }
const none = { type: 'none' }

/** The problems of a configuration; none for a good one. */
function problemsOf(config: unknown): readonly ConfigProblem[] {
  try {
    void createGuard(config as GuardConfig).close()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

const withRoute = (route: object, more: object = {}) => ({ integrations: { corp }, ...more, routes: [route] })
const withAuth = (auth: unknown) => withRoute({ path: '/', auth })
const withIntegration = (parts: object) => ({ integrations: { corp: { ...corp, ...parts } }, routes: [{ auth: jwt }] })
const withTop = (more: object) => ({ routes: [{ auth: none }], ...more })

/** Configuration, path, and what the message says. */
type Bad = [unknown, string, string | RegExp]

const whole: Bad[] = [
  [null, '', 'expected an object'],
  ['routes', '', 'expected an object'],
  [{}, 'routes', 'required, a value of type array'],
  [{ routes: [] }, 'routes', 'must not be empty; without routes everything is answered 404'],
  [{ routes: {} }, 'routes', 'expected array, got object'],
  [withTop({ route: [] }), '', 'unknown key "route"; did you mean "routes"?'],
  [withTop({ trustproxy: [] }), '', 'unknown key "trustproxy"; did you mean "trustProxy"?'],
  [withTop({ listen: 80 }), '', 'unknown key "listen"'],
  [withTop({ unmatched: 'pass' }), 'unmatched', 'expected one of "deny", "skip"'],
  [withTop({ unmatched: 'skipp' }), 'unmatched', 'expected one of "deny", "skip"; did you mean "skip"?'],
  [withTop({ unauthenticated: 404 }), 'unauthenticated', 'expected one of 401, 403'],
  [withTop({ caseSensitive: 'yes' }), 'caseSensitive', 'expected boolean, got string'],
  [withTop({ trustProxy: true }), 'trustProxy', 'expected array, got boolean'],
  [withTop({ trustProxy: ['10.0.0.0/33'] }), 'trustProxy[0]', /"10.0.0.0\/33" is not a network/],
  [withTop({ trustProxy: ['loopback', 'everyone'] }), 'trustProxy[1]', /"everyone" is not a network/],
  [withTop({ internalNetworks: ['10.0.0.0/8', 'localhost'] }), 'internalNetworks[1]', /"localhost" is not a network/],
  [withTop({ internalNetworks: [10] }), 'internalNetworks[0]', 'expected string, got number'],
  [withTop({ secrets: 'vault' }), 'secrets', 'expected a function'],
  [withTop({ fetch: {} }), 'fetch', 'expected a function'],
  [withTop({ clock: Date.now }), 'clock', 'expected { now() }'],
  [withTop({ tokenCache: { maxEntries: -1 } }), 'tokenCache.maxEntries', 'must not be negative'],
  [withTop({ tokenCache: { maxEntries: 1.5 } }), 'tokenCache.maxEntries', 'must be a whole number'],
  [withTop({ tokenCache: { maxEntries: 1e9 } }), 'tokenCache.maxEntries', 'at most 10000000'],
  [withTop({ tokenCache: { maxBytes: '64 MB' } }), 'tokenCache.maxBytes', 'expected number, got string'],
  [withTop({ tokenCache: { entries: 1 } }), 'tokenCache', /unknown key "entries"/],
  [withTop({ domains: 'example.com' }), 'domains', 'expected array, got string'],
  [withTop({ domains: ['https://example.com'] }), 'domains[0]', /is a URL; write the host only, "example.com"/],
  [withTop({ domains: ['a.*.example.com'] }), 'domains[0]', /the star must be the whole first label/],
  [withTop({ domains: ['example.com/x'] }), 'domains[0]', /a domain has neither port nor path/],
  [withTop({ integrations: [] }), 'integrations', /expected (?:record|object), got a list/],
]

const routes: Bad[] = [
  [{ routes: [null] }, 'routes[0]', 'expected object, got null'],
  [{ routes: ['/'] }, 'routes[0]', 'expected object, got string'],
  [withRoute({ path: '/' }), 'routes[0].auth', "required; for an open route write { type: 'none' }"],
  [withRoute({ path: '/', auth: null }), 'routes[0].auth', 'expected { type: "none" | "basic" | "jwt", … }, got null'],
  [withAuth('none'), 'routes[0].auth', 'expected an object such as { type: "none" }, got string'],
  [withAuth({ type: 'JWT' }), 'routes[0].auth.type', 'expected one of "none", "basic", "jwt"; did you mean "jwt"?'],
  [withAuth({ type: 'bearer' }), 'routes[0].auth.type', 'expected one of "none", "basic", "jwt"'],
  [withAuth({ type: '__proto__' }), 'routes[0].auth.type', 'expected one of "none", "basic", "jwt"'],
  [withAuth({ type: 'none', user: 'x' }), 'routes[0].auth', 'unknown key "user"'],
  [withRoute({ pth: '/', auth: none }), 'routes[0]', 'unknown key "pth"; did you mean "path"?'],
  [withRoute({ path: 'x', auth: none }), 'routes[0].path', '"x" does not start with "/"'],
  [withRoute({ path: '', auth: none }), 'routes[0].path', 'must not be empty'],
  [
    withRoute({ path: '/users/:id/secret', auth: none }),
    'routes[0].path',
    '"/users/:id/secret": a path is a prefix, without parameters; leave out ":id" and what follows it',
  ],
  [
    withRoute({ host: 's1.example.com/v1/{id}', auth: none }),
    'routes[0].host',
    '"/v1/{id}": a path is a prefix, without parameters; leave out "{id}" and what follows it',
  ],
  [withRoute({ path: '/a/*', auth: none }), 'routes[0].path', '"/a/*": a path is a prefix already; leave the star out'],
  [withRoute({ path: '/a?b', auth: none }), 'routes[0].path', '"/a?b": a path has no query and no fragment'],
  [withRoute({ path: '/a/../b', auth: none }), 'routes[0].path', '"/a/../b" is ambiguous as a path'],
  [withRoute({ path: '//a', auth: none }), 'routes[0].path', '"//a" is ambiguous as a path'],
  [withRoute({ path: '/a%2fb', auth: none }), 'routes[0].path', '"/a%2fb" is ambiguous as a path'],
  [withRoute({ path: 7, auth: none }), 'routes[0].path', 'expected string, got number'],
  [withRoute({ host: 'https://example.com', auth: none }), 'routes[0].host', /is a URL; write the host only/],
  [withRoute({ host: 'exa mple.com', auth: none }), 'routes[0].host', '"exa mple.com" is not a host name'],
  [withRoute({ host: 'a.*.com', auth: none }), 'routes[0].host', /the star must be the whole first label/],
  [withRoute({ host: 'example.com:99999', auth: none }), 'routes[0].host', /has no valid port/],
  [withRoute({ host: 'example.com:80', port: 81, auth: none }), 'routes[0].port', '81 is not the port in host, 80'],
  [withRoute({ port: '80', auth: none }), 'routes[0].port', 'expected number, got string'],
  [withRoute({ port: 0, auth: none }), 'routes[0].port', /./],
  [withRoute({ port: 70_000, auth: none }), 'routes[0].port', /./],
  [
    withRoute({ methods: ['get'], auth: none }),
    'routes[0].methods[0]',
    'expected a method in upper case, such as "GET"',
  ],
  [withRoute({ methods: [], auth: none }), 'routes[0].methods', 'must not be empty'],
  [withRoute({ methods: 'GET', auth: none }), 'routes[0].methods', 'expected array, got string'],
  [withRoute({ exposed: 'no', auth: none }), 'routes[0].exposed', 'expected boolean, got string'],
  [
    withRoute({ exposed: false, auth: none }, { internalNetworks: ['10.0.0.0/8'] }),
    'routes[0].host',
    'required: a route that is not exposed answers only on its internal host',
  ],
  [withRoute({ host: 'a.local', exposed: false, auth: none }), 'routes[0].exposed', /nobody could call it/],
  [
    withRoute({ host: 's1.example.org', auth: none }, { domains: ['*.example.com', 'example.com'] }),
    'routes[0].host',
    '"s1.example.org" is on none of the domains: *.example.com, example.com',
  ],
  [
    withRoute({ host: 'a.b.example.com', auth: none }, { domains: ['*.example.com'] }),
    'routes[0].host',
    '"a.b.example.com" is on none of the domains: *.example.com',
  ],
  [
    {
      routes: [
        { path: '/a', auth: none },
        { path: '/A/', auth: basic },
      ],
    },
    'routes[1]',
    'never reached: routes[0] is in the same place',
  ],
  [
    {
      routes: [
        { methods: ['GET', 'POST'], auth: none },
        { methods: ['POST'], auth: basic },
      ],
    },
    'routes[1]',
    'never reached: routes[0] is in the same place for POST',
  ],
  [
    {
      routes: [
        { methods: ['GET'], auth: none },
        { methods: ['HEAD'], auth: basic },
      ],
    },
    'routes[1]',
    'never reached: routes[0] is in the same place for HEAD',
  ],
  [
    {
      routes: [
        { host: 'Example.com/a', auth: none },
        { host: 'example.com', path: '/a', auth: none },
      ],
    },
    'routes[1]',
    'never reached: routes[0] is in the same place',
  ],
]

const basics: Bad[] = [
  [withAuth({ type: 'basic' }), 'routes[0].auth', 'expected exactly one of username, users, htpasswd and verify'],
  [
    withAuth({ ...basic, htpasswd: 'x' }),
    'routes[0].auth',
    'expected exactly one of username, users, htpasswd and verify, got username and htpasswd',
  ],
  [withAuth({ type: 'basic', username: 'a' }), 'routes[0].auth', 'expected exactly one of password and passwordHash'],
  [
    withAuth({ ...basic, passwordHash: { secret: 'env:X' } }),
    'routes[0].auth',
    'expected exactly one of password and passwordHash',
  ],
  [withAuth({ type: 'basic', username: 'a', password: undefined }), 'routes[0].auth.password', /got undefined$/],
  [
    withAuth({ type: 'basic', users: [{ username: 'a', passwordHash: undefined }] }),
    'routes[0].auth.users[0].passwordHash',
    /got undefined$/,
  ],
  [withAuth({ type: 'basic', password: 'x' }), 'routes[0].auth', /expected exactly one of username/],
  [
    withAuth({ type: 'basic', htpasswd: 'x', password: 'x' }),
    'routes[0].auth',
    'password and passwordHash do not go with htpasswd',
  ],
  [withAuth({ type: 'basic', users: [] }), 'routes[0].auth.users', 'must not be empty'],
  [
    withAuth({ type: 'basic', users: [{ username: 'a', password: 'x' }, { username: 'b' }] }),
    'routes[0].auth.users[1]',
    'expected exactly one of password and passwordHash',
  ],
  [
    withAuth({
      type: 'basic',
      users: [
        { username: 'a', password: 'x' },
        { username: 'a', password: 'y' },
      ],
    }),
    'routes[0].auth.users[1].username',
    'the same as users[0]',
  ],
  [
    withAuth({ type: 'basic', users: [{ username: 'a', pasword: 'x' }] }),
    'routes[0].auth.users[0]',
    /did you mean "password"\?/,
  ],
  [withAuth({ ...basic, username: 'a:b' }), 'routes[0].auth.username', /has a colon/],
  [withAuth({ ...basic, password: '' }), 'routes[0].auth.password', /./],
  [withAuth({ ...basic, password: 7 }), 'routes[0].auth.password', 'expected a text or { secret: "env:NAME" }'],
  [
    withAuth({ ...basic, password: { env: 'X' } }),
    'routes[0].auth.password',
    'expected a text or { secret: "env:NAME" }',
  ],
  [
    withAuth({ type: 'basic', username: 'a', passwordHash: 'plain' }),
    'routes[0].auth.passwordHash',
    /not a password hash/,
  ],
  [withAuth({ type: 'basic', verify: true }), 'routes[0].auth.verify', 'expected a function'],
  [withAuth({ ...basic, cacheSeconds: 601 }), 'routes[0].auth.cacheSeconds', 'at most 600'],
  [withAuth({ ...basic, cacheSeconds: -1 }), 'routes[0].auth.cacheSeconds', 'must not be negative'],
  [withAuth({ ...basic, realm: '' }), 'routes[0].auth.realm', 'must not be empty'],
]

const jwts: Bad[] = [
  [withAuth({ type: 'jwt' }), 'routes[0].auth.integration', /./],
  [
    withAuth({ ...jwt, integration: 'crop' }),
    'routes[0].auth.integration',
    'no integration named "crop"; did you mean "corp"?',
  ],
  [withAuth({ ...jwt, integration: 'other' }), 'routes[0].auth.integration', 'no integration named "other"'],
  [withAuth({ ...jwt, integration: 'toString' }), 'routes[0].auth.integration', 'no integration named "toString"'],
  [withAuth({ ...jwt, integration: ['corp', 'x'] }), 'routes[0].auth.integration[1]', 'no integration named "x"'],
  [withAuth({ ...jwt, integration: [] }), 'routes[0].auth.integration', 'must not be empty'],
  [withAuth({ ...jwt, claim: {} }), 'routes[0].auth', 'unknown key "claim"; did you mean "claims"?'],
  [withAuth({ ...jwt, claims: [] }), 'routes[0].auth.claims', /got a list/],
  [withAuth({ ...jwt, claims: { email: [] } }), 'routes[0].auth.claims.email', 'must not be empty'],
  [
    withAuth({ ...jwt, claims: { email: null } }),
    'routes[0].auth.claims.email',
    'expected a text, a number, true or false',
  ],
  [
    withAuth({ ...jwt, claims: { email: undefined } }),
    'routes[0].auth.claims.email',
    'expected a text, a number, true or false',
  ],
  [
    withAuth({ ...jwt, claims: { 'a.b': ['x', {}] } }),
    'routes[0].auth.claims["a.b"][1]',
    'expected a text, a number, true or false',
  ],
  [
    withAuth({ ...jwt, claims: { email: '*a*b*' } }),
    'routes[0].auth.claims.email',
    'a pattern has at most 2 stars, this one has 3',
  ],
  [
    withAuth({ ...jwt, claims: { email: ['x', '*a*b*'] } }),
    'routes[0].auth.claims.email[1]',
    'a pattern has at most 2 stars, this one has 3',
  ],
  [
    withAuth({ ...jwt, claims: { email: 'a\nb' } }),
    'routes[0].auth.claims.email',
    'a pattern has no control characters',
  ],
  [
    withAuth({ ...jwt, claims: { email: 'a'.repeat(1025) } }),
    'routes[0].auth.claims.email',
    'a pattern has at most 1024 characters',
  ],
  [withAuth({ ...jwt, claims: { org: 2 ** 53 } }), 'routes[0].auth.claims.org', /write it as text/],
  [withAuth({ ...jwt, claims: { org: Number.NaN } }), 'routes[0].auth.claims.org', /./],
  [
    JSON.parse(JSON.stringify(withAuth({ ...jwt, claims: { X: {} } })).replace('"X"', '"__proto__"')),
    'routes[0].auth.claims.__proto__',
    /./,
  ],
  [withAuth({ ...jwt, scopes: [] }), 'routes[0].auth.scopes', /./],
  [withAuth({ ...jwt, scopes: ['a b'] }), 'routes[0].auth.scopes[0]', 'not a scope (RFC 6749 §3.3)'],
  [withAuth({ ...jwt, scopes: ['a"'] }), 'routes[0].auth.scopes[0]', 'not a scope (RFC 6749 §3.3)'],
  [withAuth({ ...jwt, scopes: 'a' }), 'routes[0].auth.scopes', 'expected array, got string'],
  [withAuth({ ...jwt, cookie: 'a b' }), 'routes[0].auth.cookie', 'not a cookie name (RFC 6265 §4.1.1)'],
  [withAuth({ ...jwt, cookie: '' }), 'routes[0].auth.cookie', 'not a cookie name (RFC 6265 §4.1.1)'],
  [withAuth({ ...jwt, unauthenticated: 302 }), 'routes[0].auth.unauthenticated', 'expected one of 401, 403'],
]

const integrations: Bad[] = [
  [withTop({ integrations: { corp: null } }), 'integrations.corp', 'expected object, got null'],
  [withTop({ integrations: { 'my corp': 'x' } }), 'integrations["my corp"]', 'expected object, got string'],
  [
    withIntegration({ audience: undefined }),
    'integrations.corp.audience',
    /required: the audience .* or null, typed out/,
  ],
  [withIntegration({ audience: '' }), 'integrations.corp.audience', /./],
  [withIntegration({ audience: [] }), 'integrations.corp.audience', /./],
  [withIntegration({ audience: false }), 'integrations.corp.audience', 'expected a text, a list of texts, or null'],
  [withIntegration({ issuer: undefined }), 'integrations.corp.issuer', 'required, a value of type string'],
  [withIntegration({ issuer: 'login.example.com' }), 'integrations.corp.issuer', '"login.example.com" is not a URL'],
  [
    withIntegration({ issuer: 'http://login.example.com' }),
    'integrations.corp.issuer',
    'must be https; to accept the risk, set allowInsecureHttp: true',
  ],
  [
    withIntegration({ issuer: 'https://login.example.com/realms/x/.well-known/openid-configuration' }),
    'integrations.corp.issuer',
    /give the part before "\/\.well-known\/openid-configuration"/,
  ],
  [
    withIntegration({
      issuer: 'https://login.example.com/.well-known/oauth-authorization-server/',
      jwksUri: 'https://x.example/',
    }),
    'integrations.corp.issuer',
    /give the part before "\/\.well-known\/oauth-authorization-server\/"/,
  ],
  [withIntegration({ issuer: 'https://' }), 'integrations.corp.issuer', '"https://" is not a URL'],
  [withIntegration({ jwksUri: 'http://login.example.com/jwks' }), 'integrations.corp.jwksUri', /must be https/],
  [withIntegration({ jwksUri: 'http://127.0.0.1.evil.example/jwks' }), 'integrations.corp.jwksUri', /must be https/],
  [withIntegration({ jwksUri: 'http://localhost.evil.example/jwks' }), 'integrations.corp.jwksUri', /must be https/],
  [withIntegration({ jwksUri: 'http://localhost@evil.example/jwks' }), 'integrations.corp.jwksUri', /./],
  [
    withIntegration({ jwksUri: 'https://ann:secret@login.example.com/jwks' }),
    'integrations.corp.jwksUri',
    /must not hold a user name or password/,
  ],
  [withIntegration({ jwksUri: '/jwks' }), 'integrations.corp.jwksUri', '"/jwks" is not a URL'],
  [withIntegration({ jwksUri: 'file:///jwks' }), 'integrations.corp.jwksUri', '"file:///jwks" is not a URL'],
  [
    withIntegration({ issuer: 'a b:c', jwksUri: 'https://x.example/' }),
    'integrations.corp.issuer',
    '"a b:c" is not a URL',
  ],
  [
    withIntegration({ jwksUrl: 'https://x.example/' }),
    'integrations.corp',
    'unknown key "jwksUrl"; did you mean "jwksUri"?',
  ],
  [withIntegration({ algorithms: [] }), 'integrations.corp.algorithms', 'must not be empty'],
  [
    withIntegration({ algorithms: ['HS256'] }),
    'integrations.corp.algorithms[0]',
    /expected one of "RS256".*; did you mean "(?:RS|PS|ES)256"\?/,
  ],
  [withIntegration({ algorithms: ['none'] }), 'integrations.corp.algorithms[0]', /expected one of/],
  [withIntegration({ algorithms: 'RS256' }), 'integrations.corp.algorithms', 'expected array, got string'],
  [
    withIntegration({ jwtSource: 'idtoken' }),
    'integrations.corp.jwtSource',
    'expected one of "access_token", "id_token"; did you mean "id_token"?',
  ],
  [withIntegration({ clockToleranceSeconds: 301 }), 'integrations.corp.clockToleranceSeconds', 'at most 300'],
  [withIntegration({ clockToleranceSeconds: -1 }), 'integrations.corp.clockToleranceSeconds', 'must not be negative'],
  [
    withIntegration({ clockToleranceSeconds: Number.POSITIVE_INFINITY }),
    'integrations.corp.clockToleranceSeconds',
    /./,
  ],
  [withIntegration({ keys: { maxAgeSeconds: 0 } }), 'integrations.corp.keys.maxAgeSeconds', /./],
  [
    withIntegration({ keys: { maxAgeSeconds: 600, ceilingSeconds: 599 } }),
    'integrations.corp.keys.ceilingSeconds',
    'must not be below maxAgeSeconds (600)',
  ],
  [withIntegration({ keys: { timeoutMs: 0 } }), 'integrations.corp.keys.timeoutMs', /./],
  [
    withIntegration({ keys: { maxAge: 1 } }),
    'integrations.corp.keys',
    /unknown key "maxAge"; did you mean "maxAgeSeconds"\?|unknown key "maxAge"/,
  ],
  [withIntegration({ subjectClaim: '' }), 'integrations.corp.subjectClaim', 'must not be empty'],
]

describe('a mistake in the configuration is said with its path and what was meant', () => {
  it.each([
    ...whole.map((bad) => ['whole', ...bad] as const),
    ...routes.map((bad) => ['routes', ...bad] as const),
    ...basics.map((bad) => ['basic', ...bad] as const),
    ...jwts.map((bad) => ['jwt', ...bad] as const),
    ...integrations.map((bad) => ['integrations', ...bad] as const),
  ])('%s: %j', (_, config, path, message) => {
    const problems = problemsOf(config)
    expect(problems.map((problem) => problem.path)).toContain(path)
    const messages = problems.filter((problem) => problem.path === path).map((problem) => problem.message)
    if (typeof message === 'string') expect(messages).toContain(message)
    else expect(messages.join('\n')).toMatch(message)
    expect(problems).toHaveLength(1)
  })

  it('all of them at once', () => {
    const config = {
      unmatched: 'pass',
      trustProxy: ['x'],
      domains: ['*.example.com', 'http://x'],
      integrations: { corp: { issuer: 'x' }, partner: { ...corp, algorithms: ['HS256'], jwksUri: 'y' } },
      routes: [
        { path: 'a', auth: { type: 'basc' } },
        { host: 'a.example.org', auth: { type: 'jwt', integration: 'crop', claims: { a: [] } } },
        { auth: { type: 'basic' }, extra: 1 },
      ],
    }
    const paths = problemsOf(config).map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining([
        'unmatched',
        'trustProxy[0]',
        'domains[1]',
        'integrations.corp.audience',
        'integrations.partner.algorithms[0]',
        'routes[0].auth.type',
        'routes[0].path',
        'routes[1].auth.claims.a',
        'routes[1].host',
        'routes[2]',
        'routes[2].auth',
      ]),
    )
    expect(() => createGuard(config as never)).toThrow(`${paths.length} problems in the configuration:\n  `)
  })

  it('never with a password in it', () => {
    const password = 'hunter2-secret'
    const errors = [
      withAuth({ ...basic, password: `${password}\u0007` }),
      withAuth({ type: 'basic', username: 'a', passwordHash: password }),
      withAuth({ ...basic, password: { secret: '', value: password } }),
      withAuth({ ...basic, password, passwordHash: password }),
      withAuth({ type: 'basic', users: { ann: password } }),
      withAuth({ type: 'basic', users: [[password]] }),
      withIntegration({ jwksUri: `https://ann:${password}@login.example.com/` }),
      withIntegration({ jwksUri: `htps://ann:${password}@login.example.com/` }),
    ].map((config) => JSON.stringify(problemsOf(config)))
    for (const error of errors) {
      expect(error).not.toBe('[]')
      expect(error).not.toContain(password)
    }
  })
})

describe('what is no mistake', () => {
  it.each<[string, unknown]>([
    ['the least there can be', { routes: [{ auth: none }] }],
    [
      'all routes of the documentation',
      {
        domains: ['*.apps.example.com', 'example.com'],
        internalNetworks: ['10.0.0.0/8', 'fd00::/8', 'loopback', '192.0.2.1'],
        integrations: { corp },
        routes: [
          { path: '/healthz', auth: none },
          {
            host: 'notebook-ml-8080.apps.example.com',
            auth: { type: 'basic', username: 'hello', password: { secret: 'env:PASS' } },
          },
          { host: '*.apps.example.com', path: '/app/', auth: jwt },
          {
            host: 'example.com/s1',
            auth: { ...jwt, claims: { groups: ['admin', 'dev-*'], email_verified: true, level: 3 } },
          },
          { host: 'orders-ml.svc.cluster.local', port: 8080, path: '/', exposed: false, auth: none },
        ],
      },
    ],
    [
      'one place with different methods, ports or hosts',
      {
        routes: [
          { methods: ['GET'], auth: none },
          { methods: ['POST'], auth: basic },
          { auth: basic },
          { port: 81, auth: none },
          { host: 'x.org', auth: none },
          { host: '*.x.org', auth: none },
        ],
      },
    ],
    [
      'paths that differ by case where case counts',
      {
        caseSensitive: true,
        routes: [
          { path: '/a', auth: none },
          { path: '/A', auth: none },
        ],
      },
    ],
    ['an audience that is not checked, typed out', withIntegration({ audience: null })],
    ['http on this machine', withIntegration({ issuer: 'http://localhost:8080/x', jwksUri: 'http://[::1]:80/' })],
    ['http elsewhere, typed out', withIntegration({ issuer: 'http://login.internal', allowInsecureHttp: true })],
    [
      'an issuer that is no URL, where nothing is fetched from it',
      withIntegration({ issuer: 'accounts.google.com', jwksUri: 'https://x.example/' }),
    ],
    [
      'an issuer that is a URN, where nothing is fetched from it',
      withIntegration({ issuer: 'urn:example:issuer', jwksUri: 'https://x.example/' }),
    ],
    [
      'an issuer with http, where nothing is fetched from it',
      withIntegration({ issuer: 'http://x.example', jwksUri: 'https://x.example/' }),
    ],
    ['an integration that no route uses', { integrations: { corp }, routes: [{ auth: none }] }],
    [
      'an integration called like a key of the prototype',
      { integrations: { constructor: corp }, routes: [{ auth: { ...jwt, integration: 'constructor' } }] },
    ],
    ['a cache that is off', withTop({ tokenCache: { maxEntries: 0 } })],
    ['claims that are empty', withAuth({ ...jwt, claims: {} })],
    [
      'undefined for what is optional',
      withRoute({
        path: undefined,
        host: undefined,
        port: undefined,
        methods: undefined,
        auth: { ...jwt, claims: undefined },
      }),
    ],
    [
      'an internal route on no public domain',
      {
        domains: ['example.com'],
        internalNetworks: ['private'],
        routes: [{ host: 'a.svc', exposed: false, auth: none }],
      },
    ],
  ])('%s', (_, config) => {
    expect(problemsOf(config)).toEqual([])
  })
})
