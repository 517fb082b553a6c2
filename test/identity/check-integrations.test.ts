import { describe, expect, it } from 'vitest'
import type { ConfigProblem } from '../../src/core/errors.ts'
import { checkIntegrations } from '../../src/identity/check-integrations.ts'

const corp = { issuer: 'https://login.example.com/', audience: 'orders-api' }
const oauth2 = { clientId: 'the-client' }
const several = {
  issuer: 'https://login.example.com/{tenantid}/v2.0',
  metadataUrl: 'https://login.example.com/common/v2.0/.well-known/openid-configuration',
  tenants: ['8eaef023-2b34-4da1-9baa-8bc8c9d6a490'],
  audience: 'orders-api',
}
const endpoints = {
  authorizationUrl: 'https://login.example.com/authorize',
  tokenUrl: 'https://login.example.com/token',
}

function problemsOf(integrations: unknown): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  checkIntegrations(integrations, problems)
  return problems
}

const withParts = (parts: object) => ({ corp: { ...corp, ...parts } })
const withClient = (parts: object, more: object = {}) => ({
  corp: { ...corp, ...more, oauth2: { ...oauth2, ...parts } },
})
const withTenants = (parts: object) => ({ corp: { ...several, ...parts } })

/** Integrations, path, and what the message says. */
type Bad = [object, string, string | RegExp]

const INSECURE = 'must be https; to accept the risk, set allowInsecureHttp: true'
const USER_INFO = 'must not hold a user name or password, which nothing would send'

const urls: Bad[] = [
  [withParts({ metadataUrl: 'http://login.example.com/metadata' }), 'corp.metadataUrl', INSECURE],
  [withParts({ metadataUrl: '/metadata' }), 'corp.metadataUrl', '"/metadata" is not a URL'],
  [withParts({ metadataUrl: 'https://ann:secret@login.example.com/' }), 'corp.metadataUrl', USER_INFO],
  [withParts({ jwksUri: 'https://:secret@login.example.com/' }), 'corp.jwksUri', USER_INFO],
  [withParts({ issuer: 'https://ann@login.example.com/' }), 'corp.issuer', USER_INFO],
  // Nothing is fetched from it, and it is compared all the same.
  [withParts({ issuer: 'https://ann@login.example.com/', jwksUri: 'https://x.example/' }), 'corp.issuer', USER_INFO],
  [withParts({ issuer: ':corp', jwksUri: 'https://x.example/' }), 'corp.issuer', '":corp" is not a URL'],
  // Else its people could be taken for virtual accounts.
  ...['virtual-account', 'anonymous'].map(
    (issuer): Bad => [
      withParts({ issuer, jwksUri: 'https://x.example/' }),
      'corp.issuer',
      `"${issuer}" stands for callers of no provider`,
    ],
  ),
  // Login looks for its endpoints there.
  [withClient({}, { issuer: 'http://login.example.com/', jwksUri: 'https://x.example/' }), 'corp.issuer', INSECURE],
  [withClient({}, { issuer: 'corp', jwksUri: 'https://x.example/' }), 'corp.issuer', '"corp" is not a URL'],
  ...['userInfoUrl', 'revocationUrl', 'endSessionUrl'].flatMap((key): Bad[] => [
    [withClient({ [key]: 'http://login.example.com/x' }), `corp.oauth2.${key}`, INSECURE],
    [withClient({ [key]: 'javascript:alert(1)' }), `corp.oauth2.${key}`, '"javascript:alert(1)" is not a URL'],
    [withClient({ [key]: '/x' }), `corp.oauth2.${key}`, '"/x" is not a URL'],
    [withClient({ [key]: 'https://ann:secret@login.example.com/x' }), `corp.oauth2.${key}`, USER_INFO],
  ]),
]

const tenants: Bad[] = [
  [withParts({ tenants: ['x'] }), 'corp.tenants', 'goes with an issuer that has {tenantid} in it'],
  [
    withTenants({ tenants: undefined }),
    'corp.tenants',
    "required: the tenants whose people may come in; or ['*'], typed out, for everybody with an account",
  ],
  [withTenants({ tenants: [] }), 'corp.tenants', 'must not be empty'],
  [withTenants({ tenants: [''] }), 'corp.tenants[0]', 'must not be empty'],
  [withTenants({ tenants: 'x' }), 'corp.tenants', 'expected array, got string'],
  [withTenants({ tenants: ['*', 'x'] }), 'corp.tenants', '"*" stands for all tenants; leave the others out, or it'],
  [
    withTenants({ metadataUrl: undefined }),
    'corp.metadataUrl',
    'required (or jwksUri): nothing can be fetched from an issuer with {tenantid} in it',
  ],
  // Keys can be fetched then, endpoints cannot be found.
  [withTenants({ metadataUrl: undefined, jwksUri: 'https://x.example/', oauth2 }), 'corp.metadataUrl', /^required/],
  [
    withTenants({ issuer: 'https://login.example.com/{tenantId}/', tenants: undefined }),
    'corp.issuer',
    'knows no placeholder "{tenantId}"; did you mean "{tenantid}"?',
  ],
  [withTenants({ issuer: 'https://login.example.com/{tenantid}/{x}/' }), 'corp.issuer', /no placeholder "{x}"/],
]

const audiences: Bad[] = [
  [withParts({ audienceClaim: '' }), 'corp.audienceClaim', 'must not be empty'],
  [
    withParts({ audience: null, audienceClaim: 'azp' }),
    'corp.audienceClaim',
    'does nothing with audience: null; leave one out',
  ],
  ...['orders-api', ['orders-api', 'The-Client']].map(
    (audience): Bad => [
      withClient({}, { jwtSource: 'id_token', audience }),
      'corp.audience',
      'must have "the-client": the ID tokens of those who sign in are made for oauth2.clientId',
    ],
  ),
]

const clients: Bad[] = [
  [{ 'my corp': { ...corp, oauth2 } }, '["my corp"]', /only letters, digits, "_" and "-"/],
  [{ 'a.b': { ...corp, oauth2 } }, '["a.b"]', /redirect URL/],
  [withParts({ oauth2: null }), 'corp.oauth2', 'expected object, got null'],
  [withParts({ oauth2: {} }), 'corp.oauth2.clientId', 'required, a value of type string'],
  [withClient({ clientsecret: 'x' }), 'corp.oauth2', 'unknown key "clientsecret"; did you mean "clientSecret"?'],
  [withClient({ clientSecret: 7 }), 'corp.oauth2.clientSecret', 'expected a text or { secret: "env:NAME" }'],
  [withClient({ scopes: 'openid' }), 'corp.oauth2.scopes', 'expected array, got string'],
  [withClient({ scopes: ['openid email'] }), 'corp.oauth2.scopes[0]', 'not a scope (RFC 6749 §3.3)'],
  [withClient({ responseMode: 'fragment' }), 'corp.oauth2.responseMode', 'expected one of "query", "form_post"'],
  [withClient({ logoutReturnParameter: '' }), 'corp.oauth2.logoutReturnParameter', 'must not be empty'],
  [
    withClient({ scopes: ['email'] }, { jwtSource: 'id_token', audience: 'the-client' }),
    'corp.oauth2.scopes',
    'must have "openid": without it there is no ID token, which jwtSource asks for',
  ],
  [withClient({ scopes: [] }, { jwtSource: 'id_token', audience: null }), 'corp.oauth2.scopes', /must have "openid"/],
  [
    withClient({ authorizationUrl: endpoints.authorizationUrl }, { jwksUri: 'https://x.example/' }),
    'corp.oauth2.tokenUrl',
    'required: both endpoints, or neither',
  ],
  [
    withClient({ tokenUrl: endpoints.tokenUrl }),
    'corp.oauth2.authorizationUrl',
    'required: both endpoints, or neither',
  ],
  [withClient(endpoints), 'corp.jwksUri', 'required where the endpoints are written out'],
  [
    withClient({ ...endpoints, userInfo: true }, { jwksUri: 'https://x.example/' }),
    'corp.oauth2.userInfoUrl',
    'required for userInfo: true where the endpoints are written out',
  ],
  [
    withClient({ ...endpoints, tokenUrl: 'http://login.example.com/token' }, { jwksUri: 'https://x.example/' }),
    'corp.oauth2.tokenUrl',
    INSECURE,
  ],
  [
    withClient({ clientSecret: 'a', privateKey: 'b' }),
    'corp.oauth2',
    'expected at most one of clientSecret and privateKey',
  ],
  [
    withClient({ clientAuthentication: 'client_secret_basic' }),
    'corp.oauth2.clientSecret',
    'required for client_secret_basic',
  ],
  [withClient({ clientAuthentication: 'private_key_jwt' }), 'corp.oauth2.privateKey', 'required for private_key_jwt'],
  [
    withClient({ clientAuthentication: 'none', clientSecret: 'a' }),
    'corp.oauth2.clientAuthentication',
    'a public client has neither clientSecret nor privateKey',
  ],
  [
    withClient({ clientSecret: 'a', privateKeyId: 'key-1' }),
    'corp.oauth2.privateKeyId',
    'does nothing without privateKey',
  ],
  ...['client_id', 'redirect_uri', 'state', 'nonce', 'scope', 'code_challenge', 'request', 'response_type'].map(
    (parameter): Bad => [
      withClient({ authorizationParameters: { [parameter]: 'x' } }),
      `corp.oauth2.authorizationParameters.${parameter}`,
      'is not for you to set',
    ],
  ),
]

describe('A8, A9 a mistake in an integration is said with its path', () => {
  it.each([
    ...urls.map((bad) => ['urls', ...bad] as const),
    ...tenants.map((bad) => ['tenants', ...bad] as const),
    ...audiences.map((bad) => ['audiences', ...bad] as const),
    ...clients.map((bad) => ['clients', ...bad] as const),
  ])('%s: %j', (_, integrations, path, message) => {
    const problems = problemsOf(integrations)
    const at = path.startsWith('[') ? `integrations${path}` : `integrations.${path}`
    expect(problems).toEqual([
      { path: at, message: typeof message === 'string' ? message : expect.stringMatching(message) },
    ])
  })

  it('each one, where there are several', () => {
    const problems = problemsOf({
      one: { issuer: 'x', audience: 'y' },
      two: { ...corp, oauth2: { clientId: 'x', clientAuthentication: 'client_secret_post', privateKey: 'y' } },
    })
    expect(problems.map(({ path }) => path)).toEqual([
      'integrations.one.issuer',
      'integrations.two.oauth2.clientSecret',
      'integrations.two.oauth2.privateKey',
    ])
  })

  it('never with a secret in it', () => {
    const secret = 'hunter2-secret'
    for (const integrations of [
      withClient({ clientSecret: { secret: '', value: secret } }),
      withClient({ clientSecret: [secret] }),
      withClient({ clientSecret: secret, privateKey: secret }),
      withClient({ userInfoUrl: `https://ann:${secret}@login.example.com/` }),
      withClient({ userInfoUrl: `htps://ann:${secret}@login.example.com/` }),
      withParts({ metadataUrl: `https://ann:${secret}@login.example.com/` }),
    ]) {
      const told = JSON.stringify(problemsOf(integrations))
      expect(told).not.toBe('[]')
      expect(told).not.toContain(secret)
    }
  })
})

describe('what is no mistake', () => {
  it.each<[string, unknown]>([
    ['no integrations', undefined],
    ['none in the list', {}],
    ['several tenants', { corp: several }],
    ['several tenants, keys at a fixed place', withTenants({ metadataUrl: undefined, jwksUri: 'https://x.example/' })],
    ['all tenants', withTenants({ tenants: ['*'] })],
    ['several tenants to sign in with', withTenants({ oauth2 })],
    [
      'several tenants, everything written out',
      withTenants({ metadataUrl: undefined, jwksUri: 'https://x.example/', oauth2: { ...oauth2, ...endpoints } }),
    ],
    ['metadata of an issuer that is no URL', withParts({ issuer: 'corp', metadataUrl: 'https://x.example/metadata' })],
    ['the audience in another claim', withParts({ audienceClaim: 'client_id' })],
    ['the least that one can sign in with', withClient({})],
    ['a public client', withClient({ clientAuthentication: 'none' })],
    ['a client with a secret by reference', withClient({ clientSecret: { secret: 'env:CORP_SECRET' } })],
    ['a client with a key', withClient({ privateKey: { secret: 'file:key.pem' }, privateKeyId: 'key-1' })],
    ['ID tokens for the client', withClient({}, { jwtSource: 'id_token', audience: 'the-client' })],
    ['ID tokens for the client and others', withClient({}, { jwtSource: 'id_token', audience: ['x', 'the-client'] })],
    ['ID tokens for whomever', withClient({}, { jwtSource: 'id_token', audience: null })],
    ['ID tokens by azp', withClient({}, { jwtSource: 'id_token', audience: 'x', audienceClaim: 'azp' })],
    ['access tokens without openid', withClient({ scopes: ['orders:read'] })],
    ['endpoints written out', withClient(endpoints, { issuer: 'corp', jwksUri: 'https://x.example/' })],
    [
      'http on this machine',
      withClient(
        { authorizationUrl: 'http://localhost:1/a', tokenUrl: 'http://127.0.0.1:1/t' },
        { issuer: 'http://[::1]:1', jwksUri: 'http://localhost:1/jwks' },
      ),
    ],
    [
      'http elsewhere, typed out',
      withClient(
        { endSessionUrl: 'http://login.internal/x' },
        { issuer: 'http://login.internal', allowInsecureHttp: true },
      ),
    ],
    [
      'parameters of the provider',
      withClient({ authorizationParameters: { hd: 'example.com', audience: 'orders-api' } }),
    ],
  ])('%s', (_, integrations) => {
    expect(problemsOf(integrations)).toEqual([])
  })
})
