/** What `createGateway` says of a configuration that cannot be used. */
import { ConfigError, createGuard, generateKey, type SignIn } from 'sallyport'
import { createGateway, type GatewayConfig } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, onTestFinished, test } from 'vitest'

const good = (): GatewayConfig => ({
  url: 'https://gw.example.com',
  store: memoryStore(),
  keys: [generateKey()],
  integrations: { corp: { issuer: 'https://login.example.com/', audience: 'mcp' } },
  servers: { 'dev/github': { url: 'https://mcp.example.com/mcp', auth: { type: 'none' } } },
  access: [{ to: 'user:corp/*', on: 'dev/*' }],
})

function problemsOf(changes: object): Record<string, string> {
  try {
    void createGateway({ ...good(), ...changes } as GatewayConfig).close()
  } catch (error) {
    if (error instanceof ConfigError)
      return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]))
    throw error
  }
  return {}
}

const oauth2 = {
  type: 'oauth2',
  clientId: 'x',
  authorizationUrl: 'https://x.example.com/a',
  tokenUrl: 'https://x.example.com/t',
} as const
const byConsent = { 'dev/github': { url: 'https://mcp.example.com/mcp', auth: oauth2 } }
const signIn = (integrations?: readonly string[]): SignIn => ({
  identify: async () => null,
  start: () => ({ status: 302 }),
  ...(integrations === undefined ? {} : { integrations }),
})

test('B6 bridge is true or false, and not for virtual servers, which need none', () => {
  const server = { url: 'https://mcp.example.com/mcp', auth: { type: 'none' } }
  for (const [bridge, got] of [
    ['yes', 'string'],
    [1, 'number'],
    [{ to: 'modern' }, 'object'],
  ] as const) {
    expect(problemsOf({ servers: { 'dev/github': { ...server, bridge } } })).toEqual({
      'servers["dev/github"].bridge': `expected boolean, got ${got}`,
    })
  }
  for (const era of ['legacy', 'modern', undefined]) {
    const both = { ...server, bridge: true, ...(era === undefined ? {} : { era }) }
    expect(problemsOf({ servers: { 'dev/github': both } })).toEqual({})
  }
  const virtual = { tools: { 'dev/github': '*' }, bridge: true }
  expect(problemsOf({ virtualServers: { 'team/all': virtual } })).toEqual({
    'virtualServers["team/all"].bridge': 'leave it out: a virtual server speaks every revision as it is',
  })
})

test('a good configuration has no problems', () => {
  expect(problemsOf({})).toEqual({})
})

test('every problem is told at once, with its path and what was meant', () => {
  expect(
    problemsOf({
      url: 'https://gw.example.com/path',
      keys: ['short'],
      signin: 'link',
      servers: {
        github: { url: 'ftp://x', auth: { type: 'non' } },
        'dev/two': { url: 'http://far.example.com/mcp', auth: { type: 'none' }, ids: 1 },
      },
      access: [{ to: 'user:crop/*', on: 'dev/tow' }],
      externalIdentities: { acme: { integration: 'crop' } },
      virtualAccounts: { CI: {} },
      trustProxy: ['everybody'],
      limits: { maxBodyBytes: 1 },
      callerHeaders: { allow: ['no spaces'] },
    }),
  ).toMatchObject({
    '': 'unknown key "signin"; did you mean "signIn"?',
    url: 'expected an origin, "https://gw.example.com", without path, query or user name',
    'keys[0]': expect.stringContaining('generateKey()'),
    'servers.github': expect.stringContaining('group/server'),
    'servers.github.url': expect.any(String),
    'servers.github.auth.type': expect.stringContaining('did you mean "none"?'),
    'servers["dev/two"]': 'unknown key "ids"; did you mean "id"?',
    'access[0].to': 'no integration named "crop"; did you mean "corp"?',
    'access[0].on': 'no server named "dev/tow"; did you mean "dev/two"?',
    'externalIdentities.acme.integration': 'no integration named "crop"; did you mean "corp"?',
    'virtualAccounts.CI': expect.any(String),
    'trustProxy[0]': expect.any(String),
    'limits.maxBodyBytes': expect.any(String),
    'callerHeaders.allow[0]': expect.any(String),
  })
})

test('what is no object at all is told too', () => {
  expect(() => createGateway(undefined as never)).toThrow(ConfigError)
  expect(problemsOf({ servers: [], access: {}, integrations: 'x', paths: 1, store: {}, keys: 1 })).toMatchObject({
    servers: expect.any(String),
    access: expect.any(String),
    store: expect.any(String),
    keys: expect.any(String),
  })
})

describe('what newcomers write is answered with what they meant', () => {
  const header = { type: 'header', headers: { authorization: { secret: 'env:HUB' } } }
  const hub = (auth: unknown, more: object = {}) => ({
    servers: { 'dev/hub': { url: 'https://hub.example.com/mcp', auth, ...more } },
    access: [],
  })
  test.each<[string, object, Record<string, string>]>([
    [
      'a server without a group',
      { servers: { hub: hub(header).servers['dev/hub'] }, access: [] },
      { 'servers.hub': 'for example "default/hub"' },
    ],
    [
      'auth as a text',
      hub('none'),
      { 'servers["dev/hub"].auth': 'expected an object such as { type: "none" }, got string' },
    ],
    [
      'auth as another text',
      hub('bearer'),
      {
        'servers["dev/hub"].auth':
          'expected { type: "none" | "header" | "oauth2" | "passthrough" | "token_exchange" | "identity_assertion" | "client_credentials", … }, got string',
      },
    ],
    ['no auth', hub(undefined), { 'servers["dev/hub"].auth': "write { type: 'none' }" }],
    [
      'another kind of server',
      { servers: { 'dev/hub': { command: 'npx' } }, access: [] },
      { 'servers["dev/hub"].url': 'Streamable HTTP endpoint', 'servers["dev/hub"]': 'unknown key "command"' },
    ],
    [
      'headers as a list',
      hub({ ...header, headers: [{ name: 'a' }] }),
      { 'servers["dev/hub"].auth.headers': 'expected object, got a list' },
    ],
    [
      'one header',
      hub({ type: 'header', header: {} }),
      {
        'servers["dev/hub"].auth.headers': 'required, a value of type object',
        'servers["dev/hub"].auth': 'did you mean "headers"?',
      },
    ],
    [
      'a group of nobody’s',
      { access: [{ to: 'group:staff', on: 'dev/*' }] },
      { 'access[0].to': 'for example "group:corp/staff"' },
    ],
    [
      'an integration that is not there',
      { access: [{ to: 'group:crop/staff', on: 'dev/*' }] },
      { 'access[0].to': 'did you mean "corp"?' },
    ],
    ['no store', { store: undefined }, { store: 'sallyport/stores/sqlite' }],
    ['a path as the store', { store: 'tokens.db' }, { store: 'expected a token store' }],
    ['no keys', { keys: undefined }, { keys: 'generateKey() makes one' }],
    ['a short key', { keys: ['secret'] }, { 'keys[0]': '32 bytes in base64url' }],
    ['a variable that is not set', { keys: [undefined] }, { 'keys[0]': 'got undefined' }],
    ['a reference as a key', { keys: [generateKey(), 'env:KEY'] }, { 'keys[1]': '{ secret: "env:KEY" }' }],
    ['a key in base64', { keys: [`${'+'.repeat(43)}=`] }, { 'keys[0]': 'write - for +, _ for / and leave = out' }],
    ['a key in hexadecimal', { keys: ['0a'.repeat(32)] }, { 'keys[0]': 'hexadecimal' }],
    ['no url', { url: undefined }, { url: '"https://gw.example.com"' }],
    [
      'a url with a path',
      { url: 'https://gw.example.com/mcp' },
      { url: 'expected an origin, "https://gw.example.com"' },
    ],
    ['no servers, of which the grants are not blamed', { servers: undefined }, { servers: '{} for none yet' }],
    ['oauth2 without signIn', { servers: byConsent }, { 'servers["dev/github"].auth': 'needs signIn' }],
    [
      'misspelt fields',
      { ...hub(header, { lable: 'Hub' }), acces: [] },
      { 'servers["dev/hub"]': 'did you mean "label"?', '': 'did you mean "access"?' },
    ],
  ])('%s', (_, changes, expected) => {
    const problems = problemsOf(changes)
    expect(Object.keys(problems).toSorted()).toEqual(Object.keys(expected).toSorted())
    for (const [path, words] of Object.entries(expected)) expect(problems[path]).toContain(words)
    // A key that is no good may still be one elsewhere.
    expect(JSON.stringify(problems)).not.toContain('0a0a')
  })

  test.each([
    ['pages without signIn', { pages: { path: '/gateway' } }, { pages: 'need signIn: a guard with login' }],
    ['pages by link', { pages: { path: '/gateway' }, signIn: 'link' }, { pages: 'need signIn, not "link"' }],
    [
      'at the root',
      { pages: { path: '/' }, signIn: signIn() },
      { 'pages.path': 'not a plain path such as "/gateway"' },
    ],
    ['a relative path', { pages: { path: 'gateway' }, signIn: signIn() }, { 'pages.path': 'not a plain path' }],
    ['over the endpoints', { pages: { path: '/mcp/x' }, signIn: signIn() }, { 'pages.path': 'in the way of "/mcp"' }],
    ['over consent', { pages: { path: '/connect' }, signIn: signIn() }, { 'pages.path': 'in the way of "/connect"' }],
    [
      'over a callback that is elsewhere',
      { pages: { path: '/back' }, paths: { callback: '/back/to/us' }, signIn: signIn() },
      { 'pages.path': 'in the way of "/back/to/us"' },
    ],
    [
      'a brand that is none',
      { pages: { path: '/gateway', brand: { accentColor: 'red', nam: 'x' } }, signIn: signIn() },
      { 'pages.brand': 'did you mean "name"?' },
    ],
    ['a misspelt key', { pages: { paht: '/gateway' }, signIn: signIn() }, { pages: 'did you mean "path"?' }],
    ['half an event', { recentAudit: 0.5 }, { recentAudit: 'whole number' }],
  ])('%s', (_, changes, expected) => {
    const problems = problemsOf(changes)
    expect(Object.keys(problems)).toEqual(Object.keys(expected))
    for (const [path, words] of Object.entries(expected)) expect(problems[path]).toContain(words)
  })

  test('pages with a way to sign in, and a brand of consent alone', () => {
    expect(problemsOf({ pages: { path: '/gateway', brand: { name: 'Acme' } }, signIn: signIn() })).toEqual({})
    expect(problemsOf({ pages: { brand: { name: 'Acme' } } })).toEqual({})
  })

  test('a change while it runs is told the same way', async () => {
    const gateway = createGateway(good())
    await expect(gateway.configure({ servers: {}, acess: [] } as never)).rejects.toThrow('did you mean "access"?')
    await expect(gateway.configure({ servers: {}, url: 'https://x' } as never)).rejects.toThrow('cannot change')
    await gateway.close()
  })
})

test('hosts and origins are such as are compared with', () => {
  const allowedHosts = [
    'gw.internal',
    '*.gw.example.com',
    'gw.internal:8080',
    'https://gw.internal',
    'gw.internal/x',
    '',
  ]
  const allowedOrigins = [
    'https://app.example.com',
    'vscode-webview://abc',
    '*',
    'null',
    'https://app.example.com/',
    'app.example.com',
  ]
  expect(problemsOf({ allowedHosts, allowedOrigins })).toEqual({
    'allowedHosts[2]': expect.stringContaining('leave the port out'),
    'allowedHosts[3]': expect.any(String),
    'allowedHosts[4]': expect.stringContaining('a host has no path'),
    'allowedHosts[5]': 'must not be empty',
    'allowedOrigins[2]': expect.stringContaining('stands for anybody'),
    'allowedOrigins[3]': expect.stringContaining('stands for anybody'),
    'allowedOrigins[4]': expect.stringContaining('did you mean "https://app.example.com"?'),
    'allowedOrigins[5]': expect.stringContaining('is not an origin'),
  })
})

test('scopes are those of RFC 6749, and never offline_access', () => {
  expect(problemsOf({ scopes: ['openid', 'https://api.example.com/.default'] })).toEqual({})
  expect(problemsOf({ scopes: ['openid email', '', 'a"b', 'offline_access', 'é'] })).toEqual({
    'scopes[0]': expect.stringContaining('RFC 6749'),
    'scopes[1]': expect.stringContaining('RFC 6749'),
    'scopes[2]': expect.stringContaining('RFC 6749'),
    'scopes[3]': expect.stringContaining('leave it out'),
    'scopes[4]': expect.stringContaining('RFC 6749'),
  })
  expect(problemsOf({ scopes: 'openid' })).toHaveProperty('scopes')
})

test('http is for this machine', () => {
  expect(problemsOf({ url: 'http://gw.example.com' })).toHaveProperty('url')
  expect(problemsOf({ url: 'http://127.0.0.1:8080' })).toEqual({})
  const servers = (extra: object) => ({
    'dev/one': { url: 'http://far.example.com/mcp', auth: { type: 'none' }, ...extra },
  })
  expect(problemsOf({ servers: servers({}) })).toHaveProperty('servers["dev/one"].url')
  expect(problemsOf({ servers: servers({ allowInsecureHttp: true }) })).toEqual({})
})

test('the gateway’s own pages are not in the way of its endpoints, nor of one another', () => {
  expect(problemsOf({ paths: { connect: '/mcp/connect' } })).toHaveProperty(['paths.connect'])
  expect(problemsOf({ paths: { callback: '/a/../b' } })).toHaveProperty(['paths.callback'])
  expect(problemsOf({ paths: { connect: '/x', callback: '/x/callback' } })).toHaveProperty('paths')
  const own = (callbackPath: string) => ({
    servers: { 'dev/github': { url: 'https://mcp.example.com/mcp', auth: { ...oauth2, callbackPath } } },
    pages: { path: '/gateway' },
    signIn: signIn(),
  })
  for (const callbackPath of ['/gateway', '/Gateway/tokens']) {
    expect(problemsOf(own(callbackPath))['servers["dev/github"].auth.callbackPath']).toContain(
      'in the way of "/gateway"',
    )
  }
  for (const callbackPath of [
    '/mcp/dev/github/server',
    '/.well-known/oauth-protected-resource',
    '/oauth2/client.json',
  ]) {
    expect(problemsOf(own(callbackPath))['servers["dev/github"].auth.callbackPath']).toContain('in the way of "/')
  }
  expect(problemsOf(own('/gateway-callback'))).toEqual({})
  expect(problemsOf({ paths: { callback: '/api/svc/v1/llm-gateway/mcp-servers/oauth2/callback' } })).toEqual({})
})

describe('the pages where people sign in', () => {
  const integrations = {
    corp: { issuer: 'https://login.example.com/', audience: 'mcp', oauth2: { clientId: 'x', scopes: ['openid'] } },
  }
  const guardAt = (url: string) =>
    createGuard({
      integrations,
      login: { url, keys: [generateKey()], store: memoryStore(), path: '/own/login' },
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
    })
  const calledBackAt = (callbackPath: string, by: SignIn) => ({
    servers: { 'dev/github': { url: 'https://mcp.example.com/mcp', auth: { ...oauth2, callbackPath } } },
    signIn: by,
  })
  const AT_CALLBACK = 'servers["dev/github"].auth.callbackPath'

  test('of a guard are not taken from it, or nobody could sign in', async () => {
    const guard = guardAt('https://gw.example.com')
    onTestFinished(() => guard.close())
    for (const path of ['/own/login/callback/corp', '/Own/login', '/own/login/sign-in']) {
      expect(problemsOf(calledBackAt(path, guard))).toEqual({
        [AT_CALLBACK]: `"${path}" is in the way of "/own/login", where signIn has its pages`,
      })
    }
    expect(problemsOf(calledBackAt('/own/callback', guard))).toEqual({})
    for (const path of ['/own', '/own/login/x']) {
      const message = expect.stringContaining(`"${path}" is in the way of "/own/login"`)
      expect(problemsOf({ signIn: guard, pages: { path } })).toEqual({ 'pages.path': message })
      expect(problemsOf({ signIn: guard, paths: { connect: path } })).toEqual({ 'paths.connect': message })
      expect(problemsOf({ signIn: guard, paths: { callback: path } })).toEqual({ 'paths.callback': message })
    }
    const gateway = createGateway({ ...good(), signIn: guard })
    onTestFinished(() => gateway.close())
    const { servers } = calledBackAt('/own/login/callback/corp', guard)
    await expect(gateway.configure({ servers })).rejects.toThrow('in the way of "/own/login"')
  })

  test('of a guard elsewhere are in nobody’s way', () => {
    const guard = guardAt('https://login.example.com')
    onTestFinished(() => guard.close())
    expect(problemsOf(calledBackAt('/own/login/callback/corp', guard))).toEqual({})
  })

  test('of a host application: where it signs people out', () => {
    const own = { ...signIn(), signOutUrl: 'https://gw.example.com/bye' }
    expect(problemsOf(calledBackAt('/bye', own))[AT_CALLBACK]).toContain('is in the way of "/bye"')
    expect(problemsOf(calledBackAt('/bye/back', own))).toEqual({})
    expect(problemsOf({ signIn: own, pages: { path: '/bye' } })).toHaveProperty(['pages.path'])
  })
})

describe('servers of the users’ own accounts', () => {
  test('need signIn, or the link typed out', () => {
    expect(problemsOf({ servers: byConsent })['servers["dev/github"].auth']).toContain('needs signIn')
    expect(problemsOf({ servers: byConsent, signIn: 'link' })).toEqual({})
    expect(problemsOf({ servers: byConsent, signIn: signIn() })).toEqual({})
    expect(problemsOf({ servers: byConsent, signIn: 'guard' })).toHaveProperty('signIn')
  })

  test('are granted to people who can sign in only', () => {
    const at = (access: readonly object[], integrations: readonly string[], more: object = {}) =>
      Object.keys(problemsOf({ servers: byConsent, signIn: signIn(integrations), access, ...more }))
    expect(at([{ to: 'user:corp/*', on: 'dev/*' }], ['corp'])).toEqual([])
    expect(at([{ to: ['anonymous', 'group:corp/staff'], on: 'dev/*' }], [])).toEqual(['access[0].to[1]'])
    const externalIdentities = { acme: { integration: 'corp' } }
    expect(at([{ to: 'external-identity:ac*', on: '*' }], ['other'], { externalIdentities })).toEqual(['access[0].to'])
    expect(at([{ to: 'virtual-account:ci', on: '*' }], [])).toEqual([])
  })

  test('a guard says itself who can sign in', () => {
    const integrations = { corp: { issuer: 'https://login.example.com/', audience: 'mcp' } }
    const guard = createGuard({
      integrations,
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp' } }],
    })
    expect(problemsOf({ servers: byConsent, signIn: guard })).toHaveProperty(['access[0].to'])
  })
})

test('keys that are references are looked up later, and those beside them keep their places', () => {
  expect(problemsOf({ keys: [{ secret: 'env:LATER' }, 'short'] })).toEqual({ 'keys[1]': expect.any(String) })
})
