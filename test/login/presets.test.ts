/** The presets as plain data: what they make of their options, and what they say of wrong ones. */
import { describe, expect, it } from 'vitest'
import { ConfigError, type ConfigProblem } from '../../src/core/errors.ts'
import { checkIntegrations } from '../../src/identity/check-integrations.ts'
import type { Integration } from '../../src/identity/integration.ts'
import { auth0, cognito, entra, google, keycloak, okta } from '../../src/login/presets/index.ts'

const clientSecret = { secret: 'env:CORP_SECRET' }
const client = { clientId: 'the-client', clientSecret }
const ACME = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490'
const BEAM = '82229342-1101-4ab6-817b-70c0747630f3'
const APP = '535fb089-9ff3-47b6-9bfb-4f1264799865'
const API = '6e74172b-be56-4843-9ff4-e66a39bb12e3'
const pool = { ...client, region: 'eu-west-1', userPoolId: 'eu-west-1_AbCdEfGhI' }
const app = { clientId: APP, clientSecret }
const realm = { ...client, url: 'https://sso.example.com', realm: 'staff' }

const made: [string, () => Integration, Integration][] = [
  [
    'A9 cognito: access tokens, whose audience is in client_id',
    () => cognito({ ...pool, domain: 'Orders.auth.eu-west-1.amazoncognito.com' }),
    {
      issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI',
      audience: 'the-client',
      audienceClaim: 'client_id',
      jwtSource: 'access_token',
      groupsClaim: 'cognito:groups',
      oauth2: {
        clientId: 'the-client',
        clientSecret,
        scopes: ['openid', 'email'],
        endSessionUrl: 'https://orders.auth.eu-west-1.amazoncognito.com/logout',
        logoutReturnParameter: 'logout_uri',
      },
    },
  ],
  [
    'A9 cognito: ID tokens, whose audience is where it belongs; a public client',
    () =>
      cognito({
        region: 'us-gov-west-1',
        userPoolId: 'us-gov-west-1_x',
        clientId: 'the-client',
        jwtSource: 'id_token',
        scopes: ['openid'],
        authorizationParameters: { identity_provider: 'Google' },
      }),
    {
      issuer: 'https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_x',
      audience: 'the-client',
      jwtSource: 'id_token',
      groupsClaim: 'cognito:groups',
      oauth2: {
        clientId: 'the-client',
        scopes: ['openid'],
        authorizationParameters: { identity_provider: 'Google' },
        logoutReturnParameter: 'logout_uri',
      },
    },
  ],
  [
    'A9 google: ID tokens',
    () => google(client),
    {
      issuer: 'https://accounts.google.com',
      audience: 'the-client',
      jwtSource: 'id_token',
      oauth2: { clientId: 'the-client', clientSecret, scopes: ['openid', 'email'], revocation: 'never' },
    },
  ],
  [
    'A9 google: of one domain, with a refresh token',
    () =>
      google({
        ...client,
        hostedDomain: 'example.com',
        authorizationParameters: { access_type: 'offline', prompt: 'consent' },
        userInfo: true,
        label: 'Google',
      }),
    {
      issuer: 'https://accounts.google.com',
      audience: 'the-client',
      jwtSource: 'id_token',
      oauth2: {
        clientId: 'the-client',
        clientSecret,
        scopes: ['openid', 'email'],
        authorizationParameters: { access_type: 'offline', prompt: 'consent', hd: 'example.com' },
        revocation: 'never',
        userInfo: true,
        label: 'Google',
      },
    },
  ],
  [
    'A9 entra: ID tokens of one tenant',
    () => entra({ clientId: APP.toUpperCase(), clientSecret, tenant: ACME.toUpperCase() }),
    {
      issuer: `https://login.microsoftonline.com/${ACME}/v2.0`,
      audience: APP,
      jwtSource: 'id_token',
      subjectClaim: ['tid', 'oid'],
      oauth2: {
        clientId: APP,
        clientSecret,
        scopes: ['openid', 'profile', 'email'],
        clientAuthentication: 'client_secret_post',
      },
    },
  ],
  [
    'A9 entra: ID tokens of several tenants',
    () => entra({ clientId: APP, tenant: 'organizations', allowedTenants: [ACME, BEAM.toUpperCase()] }),
    {
      issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
      tenants: [ACME, BEAM],
      metadataUrl: 'https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration',
      audience: APP,
      jwtSource: 'id_token',
      subjectClaim: ['tid', 'oid'],
      oauth2: { clientId: APP, scopes: ['openid', 'profile', 'email'] },
    },
  ],
  [
    'A9 entra: access tokens for an API of its own',
    () => entra({ ...app, tenant: 'common', allowedTenants: ['*'], jwtSource: 'access_token', audience: API }),
    {
      issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
      tenants: ['*'],
      metadataUrl: 'https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration',
      audience: API,
      jwtSource: 'access_token',
      subjectClaim: ['tid', 'oid'],
      oauth2: {
        clientId: APP,
        clientSecret,
        scopes: ['openid', 'profile', 'email', `${API}/.default`],
        clientAuthentication: 'client_secret_post',
      },
    },
  ],
  [
    'A9 entra: access tokens of version 1',
    () => entra({ ...app, tenant: ACME, tokenVersion: 1 }),
    {
      issuer: `https://sts.windows.net/${ACME}/`,
      metadataUrl: `https://login.microsoftonline.com/${ACME}/.well-known/openid-configuration`,
      audience: [APP, `api://${APP}`],
      jwtSource: 'access_token',
      subjectClaim: ['tid', 'oid'],
      oauth2: {
        clientId: APP,
        clientSecret,
        scopes: ['openid', 'profile', 'email'],
        clientAuthentication: 'client_secret_post',
        resource: APP,
      },
    },
  ],
  [
    'A9 entra: access tokens of version 1, several tenants, an API by its name',
    () =>
      entra({
        ...app,
        tenant: 'common',
        allowedTenants: [ACME],
        tokenVersion: 1,
        audience: ['https://api.example.com'],
      }),
    {
      issuer: 'https://sts.windows.net/{tenantid}/',
      tenants: [ACME],
      metadataUrl: 'https://login.microsoftonline.com/common/.well-known/openid-configuration',
      audience: ['https://api.example.com'],
      jwtSource: 'access_token',
      subjectClaim: ['tid', 'oid'],
      oauth2: {
        clientId: APP,
        clientSecret,
        scopes: ['openid', 'profile', 'email'],
        clientAuthentication: 'client_secret_post',
        resource: 'https://api.example.com',
      },
    },
  ],
  [
    'A9 okta: access tokens of the authorization server that is there',
    () => okta({ ...client, domain: 'example.okta.com' }),
    {
      issuer: 'https://example.okta.com/oauth2/default',
      audience: 'api://default',
      jwtSource: 'access_token',
      subjectClaim: 'uid',
      oauth2: { clientId: 'the-client', clientSecret, scopes: ['openid', 'profile', 'email'] },
    },
  ],
  [
    'A9 okta: of another authorization server',
    () =>
      okta({
        ...client,
        domain: 'Login.Example.com',
        authorizationServer: 'aus1a2b3c4D5e6F7g8h9',
        audience: ['orders-api', 'billing-api'],
        scopes: ['openid', 'orders:read'],
      }),
    {
      issuer: 'https://login.example.com/oauth2/aus1a2b3c4D5e6F7g8h9',
      audience: ['orders-api', 'billing-api'],
      jwtSource: 'access_token',
      subjectClaim: 'uid',
      oauth2: { clientId: 'the-client', clientSecret, scopes: ['openid', 'orders:read'] },
    },
  ],
  [
    'auth0: access tokens for an API',
    () =>
      auth0({
        ...client,
        domain: 'example.eu.auth0.com',
        audience: 'https://orders.example.com',
        groupsClaim: 'https://orders.example.com/roles',
        authorizationParameters: { organization: 'acme', audience: 'other' },
      }),
    {
      issuer: 'https://example.eu.auth0.com/',
      audience: 'https://orders.example.com',
      jwtSource: 'access_token',
      groupsClaim: 'https://orders.example.com/roles',
      oauth2: {
        clientId: 'the-client',
        clientSecret,
        scopes: ['openid', 'profile', 'email'],
        clientAuthentication: 'client_secret_post',
        authorizationParameters: { organization: 'acme', audience: 'https://orders.example.com' },
      },
    },
  ],
  [
    'auth0: ID tokens without one',
    () => auth0({ clientId: 'the-client', domain: 'login.example.com' }),
    {
      issuer: 'https://login.example.com/',
      audience: 'the-client',
      jwtSource: 'id_token',
      oauth2: { clientId: 'the-client', scopes: ['openid', 'profile', 'email'] },
    },
  ],
  [
    'keycloak: access tokens that were made for the client',
    () => keycloak({ ...realm, url: 'https://sso.example.com/auth//' }),
    {
      issuer: 'https://sso.example.com/auth/realms/staff',
      audience: 'the-client',
      audienceClaim: 'azp',
      jwtSource: 'access_token',
      groupsClaim: 'groups',
      oauth2: { clientId: 'the-client', clientSecret, scopes: ['openid', 'profile', 'email'] },
    },
  ],
  [
    'keycloak: access tokens with an audience',
    () => keycloak({ ...realm, url: 'http://localhost:8080', realm: 'our staff', audience: 'orders-api' }),
    {
      issuer: 'http://localhost:8080/realms/our%20staff',
      audience: 'orders-api',
      jwtSource: 'access_token',
      groupsClaim: 'groups',
      oauth2: { clientId: 'the-client', clientSecret, scopes: ['openid', 'profile', 'email'] },
    },
  ],
]

describe('a preset makes an integration', () => {
  it.each(made)('%s', (_, make, expected) => {
    expect(make()).toEqual(expected)
  })

  it.each(made)('that is plain data and passes the check of the configuration: %s', (_, make) => {
    const integration = make()
    expect(JSON.parse(JSON.stringify(integration))).toEqual(integration)
    const problems: ConfigProblem[] = []
    checkIntegrations({ corp: integration }, problems)
    expect(problems).toEqual([])
  })

  it('A9 that has to have openid where ID tokens are judged', () => {
    const ofId = [
      google({ ...client, scopes: ['email'] }),
      entra({ ...app, tenant: ACME, scopes: ['profile'] }),
      cognito({ ...pool, jwtSource: 'id_token', scopes: ['email'] }),
      auth0({ ...client, domain: 'example.auth0.com', scopes: ['email'] }),
    ]
    for (const integration of ofId) {
      const problems: ConfigProblem[] = []
      checkIntegrations({ corp: integration }, problems)
      expect(problems).toEqual([
        { path: 'integrations.corp.oauth2.scopes', message: expect.stringMatching(/^must have "openid"/) },
      ])
    }
  })
})

/** The problems of options. */
function problemsOf(make: () => Integration): readonly ConfigProblem[] {
  try {
    make()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

type Preset = (options: never) => Integration
const domains: [string, Preset, object][] = [
  ['cognito', cognito as Preset, pool],
  ['okta', okta as Preset, client],
  ['auth0', auth0 as Preset, client],
]
const HOST_ONLY = /^expected a host name and nothing else, such as "([^"]+)"$/

describe('a preset says which option is wrong', () => {
  it.each<[string, string]>([
    ['https://login.example.org', 'login.example.org'],
    ['https://login.example.org/', 'login.example.org'],
    ['http://login.example.org/oauth2/default', 'login.example.org'],
    ['https://ann:hunter2@login.example.org:8443/x', 'login.example.org'],
    ['login.example.org/', 'login.example.com'],
    ['login.example.org:443', 'login.example.com'],
    ['login.example.org?x', 'login.example.com'],
    ['ann:hunter2@login.example.org', 'login.example.com'],
    ['login', 'login.example.com'],
    ['.example.org', 'login.example.com'],
    ['login..example.org', 'login.example.com'],
    ['-login.example.org', 'login.example.com'],
    ['login.example.org\n', 'login.example.com'],
    [' login.example.org', 'login.example.com'],
    ['https:', 'login.example.com'],
  ])('the domain %j', (domain, meant) => {
    for (const [name, preset, options] of domains) {
      const problems = problemsOf(() => preset({ ...options, domain } as never))
      expect(problems).toEqual([{ path: `${name}.domain`, message: expect.stringMatching(HOST_ONLY) }])
      expect(HOST_ONLY.exec(problems[0]?.message ?? '')?.[1]).toBe(meant)
    }
    expect(problemsOf(() => google({ ...client, hostedDomain: domain })).map(({ path }) => path)).toEqual([
      'google.hostedDomain',
    ])
  })

  const ofEach: [string, Preset, object][] = [
    ['cognito', cognito as Preset, pool],
    ['google', google as Preset, client],
    ['entra', entra as Preset, { ...app, tenant: ACME }],
    ['okta', okta as Preset, { ...client, domain: 'example.okta.com' }],
    ['auth0', auth0 as Preset, { ...client, domain: 'example.auth0.com' }],
    ['keycloak', keycloak as Preset, realm],
  ]

  it.each(ofEach)('what all have in common: %s', (name, preset, options) => {
    const problems = (more: object) => problemsOf(() => preset({ ...options, ...more } as never))
    expect(problems({})).toEqual([])
    expect(problems({ clientID: 'x' })).toEqual([
      { path: name, message: 'unknown key "clientID"; did you mean "clientId"?' },
    ])
    expect(problems({ clientId: undefined })).toMatchObject([{ path: `${name}.clientId` }])
    expect(problems({ clientId: '' })).toMatchObject([{ path: `${name}.clientId` }])
    expect(problems({ clientSecret: 7 })).toEqual([
      { path: `${name}.clientSecret`, message: 'expected a text or { secret: "env:NAME" }' },
    ])
    expect(problems({ clientSecret: '' })).toMatchObject([{ path: `${name}.clientSecret` }])
    expect(problems({ scopes: 'openid profile' })).toMatchObject([{ path: `${name}.scopes` }])
    expect(problems({ scopes: [] })).toMatchObject([{ path: `${name}.scopes` }])
    expect(problems({ scopes: ['openid profile'] })).toMatchObject([{ path: `${name}.scopes[0]` }])
    expect(problems({ authorizationParameters: { prompt: 7 } })).toMatchObject([
      { path: `${name}.authorizationParameters.prompt` },
    ])
    expect(problems({ userInfo: 'yes' })).toMatchObject([{ path: `${name}.userInfo` }])
    expect(problems({ label: '' })).toMatchObject([{ path: `${name}.label` }])
    expect(problemsOf(() => preset(undefined as never))).toMatchObject([{ path: name }])
    expect(problemsOf(() => preset(null as never))).toMatchObject([{ path: name }])
  })

  it('all of them at once', () => {
    const problems = problemsOf(() => okta({ clientId: '', domain: 'https://x.okta.com', server: 'x' } as never))
    expect(problems.map(({ path }) => path).sort()).toEqual(['okta', 'okta.clientId', 'okta.domain'])
    expect(() => okta({ clientId: '', domain: 'x' })).toThrow('2 problems in the configuration:\n  okta.')
  })

  it.each<[string, () => Integration, string, string | RegExp]>([
    ['cognito', () => cognito({ ...pool, region: 'Ireland' }), 'region', /such as "eu-west-1"/],
    ['cognito', () => cognito({ ...pool, userPoolId: 'AbCdEfGhI' }), 'userPoolId', /such as "eu-west-1_AbCdEfGhI"/],
    [
      'cognito',
      () => cognito({ ...pool, userPoolId: 'eu-central-1_AbCdEfGhI' }),
      'userPoolId',
      '"eu-central-1_AbCdEfGhI" is not a user pool of eu-west-1',
    ],
    ['cognito', () => cognito({ ...pool, userPoolId: 'eu-west-1_x/../y' }), 'userPoolId', /expected the id/],
    ['cognito', () => cognito({ ...pool, jwtSource: 'idToken' as never }), 'jwtSource', /did you mean "id_token"/],
    ['google', () => google({ clientId: 'x' } as never), 'clientSecret', /expected a text or/],
    [
      'okta',
      () => okta({ ...client, domain: 'example-admin.okta.com' }),
      'domain',
      '"example-admin.okta.com" is the admin console; write "example.okta.com"',
    ],
    [
      'okta',
      () => okta({ ...client, domain: 'x.okta.com', authorizationServer: 'a/b' }),
      'authorizationServer',
      /such as "default"/,
    ],
    ['okta', () => okta({ ...client, domain: 'x.okta.com', audience: [] }), 'audience', 'must not be empty'],
    ['auth0', () => auth0({ ...client, domain: 'x.auth0.com', audience: '' }), 'audience', 'must not be empty'],
    ['keycloak', () => keycloak({ ...realm, url: 'sso.example.com' }), 'url', /such as "https:\/\/sso.example.com"/],
    [
      'keycloak',
      () => keycloak({ ...realm, url: 'https://sso.example.com/auth/realms/staff/' }),
      'url',
      /before "\/realms\/"/,
    ],
    ['keycloak', () => keycloak({ ...realm, url: 'https://sso.example.com/?x' }), 'url', /without query/],
    ['keycloak', () => keycloak({ ...realm, url: 'https://ann:hunter2@sso.example.com' }), 'url', /^expected a URL/],
    ['keycloak', () => keycloak({ ...realm, realm: 'a/b' }), 'realm', 'expected the name of a realm'],
    ['keycloak', () => keycloak({ ...realm, realm: '' }), 'realm', /./],
    ['entra', () => entra({ ...app, clientId: 'orders', tenant: ACME }), 'clientId', /^expected a GUID/],
    ['entra', () => entra({ ...app, tenant: `${ACME}0` }), 'tenant', /is neither a tenant's id, a GUID, nor "common"/],
    [
      'entra',
      () => entra({ ...app, tenant: 'contoso.onmicrosoft.com' }),
      'tenant',
      /in the "issuer" at https:\/\/login.microsoftonline.com\/contoso.onmicrosoft.com\/v2.0\/.well-known\/openid-config/,
    ],
    ['entra', () => entra({ ...app, tenant: 'consumers' }), 'tenant', /in the "issuer" at .*\/consumers\/v2.0\//],
    ['entra', () => entra({ ...app, tenant: 'a/b' }), 'tenant', /[^;]* "organizations"$/],
    [
      'entra',
      () => entra({ ...app, tenant: 'common' }),
      'allowedTenants',
      `required with "common": the ids of tenants; or ['*'], typed out, for all there are`,
    ],
    ['entra', () => entra({ ...app, tenant: 'common', allowedTenants: [] }), 'allowedTenants', 'must not be empty'],
    [
      'entra',
      () => entra({ ...app, tenant: 'common', allowedTenants: ['*', ACME] }),
      'allowedTenants',
      '"*" stands for all tenants; leave the others out, or it',
    ],
    [
      'entra',
      () => entra({ ...app, tenant: 'common', allowedTenants: ['contoso.com'] }),
      'allowedTenants[0]',
      'is neither a GUID nor "*"',
    ],
    [
      'entra',
      () => entra({ ...app, tenant: ACME, allowedTenants: [ACME] }),
      'allowedTenants',
      'goes with "common" and "organizations" only',
    ],
    [
      'entra',
      () => entra({ ...app, tenant: ACME, audience: API }),
      'audience',
      "goes with jwtSource: 'access_token'; ID tokens are always for the client",
    ],
    ['entra', () => entra({ ...app, tenant: ACME, scopes: ['openid'] }), 'scopes', /must have "profile"/],
    ['entra', () => entra({ ...app, tenant: ACME, tokenVersion: 3 as never }), 'tokenVersion', /expected one of 1, 2/],
  ])('of %s, case %#', (name, make, option, message) => {
    const problems = problemsOf(make)
    expect(problems).toEqual([
      { path: `${name}.${option}`, message: typeof message === 'string' ? message : expect.stringMatching(message) },
    ])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})
