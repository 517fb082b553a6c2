/** What can be wrong with a server's `auth`, in the words of whoever wrote it. */
import { describe, expect, it } from 'vitest'
import { checkUpstreamAuth, type UpstreamAuthContext } from '../../src/broker/check-upstream-auth.ts'
import type { UpstreamAuth } from '../../src/broker/upstream-auth.ts'
import type { ConfigProblem } from '../../src/core/errors.ts'

const AT = 'servers["a/b"].auth'
const context: UpstreamAuthContext = {
  known: { integrations: ['corp'], virtualAccounts: ['ci'], externalIdentities: ['acme'] },
  gatewayUrl: 'https://gw.example.com',
}

function problemsOf(auth: unknown, where: UpstreamAuthContext = context): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  checkUpstreamAuth(auth, AT, where, problems)
  return problems
}

const problem = (path: string, message: unknown) => ({ path: `${AT}${path}`, message })
const header = (parts: object) => ({ type: 'header', headers: { authorization: 'Bearer {{token}}' }, ...parts })
const oauth2 = (parts: object) => ({ type: 'oauth2', clientId: 'c', issuer: 'https://as.example.com', ...parts })

const good: Record<string, UpstreamAuth> = {
  none: { type: 'none' },
  'header of texts': {
    type: 'header',
    headers: { 'x-a': 'b', Cookie: 'c=d', Origin: 'https://a.example', 'x-b': '{"c":1}' },
  },
  'header of secrets': { type: 'header', headers: { authorization: { secret: 'env:HUB' } } },
  'header of templates': {
    type: 'header',
    headers: { authorization: 'Bearer {{token}}', 'x-team': '{{ team }}/{{team}}' },
    values: { token: { secret: 'env:HUB' }, team: 'all' },
    overrides: [
      { to: 'group:corp/engineering', values: { team: 'eng' } },
      {
        to: ['virtual-account:ci', 'user:corp/*@example.com', 'external-identity:acme'],
        values: { token: 't', team: 'x' },
      },
    ],
  },
  'oauth2 and nothing else': { type: 'oauth2' },
  'oauth2 of a known authorization server': { type: 'oauth2', issuer: 'https://as.example.com' },
  'oauth2 with a public client': { type: 'oauth2', clientId: 'c', scopes: ['a'], callbackPath: '/back' },
  'oauth2 that is discovered': { type: 'oauth2', clientId: 'c', issuer: 'https://as.example.com/tenant' },
  'oauth2 with everything written out': {
    type: 'oauth2',
    clientId: 'c',
    clientSecret: { secret: 'env:S' },
    clientAuthentication: 'client_secret_post',
    scopes: ['repo', 'read:user'],
    issuer: 'https://as.example.com',
    metadataUrl: 'https://as.example.com/metadata',
    authorizationUrl: 'https://as.example.com/authorize?tenant=1',
    tokenUrl: 'https://as.example.com/token',
    revocationUrl: 'https://as.example.com/revoke',
    resource: 'urn:example:api',
    authorizationParameters: { access_type: 'offline', prompt: 'consent' },
    responseMode: 'form_post',
    tokensIn: 'authed_user',
    callbackPath: '/api/svc/v1/llm-gateway/mcp-servers/oauth2/callback',
    allowSharedCallback: true,
  },
  'oauth2 of this machine': {
    type: 'oauth2',
    clientId: 'c',
    authorizationUrl: 'http://localhost:9000/authorize',
    tokenUrl: 'http://127.0.0.1:9000/token',
    resource: false,
  },
  'oauth2 on http, typed out': { type: 'oauth2', clientId: 'c', issuer: 'http://as.internal', allowInsecureHttp: true },
  'oauth2 with a key': {
    type: 'oauth2',
    clientId: 'c',
    issuer: 'https://as.example.com',
    privateKey: { secret: 'file:/run/secrets/key' },
    privateKeyId: 'k1',
    resource: true,
  },
  passthrough: { type: 'passthrough' },
  'passthrough for some': { type: 'passthrough', audience: ['orders-api'] },
  'token exchange': { type: 'token_exchange', issuer: 'https://as.example.com', clientId: 'c', clientSecret: 's' },
  'token exchange in full': {
    type: 'token_exchange',
    tokenUrl: 'https://as.example.com/token',
    clientId: 'c',
    privateKey: { secret: 'file:/run/secrets/key' },
    privateKeyId: 'k1',
    audience: ['orders', 'stock'],
    resource: 'urn:orders',
    scopes: [],
    subjectTokenType: 'id_token',
    requestedTokenType: 'jwt',
  },
  'identity assertion': {
    type: 'identity_assertion',
    idp: { issuer: 'https://idp.example.com', clientId: 'c', clientSecret: 's' },
    issuer: 'https://as.example.com',
    clientId: 'd',
    clientSecret: { secret: 'env:X' },
    scopes: ['chat'],
  },
  'identity assertion by whatever the server names': {
    type: 'identity_assertion',
    idp: { tokenUrl: 'https://idp.example.com/token', clientId: 'c' },
    clientId: 'd',
  },
  'client credentials': {
    type: 'client_credentials',
    issuer: 'https://as.example.com',
    clientId: 'c',
    clientSecret: 's',
    clientAuthentication: 'client_secret_post',
    audience: 'orders',
  },
}

describe('finds nothing wrong with', () => {
  it.each(Object.entries(good))('%s', (_, auth) => {
    expect(problemsOf(auth)).toEqual([])
    expect(problemsOf(auth, {})).toEqual([])
  })
})

/** `auth`, where, and what is said. */
type Bad = [unknown, string, unknown]

const shapes: Bad[] = [
  [undefined, '', "required: how to authenticate to it; for no credential at all write { type: 'none' }"],
  [
    null,
    '',
    'expected { type: "none" | "header" | "oauth2" | "passthrough" | "token_exchange" | "identity_assertion" | "client_credentials", … }, got null',
  ],
  ['none', '', 'expected an object such as { type: "none" }, got string'],
  [
    [],
    '',
    'expected { type: "none" | "header" | "oauth2" | "passthrough" | "token_exchange" | "identity_assertion" | "client_credentials", … }, got a list',
  ],
  [
    { type: 'oauth' },
    '.type',
    'expected one of "none", "header", "oauth2", "passthrough", "token_exchange", "identity_assertion", "client_credentials"; did you mean "oauth2"?',
  ],
  [
    { type: 'constructor' },
    '.type',
    'expected one of "none", "header", "oauth2", "passthrough", "token_exchange", "identity_assertion", "client_credentials"',
  ],
  [{ type: 'none', headers: {} }, '', 'unknown key "headers"'],
  [{ type: 'passthrough', audiences: 'x' }, '', 'unknown key "audiences"; did you mean "audience"?'],
  [{ type: 'passthrough', audience: [] }, '.audience', 'must not be empty'],
  [{ type: 'passthrough', audience: ['a', 7] }, '.audience[1]', 'expected string, got number'],
  [{ type: 'header' }, '.headers', 'required, a value of type object'],
  [{ type: 'header', headers: { a: 7 } }, '.headers.a', 'expected a text or { secret: "env:NAME" }'],
  [header({ values: { token: { secrets: 'env:X' } } }), '.values.token', expect.any(String)],
  [header({ values: { token: 't' }, overrides: {} }), '.overrides', 'expected array, got object'],
  [header({ values: { token: 't' }, overrides: [{ values: {} }] }), '.overrides[0].to', expect.any(String)],
]

const headers: Bad[] = [
  [{ type: 'header', headers: {} }, '.headers', expect.stringMatching(/^must not be empty; for no credential/)],
  ...['x y', 'x:', ':authority', 'x\r\ny', 'é-', '-x'].map(
    (name): Bad => [
      { type: 'header', headers: { [name]: 'v' } },
      `.headers[${JSON.stringify(name)}]`,
      'not the name of a header (RFC 9110 §5.1)',
    ],
  ),
  // As a file of JSON has it; zod passes over this key.
  [
    JSON.parse('{"type":"header","headers":{"__proto__":7,"x-a":"b"}}'),
    '.headers.__proto__',
    'not the name of a header (RFC 9110 §5.1)',
  ],
  ...[
    'Host',
    'connection',
    'transfer-encoding',
    'Content-Length',
    'content_type',
    'TE',
    'proxy-authorization',
    'accept',
    'mcp-session-id',
    'Mcp-Protocol-Version',
    'last-event-id',
  ].map(
    (name): Bad => [
      { type: 'header', headers: { [name]: 'v' } },
      /^\w+$/.test(name) ? `.headers.${name}` : `.headers[${JSON.stringify(name)}]`,
      'belongs to the request itself: the gateway sets it',
    ],
  ),
  [{ type: 'header', headers: { 'X-A': '1', 'x-a': '2' } }, '.headers["x-a"]', 'the same header as "X-A"'],
  [{ type: 'header', headers: { 'x-a': '1', x_a: '2' } }, '.headers.x_a', 'the same header as "x-a"'],
  [
    { type: 'header', headers: { a: 'b\r\nc: d' } },
    '.headers.a',
    'has a line break or NUL in it, which no header can have',
  ],
  [{ type: 'header', headers: { a: 'b ' } }, '.headers.a', 'begins or ends with a space'],
  // `Bearer ${process.env.KEY}`
  [{ type: 'header', headers: { a: 'Bearer undefined' } }, '.headers.a', expect.stringMatching(/^ends in "undefined"/)],
  [{ type: 'header', headers: { a: 'key-undefined' } }, '.headers.a', expect.stringMatching(/^ends in "undefined"/)],
  [{ type: 'header', headers: { a: 'Bearer null' } }, '.headers.a', expect.stringMatching(/^ends in "null"/)],
  [header({ values: { token: 'undefined' } }), '.values.token', expect.stringMatching(/^ends in "undefined"/)],
  [
    { type: 'header', headers: { a: 'b\tc' } },
    '.headers.a',
    expect.stringMatching(/neither visible ASCII nor spaces$/),
  ],
]

const templates: Bad[] = [
  [header({}), '.headers.authorization', '{{token}} has no value in values'],
  [
    header({ values: { tokne: 't' } }),
    '.headers.authorization',
    '{{token}} has no value in values; did you mean "tokne"?',
  ],
  [
    { type: 'header', headers: { a: '{{constructor}}' }, values: {} },
    '.headers.a',
    '{{constructor}} has no value in values',
  ],
  [
    { type: 'header', headers: { a: '{{}}' } },
    '.headers.a',
    expect.stringMatching(/^has braces that are no placeholder/),
  ],
  [
    { type: 'header', headers: { a: '{{{b}}}' }, values: { b: 'c' } },
    '.headers.a',
    expect.stringMatching(/^has braces that are no placeholder/),
  ],
  [
    header({ values: { token: 't', other: 'o' } }),
    '.values.other',
    'is used by no header; write {{other}} where it belongs, or leave it out',
  ],
  [
    header({ values: { token: 't', 'a b': 'o' } }),
    '.values["a b"]',
    'the name of a value has letters, digits, "_" and "-", and begins with a letter',
  ],
  [header({ values: { token: 't\n' } }), '.values.token', 'has a line break or NUL in it, which no header can have'],
  [header({ values: { token: ' t' } }), '.values.token', 'begins or ends with a space'],
]

const withOverride = (to: unknown, values: unknown = { token: 'o' }) =>
  header({ values: { token: 't' }, overrides: [{ to, values }] })

const overrides: Bad[] = [
  [withOverride('group:corp'), '.overrides[0].to', 'expected "group:<integration>/<name>"'],
  [
    withOverride(['anonymous', 'user:crop/ann']),
    '.overrides[0].to[1]',
    'no integration named "crop"; did you mean "corp"?',
  ],
  [withOverride('virtual-account:cy'), '.overrides[0].to', 'no virtual account named "cy"; did you mean "ci"?'],
  [withOverride('*'), '.overrides[0].to', expect.stringMatching(/^a star does not stand for everybody/)],
  [withOverride('user:corp/*a*b*'), '.overrides[0].to', 'a pattern has at most 2 stars, this one has 3'],
  [withOverride([]), '.overrides[0].to', 'must not be empty'],
  [withOverride('anonymous', {}), '.overrides[0].values', 'must not be empty'],
  [
    withOverride('anonymous', { tokens: 'x' }),
    '.overrides[0].values.tokens',
    'no value named "tokens" to override; did you mean "token"?',
  ],
  [
    withOverride('anonymous', { token: 'x\n' }),
    '.overrides[0].values.token',
    'has a line break or NUL in it, which no header can have',
  ],
]

const INSECURE = 'must be https; to accept the risk, set allowInsecureHttp: true'
const USER_INFO = 'must not hold a user name or password, which nothing would send'
const https = 'https://as.example.com'

const clients: Bad[] = [
  [
    oauth2({ issuer: 'https://as.example.com/.well-known/oauth-authorization-server' }),
    '.issuer',
    expect.stringMatching(/give the part before "\/\.well-known\/oauth-authorization-server"/),
  ],
  [{ type: 'oauth2', issuer: https, clientSecret: 's' }, '.clientId', 'required with clientSecret: whose is it?'],
  [{ type: 'oauth2', issuer: https, privateKey: 'k' }, '.clientId', 'required with privateKey: whose is it?'],
  [
    { type: 'oauth2', authorizationUrl: `${https}/a`, tokenUrl: `${https}/t` },
    '.clientId',
    'required with authorizationUrl and tokenUrl; to have the gateway register itself, leave both out',
  ],
  // Whichever authorization server an upstream names one day would get the secret.
  ...[{ clientSecret: 's' }, { privateKey: 'k' }].map(
    (secret): Bad => [
      { type: 'oauth2', clientId: 'c', ...secret },
      '.issuer',
      'required with a secret or a key: the authorization server where it was registered, so that no other one gets it',
    ],
  ),
  [
    { type: 'oauth2', revocationUrl: `${https}/r` },
    '.revocationUrl',
    'goes with issuer, or with authorizationUrl and tokenUrl',
  ],
  [
    {
      type: 'oauth2',
      clientId: 'c',
      metadataUrl: `${https}/m`,
      authorizationUrl: `${https}/a`,
      tokenUrl: `${https}/t`,
    },
    '.issuer',
    'required: what is at metadataUrl has to say that it is about this issuer',
  ],
  ...['issuer', 'metadataUrl', 'revocationUrl'].flatMap((key): Bad[] => [
    [oauth2({ [key]: 'http://as.example.com' }), `.${key}`, INSECURE],
    [oauth2({ [key]: 'http://127.0.0.1.example.com' }), `.${key}`, INSECURE],
    [oauth2({ [key]: 'as.example.com' }), `.${key}`, '"as.example.com" is not a URL'],
    [oauth2({ [key]: 'javascript:alert(1)' }), `.${key}`, '"javascript:alert(1)" is not a URL'],
    [oauth2({ [key]: 'file:///etc/passwd' }), `.${key}`, '"file:///etc/passwd" is not a URL'],
    [oauth2({ [key]: 'https://ann:pw@as.example.com' }), `.${key}`, USER_INFO],
    [
      oauth2({ [key]: 'ftp://as.example.com', allowInsecureHttp: true }),
      `.${key}`,
      '"ftp://as.example.com" is not a URL',
    ],
  ]),
  [oauth2({ authorizationUrl: 'http://a.example', tokenUrl: https }), '.authorizationUrl', INSECURE],
  [oauth2({ authorizationUrl: https, tokenUrl: 'http://a.example' }), '.tokenUrl', INSECURE],
  [oauth2({ authorizationUrl: https }), '.tokenUrl', 'required: both endpoints, or neither'],
  [oauth2({ tokenUrl: https }), '.authorizationUrl', 'required: both endpoints, or neither'],
  [
    oauth2({ authorizationUrl: `${https}/a#x`, tokenUrl: https }),
    '.authorizationUrl',
    'must not have a fragment (RFC 6749 §3.1)',
  ],
  [oauth2({ issuer: `${https}?a` }), '.issuer', 'must have neither query nor fragment (RFC 8414 §2)'],
  [oauth2({ issuer: `${https}#a` }), '.issuer', 'must have neither query nor fragment (RFC 8414 §2)'],
  [oauth2({ clientSecret: 's', privateKey: 'k' }), '', 'expected at most one of clientSecret and privateKey'],
  [oauth2({ clientAuthentication: 'client_secret_basic' }), '.clientSecret', 'required for client_secret_basic'],
  [oauth2({ clientAuthentication: 'private_key_jwt' }), '.privateKey', 'required for private_key_jwt'],
  [
    oauth2({ clientSecret: 's', clientAuthentication: 'none' }),
    '.clientAuthentication',
    'a public client has neither clientSecret nor privateKey',
  ],
  [oauth2({ privateKeyId: 'k' }), '.privateKeyId', 'does nothing without privateKey'],
  [oauth2({ scopes: ['repo', 'a b'] }), '.scopes[1]', 'not a scope (RFC 6749 §3.3)'],
  [oauth2({ scopes: [''] }), '.scopes[0]', 'not a scope (RFC 6749 §3.3)'],
  [oauth2({ resource: 7 }), '.resource', 'expected a URI, true or false'],
  ...['orders', '/orders', 'https://a.example/#x', 'https:// a.example', 'https://'].map(
    (resource): Bad => [
      oauth2({ resource }),
      '.resource',
      `"${resource}" is not an absolute URI without a fragment (RFC 8707 §2)`,
    ],
  ),
  [oauth2({ authorizationParameters: { state: 'x' } }), '.authorizationParameters.state', 'is not for you to set'],
  [
    oauth2({ authorizationParameters: { redirect_uri: 'x' } }),
    '.authorizationParameters.redirect_uri',
    'is not for you to set',
  ],
  [oauth2({ responseMode: 'fragment' }), '.responseMode', 'expected one of "query", "form_post"'],
  ...['', 'a.b', '__proto__', 'a b'].map(
    (tokensIn): Bad => [oauth2({ tokensIn }), '.tokensIn', 'expected the name of a member, such as "authed_user"'],
  ),
  ...['callback', '/', '/a/', '//a', '/a/../b', '/a%2fb', '/a?b', '/a b', 'https://gw.example.com/a'].map(
    (callbackPath): Bad => [
      oauth2({ callbackPath }),
      '.callbackPath',
      `"${callbackPath}" is not a plain path such as "/oauth2/callback"`,
    ],
  ),
]

const NO_SERVER = 'required, or tokenUrl: the authorization server that gives the token'
const exchanged = (more: object) => ({ type: 'token_exchange', issuer: https, clientId: 'c', ...more })
const asserted = (more: object) => ({
  type: 'identity_assertion',
  idp: { issuer: https, clientId: 'c' },
  clientId: 'd',
  ...more,
})

const grants: Bad[] = [
  [{ type: 'token_exchange', issuer: https }, '.clientId', expect.any(String)],
  [exchanged({ issuer: undefined }), '.issuer', NO_SERVER],
  [exchanged({ issuer: 'http://as.example.com' }), '.issuer', INSECURE],
  [exchanged({ issuer: `${https}?a` }), '.issuer', 'must have neither query nor fragment (RFC 8414 §2)'],
  [exchanged({ tokenUrl: 'https://ann:pw@as.example.com' }), '.tokenUrl', USER_INFO],
  [exchanged({ clientSecret: 's', privateKey: 'k' }), '', 'expected at most one of clientSecret and privateKey'],
  [exchanged({ clientAuthentication: 'private_key_jwt' }), '.privateKey', 'required for private_key_jwt'],
  [exchanged({ audience: [] }), '.audience', 'must not be empty'],
  [
    exchanged({ resource: '/orders' }),
    '.resource',
    '"/orders" is not an absolute URI without a fragment (RFC 8707 §2)',
  ],
  [exchanged({ scopes: ['a b'] }), '.scopes[0]', 'not a scope (RFC 6749 §3.3)'],
  [exchanged({ subjectTokenType: 'saml2' }), '.subjectTokenType', expect.stringMatching(/"access_token", "id_token"/)],
  [exchanged({ authorizationUrl: https }), '', 'unknown key "authorizationUrl"'],
  [{ type: 'identity_assertion', clientId: 'd' }, '.idp', expect.any(String)],
  [asserted({ idp: { clientId: 'c' } }), '.idp.issuer', NO_SERVER],
  [asserted({ idp: { clientId: 'c', issuer: 'http://idp.example.com' } }), '.idp.issuer', INSECURE],
  [
    asserted({ idp: { clientId: 'c', issuer: https, clientSecret: 's', clientAuthentication: 'none' } }),
    '.idp.clientAuthentication',
    'a public client has neither clientSecret nor privateKey',
  ],
  // Whichever authorization server an upstream names one day would get the secret.
  ...[{ clientSecret: 's' }, { privateKey: 'k' }].map(
    (secret): Bad => [asserted(secret), '.issuer', expect.stringMatching(/so that no other one gets it/)],
  ),
  [
    asserted({ tokenUrl: https }),
    '.issuer',
    'required with tokenUrl: the identity provider makes the assertion for this issuer',
  ],
  [
    { type: 'client_credentials', issuer: https, clientId: 'c' },
    '.clientSecret',
    'required, or privateKey: without one anybody could ask for the same token (RFC 6749 §4.4)',
  ],
  [{ type: 'client_credentials', clientId: 'c', clientSecret: 's' }, '.issuer', NO_SERVER],
]

describe('finds what is wrong', () => {
  it.each([...grants, ...shapes, ...headers, ...templates, ...overrides, ...clients])(
    '%j: %s',
    (auth, path, message) => {
      expect(problemsOf(auth)).toContainEqual(problem(path, message))
    },
  )

  it('says all of it at once', () => {
    const auth = {
      type: 'header',
      headers: { host: 'a', 'x-a': '{{b}}', 'x-c': 'd\n' },
      values: { e: 'f' },
      overrides: [{ to: 'group:nowhere/x', values: { g: 'h' } }],
    }
    expect(problemsOf(auth).map(({ path }) => path.slice(AT.length))).toEqual([
      '.headers.host',
      '.headers["x-a"]',
      '.headers["x-c"]',
      '.values.e',
      '.overrides[0].to',
      '.overrides[0].values.g',
    ])
  })

  it('says nothing about names that are not known yet', () => {
    const auth = withOverride(['virtual-account:other', 'user:elsewhere/ann'])
    expect(problemsOf(auth, {})).toEqual([])
    expect(problemsOf(auth)).toHaveLength(2)
  })

  it('form_post needs a gateway on https', () => {
    const auth = oauth2({ responseMode: 'form_post' })
    expect(problemsOf(auth, { gatewayUrl: 'http://localhost:3000' })).toEqual([
      problem('.responseMode', expect.stringMatching(/^form_post needs a gateway on https/)),
    ])
    expect(problemsOf(auth, { gatewayUrl: 7 })).toEqual([])
  })

  it('never repeats a secret', () => {
    const secret = 's3cr3t\n'
    const bad = [
      { type: 'header', headers: { 'x-a': secret } },
      { type: 'header', headers: { 'x-a': `{{${secret}}}` } },
      header({ values: { token: secret }, overrides: [{ to: 'anonymous', values: { token: secret, other: secret } }] }),
      oauth2({ clientSecret: secret, privateKey: secret, clientAuthentication: 'none' }),
    ]
    for (const auth of bad) {
      const problems = problemsOf(auth)
      expect(problems).not.toEqual([])
      expect(JSON.stringify(problems)).not.toContain('s3cr3t')
    }
  })
})
