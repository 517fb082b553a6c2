/** Tokens as Cognito, Google, Okta, Auth0 and Keycloak make them, judged by a guard with the preset. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auth0, cognito, google, keycloak, okta } from '../../src/index.ts'
import { type StandIn, startStandIn } from './presets-harness.ts'

let provider: StandIn

beforeAll(async () => {
  provider = await startStandIn()
})

afterAll(() => provider.close())

const CLIENT = 'the-client'
const client = { clientId: CLIENT, clientSecret: 'a secret' }
/** Headers without `typ`. */
const bare = { typ: undefined }

describe('A9 Amazon Cognito', () => {
  const pool = { ...client, region: 'eu-west-1', userPoolId: 'eu-west-1_AbCdEfGhI' }
  const iss = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI'
  const sub = '2b1d5a34-0a61-4d0b-8c3e-2f1f0d8a9e77'
  const access = {
    sub,
    'cognito:groups': ['admins'],
    iss,
    version: 2,
    client_id: CLIENT,
    token_use: 'access',
    scope: 'openid email',
    username: 'ann',
  }
  const id = {
    sub,
    'cognito:groups': ['admins'],
    email_verified: true,
    iss,
    'cognito:username': 'ann',
    aud: CLIENT,
    token_use: 'id',
    email: 'ann@example.com',
  }

  beforeAll(() => provider.serveMetadata(iss))

  it('an access token, which has no aud', async () => {
    const auth = await provider.judge(cognito(pool)).auth(access, bare)
    expect(auth).toMatchObject({ subject: sub, claims: { username: 'ann' } })
  })

  it.each<[string, object, string]>([
    ['for another client', { ...access, client_id: 'other' }, 'audience'],
    ['for another client, with ours in aud', { ...access, client_id: 'other', aud: CLIENT }, 'audience'],
    ['for nobody', { ...access, client_id: undefined }, 'audience'],
    ['that is an ID token', id, 'type'],
    ['that is an ID token with a client_id', { ...id, client_id: CLIENT }, 'type'],
    ['of another user pool', { ...access, iss: iss.replace('AbCdEfGhI', 'ZyXwVuTsR') }, 'issuer'],
    ['that is neither', { ...access, token_use: 'refresh' }, 'type'],
  ])('not one %s', async (_, claims, reason) => {
    expect(await provider.judge(cognito(pool)).verdict(claims, bare)).toBe(reason)
  })

  it('ID tokens, where these are asked for', async () => {
    const { verdict } = provider.judge(cognito({ ...pool, jwtSource: 'id_token' }))
    expect(await verdict(id, bare)).toBe('pass')
    expect(await verdict(access, bare)).toBe('type')
    expect(await verdict({ ...access, aud: CLIENT }, bare)).toBe('type')
    expect(await verdict({ ...id, aud: 'other' }, bare)).toBe('audience')
    expect(await verdict({ ...id, aud: undefined, client_id: CLIENT }, bare)).toBe('audience')
  })

  it('A10 by its groups', async () => {
    const { verdict } = provider.judge(cognito(pool), { claims: { 'cognito:groups': 'admins' } })
    expect(await verdict(access, bare)).toBe('pass')
    expect(await verdict({ ...access, 'cognito:groups': ['others'] }, bare)).toBe('claim')
  })
})

describe('A9 Google', () => {
  const iss = 'https://accounts.google.com'
  const id = {
    iss,
    azp: CLIENT,
    aud: CLIENT,
    sub: '10769150350006150715113082367',
    hd: 'example.com',
    email: 'ann@example.com',
    email_verified: true,
  }

  beforeAll(() => provider.serveMetadata(iss))

  it('an ID token', async () => {
    const auth = await provider.judge(google(client)).auth(id)
    expect(auth).toMatchObject({ subject: id.sub, claims: { email: 'ann@example.com' } })
  })

  it.each<[string, object, string]>([
    ['for another client', { ...id, aud: 'other' }, 'audience'],
    ['for another client, made for ours to use', { ...id, aud: 'other', azp: CLIENT }, 'audience'],
    ["of the issuer's old name", { ...id, iss: 'accounts.google.com' }, 'issuer'],
    ['with a slash behind the issuer', { ...id, iss: `${iss}/` }, 'issuer'],
    ['for nobody', { ...id, aud: undefined }, 'audience'],
  ])('not one %s', async (_, claims, reason) => {
    expect(await provider.judge(google(client)).verdict(claims)).toBe(reason)
  })

  it('one that an app of the same project got for us; a rule on azp keeps these out', async () => {
    const claims = { ...id, azp: 'the-android-app' }
    expect(await provider.judge(google(client)).verdict(claims)).toBe('pass')
    expect(await provider.judge(google(client), { claims: { azp: CLIENT } }).verdict(claims)).toBe('claim')
  })

  it('no access token: it is no JWT', async () => {
    expect(await provider.judge(google(client)).verdictOf('ya29.a0AfB_byCsomething')).toBe('malformed')
  })

  it('hostedDomain keeps nobody out, the claim rule does', async () => {
    const integration = google({ ...client, hostedDomain: 'example.com' })
    const personal = { ...id, hd: undefined, email: 'ann@gmail.com' }
    expect(await provider.judge(integration).verdict(personal)).toBe('pass')
    const { verdict } = provider.judge(integration, { claims: { hd: 'example.com' } })
    expect(await verdict(id)).toBe('pass')
    expect(await verdict(personal)).toBe('claim')
    // An address of the domain is no membership: anybody can make an account with it.
    expect(await verdict({ ...id, hd: undefined })).toBe('claim')
    expect(await verdict({ ...id, hd: 'evil.example' })).toBe('claim')
  })
})

describe('A9 Okta', () => {
  const iss = 'https://example.okta.com/oauth2/default'
  const access = {
    ver: 1,
    jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
    iss,
    aud: 'api://default',
    cid: CLIENT,
    uid: '00uid4BxXw6I6TV4m0g3',
    scp: ['openid', 'profile', 'email'],
    sub: 'ann@example.com',
  }
  const judge = (auth = {}) => provider.judge(okta({ ...client, domain: 'example.okta.com' }), auth)

  beforeAll(() => provider.serveMetadata(iss))

  it('an access token, whose person is the uid: the sub changes with the login name', async () => {
    const before = await judge().auth(access, bare)
    expect(before.subject).toBe('00uid4BxXw6I6TV4m0g3')
    const after = await judge().auth({ ...access, sub: 'ann.smith@example.com' }, bare)
    expect(after.id).toBe(before.id)
    const other = await judge().auth({ ...access, uid: '00u2' }, bare)
    expect(other.id).not.toBe(before.id)
  })

  it('one of a service, who is no person', async () => {
    const auth = await judge().auth({ ...access, uid: undefined, sub: CLIENT }, bare)
    expect(auth).not.toHaveProperty('subject')
    expect(auth).not.toHaveProperty('id')
  })

  it.each<[string, object, string]>([
    ['that is an ID token', { ...access, jti: 'ID.x', aud: CLIENT, sub: access.uid, uid: undefined }, 'audience'],
    [
      'of the organisation itself',
      { ...access, iss: 'https://example.okta.com', aud: 'https://example.okta.com' },
      'issuer',
    ],
    ['of another authorization server', { ...access, iss: 'https://example.okta.com/oauth2/aus1' }, 'issuer'],
    ['for another API', { ...access, aud: 'api://billing' }, 'audience'],
    ['for the client', { ...access, aud: undefined }, 'audience'],
  ])('not one %s', async (_, claims, reason) => {
    expect(await judge().verdict(claims, bare)).toBe(reason)
  })

  it('A10 by its scopes and groups', async () => {
    const { verdict } = judge({ scopes: ['email'], claims: { groups: 'staff' } })
    expect(await verdict({ ...access, groups: ['Everyone', 'staff'] }, bare)).toBe('pass')
    expect(await verdict({ ...access, groups: ['Everyone'] }, bare)).toBe('claim')
    expect(await verdict({ ...access, scp: ['openid'], groups: ['staff'] }, bare)).toBe('scope')
  })
})

describe('Auth0', () => {
  const iss = 'https://example.eu.auth0.com/'
  const api = 'https://orders.example.com'
  const access = {
    iss,
    sub: 'auth0|64f0',
    aud: [api, 'https://example.eu.auth0.com/userinfo'],
    azp: CLIENT,
    scope: 'openid profile email',
  }
  const id = {
    iss,
    sub: 'auth0|64f0',
    aud: CLIENT,
    name: 'Ann',
    email: 'ann@example.com',
    email_verified: true,
    sid: 's',
  }
  const options = { ...client, domain: 'example.eu.auth0.com' }

  beforeAll(() => provider.serveMetadata(iss))

  it('an access token for the API, of either profile', async () => {
    const { verdict, auth } = provider.judge(auth0({ ...options, audience: api }))
    expect((await auth(access)).subject).toBe('auth0|64f0')
    expect(await verdict({ ...access, azp: undefined, client_id: CLIENT }, { typ: 'at+jwt' })).toBe('pass')
    expect(await verdict({ ...access, aud: [api] })).toBe('pass')
  })

  it.each<[string, object, string]>([
    ['that is an ID token', id, 'audience'],
    ['for userinfo only', { ...access, aud: ['https://example.eu.auth0.com/userinfo'] }, 'audience'],
    ['without the slash behind the issuer', { ...access, iss: 'https://example.eu.auth0.com' }, 'issuer'],
    ['of another tenant', { ...access, iss: 'https://evil.eu.auth0.com/' }, 'issuer'],
  ])('not one %s', async (_, claims, reason) => {
    expect(await provider.judge(auth0({ ...options, audience: api })).verdict(claims)).toBe(reason)
  })

  it('without an API, ID tokens', async () => {
    const { verdict } = provider.judge(auth0(options))
    expect(await verdict(id)).toBe('pass')
    expect(await verdict(access)).toBe('audience')
    expect(await verdict({ ...access, aud: CLIENT }, { typ: 'at+jwt' })).toBe('type')
  })
})

describe('Keycloak', () => {
  const iss = 'https://sso.example.com/realms/staff'
  const access = {
    iss,
    aud: 'account',
    sub: '5f1d1f3a-6f0e-4d43-9a4c-2e0f0b1c9d55',
    typ: 'Bearer',
    azp: CLIENT,
    realm_access: { roles: ['offline_access', 'buyer'] },
    scope: 'openid profile email',
    groups: ['/staff'],
    email: 'ann@example.com',
  }
  const id = { ...access, typ: 'ID', aud: CLIENT, scope: undefined, realm_access: undefined }
  const options = { ...client, url: 'https://sso.example.com', realm: 'staff' }

  beforeAll(() => provider.serveMetadata(iss))

  it('an access token made for the client, whatever its audience', async () => {
    const { verdict, auth } = provider.judge(keycloak(options))
    expect((await auth(access)).subject).toBe(access.sub)
    expect(await verdict({ ...access, aud: undefined })).toBe('pass')
    expect(await verdict({ ...access, aud: ['account', 'broker'] })).toBe('pass')
  })

  it.each<[string, object, string]>([
    ['that is an ID token', id, 'type'],
    ['that is a refresh token', { ...access, typ: 'Refresh', aud: iss }, 'type'],
    ['that is an offline token', { ...access, typ: 'Offline', aud: iss }, 'type'],
    ['that is a logout token', { ...access, typ: 'Logout', aud: CLIENT }, 'type'],
    ['made for another client', { ...access, azp: 'other' }, 'audience'],
    ['made for another client, with ours in aud', { ...access, azp: 'other', aud: CLIENT }, 'audience'],
    ['of another realm', { ...access, iss: 'https://sso.example.com/realms/customers' }, 'issuer'],
  ])('not one %s', async (_, claims, reason) => {
    expect(await provider.judge(keycloak(options)).verdict(claims)).toBe(reason)
  })

  it('with an audience, one that has it, whoever it was made for', async () => {
    const { verdict } = provider.judge(keycloak({ ...options, audience: 'orders-api' }))
    expect(await verdict({ ...access, aud: ['orders-api', 'account'] })).toBe('pass')
    expect(await verdict({ ...access, aud: 'orders-api', azp: 'nightly' })).toBe('pass')
    expect(await verdict(access)).toBe('audience')
  })

  it('A10 by its roles and groups', async () => {
    const { verdict } = provider.judge(keycloak(options), {
      claims: { 'realm_access.roles': 'buyer', groups: '/staff' },
    })
    expect(await verdict(access)).toBe('pass')
    expect(await verdict({ ...access, realm_access: { roles: [] } })).toBe('claim')
    expect(await verdict({ ...access, groups: ['staff'] })).toBe('claim')
  })
})
