/** What is wrong with a configuration of login, and how it is said. */
import { describe, expect, it } from 'vitest'
import { ConfigError, type ConfigProblem, createGuard, type GuardConfig, generateKey } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const good = { url: 'https://app.example.com', keys: [generateKey()], store: memoryStore() }
const corp = { issuer: 'https://login.example.com/', audience: 'orders', oauth2: { clientId: 'shop' } }
const route = { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }

function problemsOf(config: unknown): readonly ConfigProblem[] {
  try {
    void createGuard(config as GuardConfig).close()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

const withLogin = (login: object, integration: object = corp) => ({
  integrations: { corp: integration },
  routes: [route],
  login: { ...good, ...login },
})

describe('A8 configuration of login', () => {
  it.each([
    ['as it is', {}],
    ['on this machine', { url: 'http://localhost:3000' }],
    ['a slash at the end', { url: 'https://app.example.com/' }],
    ['in cookies', { session: 'cookie', store: undefined }],
    ['times', { idleSeconds: 600, absoluteSeconds: 600 }],
    ['a page after signing out', { afterSignOut: '/bye' }],
    ['another path', { path: '/auth/login' }],
    ['a brand', { brand: { name: 'Shop', accentColor: '#0af' } }],
    ['keys by reference', { keys: [{ secret: 'env:KEY' }] }],
  ])('is sound: %s', (_what, login) => {
    expect(problemsOf(withLogin(login))).toEqual([])
  })

  it.each([
    [{ url: undefined }, 'login.url', 'required'],
    [{ url: 'app.example.com' }, 'login.url', 'not an http(s) URL'],
    [{ url: 'http://app.example.com' }, 'login.url', 'must be https'],
    [{ url: 'https://app.example.com/login' }, 'login.url', 'expected an origin, "https://app.example.com"'],
    [{ url: 'https://user:pass@app.example.com' }, 'login.url', 'expected an origin'],
    [{ keys: [] }, 'login.keys', 'generateKey()'],
    [{ store: undefined }, 'login.store', "session: 'cookie'"],
    [{ session: 'cookie' }, 'login.store', 'does nothing'],
    [{ session: 'jwt' }, 'login.session', 'expected one of "store", "cookie"'],
    [{ store: new Map() }, 'login.store', 'expected a token store'],
    [{ path: 'auth' }, 'login.path', 'plain path'],
    [{ path: '/' }, 'login.path', 'plain path'],
    [{ path: '/auth/' }, 'login.path', 'plain path'],
    [{ path: '/a//b' }, 'login.path', 'plain path'],
    [{ path: '/%61uth' }, 'login.path', 'plain path'],
    [{ idleSeconds: 1 }, 'login.idleSeconds', 'at least 60'],
    [{ idleSeconds: 600, absoluteSeconds: 300 }, 'login.absoluteSeconds', 'must not be below idleSeconds (600)'],
    [{ brand: { accentColor: 'red;}' } }, 'login.brand', ''],
    [{ afterSignOut: 'https://elsewhere.test/' }, 'login.afterSignOut', 'neither a path nor a URL on a host'],
    [{ afterSignOut: '//elsewhere.test' }, 'login.afterSignOut', 'neither a path nor a URL on a host'],
    [{ sessions: 'store' }, 'login', 'unknown key "sessions"; did you mean "session"?'],
  ])('%j: %s %s', (login, path, message) => {
    const problems = problemsOf(withLogin(login))
    expect(problems.map((problem) => problem.path)).toContain(path)
    expect(problems.find((problem) => problem.path === path)?.message).toContain(message)
  })

  it('a route with login needs login, and an integration that people can sign in with', () => {
    expect(problemsOf({ integrations: { corp }, routes: [route] })).toEqual([
      { path: 'routes[0].auth.login', message: expect.stringContaining('needs login in the configuration') },
    ])
    const { oauth2: _, ...bare } = corp
    expect(problemsOf(withLogin({}, bare))).toEqual([
      { path: 'routes[0].auth.login', message: 'nobody can sign in: "corp" has no oauth2' },
    ])
  })

  it('form_post needs https', () => {
    const posted = { ...corp, oauth2: { clientId: 'shop', responseMode: 'form_post' } }
    expect(problemsOf(withLogin({}, posted))).toEqual([])
    expect(problemsOf(withLogin({ url: 'http://localhost:3000' }, posted))).toEqual([
      { path: 'integrations.corp.oauth2.responseMode', message: expect.stringContaining('needs https') },
    ])
  })

  it('no key is shown', () => {
    const secret = 'not-a-key-but-secret-all-the-same'
    expect(JSON.stringify(problemsOf(withLogin({ keys: [secret], url: 'x' })))).not.toContain(secret)
  })

  it('ready() says what is missing: a secret, an endpoint', async () => {
    const guard = createGuard(withLogin({ keys: [{ secret: 'env:NO_SUCH_KEY_IN_TESTS' }] }) as unknown as GuardConfig)
    await expect(guard.ready()).rejects.toThrow(/NO_SUCH_KEY_IN_TESTS/)
    await guard.close()
  })
})

describe('A8 A14 what to register', () => {
  const guard = createGuard({
    login: { url: 'https://app.example.com', keys: [generateKey()], store: memoryStore() },
    integrations: { corp, open: { issuer: 'https://other.example.com', audience: 'x' } },
    routes: [
      { host: 'shop.example.com', auth: { type: 'jwt', integration: ['corp', 'open'], login: true } },
      { path: '/api', auth: { type: 'jwt', integration: 'corp' } },
    ],
  })

  it('guard.redirectUrls()', () => {
    expect(guard.redirectUrls()).toEqual([
      {
        integration: 'corp',
        callback: 'https://app.example.com/.sallyport/callback/corp',
        signedOut: 'https://app.example.com/.sallyport/signed-out',
        backChannelSignOut: 'https://app.example.com/.sallyport/back-channel/corp',
      },
    ])
  })

  it('guard.endpoints()', () => {
    expect(guard.endpoints().map(({ redirectUrls }) => redirectUrls)).toEqual([
      ['https://app.example.com/.sallyport/callback/corp'],
      [],
    ])
  })
})
