/** Tokens as Microsoft Entra ID makes them, judged by a guard with the preset (A9). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entra } from '../../src/index.ts'
import { createKey, type SigningKey } from '../support/keys.ts'
import { type StandIn, startStandIn } from './presets-harness.ts'

const LOGIN = 'https://login.microsoftonline.com'
const ACME = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490'
const BEAM = '82229342-1101-4ab6-817b-70c0747630f3'
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad'
const APP = '535fb089-9ff3-47b6-9bfb-4f1264799865'
const API = '6e74172b-be56-4843-9ff4-e66a39bb12e3'
const OID = '690222be-ff1a-4d56-abd1-7e4f7d38e474'
const app = { clientId: APP, clientSecret: 'a secret' }

let provider: StandIn
/** The key for personal accounts. */
let personal: SigningKey

beforeAll(async () => {
  provider = await startStandIn()
  personal = await createKey('RS256', 'personal')
  const keys = [
    { ...provider.key.jwk, issuer: `${LOGIN}/{tenantid}/v2.0` },
    { ...personal.jwk, issuer: `${LOGIN}/${PERSONAL}/v2.0` },
  ]
  const metadata = (tenant: string) => `${LOGIN}/${tenant}/.well-known/openid-configuration`
  for (const words of ['common', 'organizations']) {
    provider.serveMetadata(`${LOGIN}/{tenantid}/v2.0`, metadata(`${words}/v2.0`), keys)
    provider.serveMetadata('https://sts.windows.net/{tenantid}/', metadata(words), keys)
  }
  provider.serveMetadata(`${LOGIN}/${ACME}/v2.0`)
  provider.serveMetadata(`https://sts.windows.net/${ACME}/`, metadata(ACME))
})

afterAll(() => provider.close())

/** An ID token of version 2. */
const idToken = (tid: string, more: object = {}) => ({
  aud: APP,
  iss: `${LOGIN}/${tid}/v2.0`,
  name: 'Ann',
  oid: OID,
  preferred_username: 'ann@example.com',
  sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
  tid,
  ver: '2.0',
  ...more,
})

/** An access token of version 1. */
const v1 = (tid: string, more: object = {}) => ({
  aud: `api://${APP}`,
  iss: `https://sts.windows.net/${tid}/`,
  appid: APP,
  oid: OID,
  scp: 'orders.read',
  sub: 'l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA',
  tid,
  ver: '1.0',
  ...more,
})

describe('one tenant', () => {
  const judge = () => provider.judge(entra({ ...app, tenant: ACME }))

  it('an ID token, whose person is tid and oid: the sub is another for each client', async () => {
    const ann = await judge().auth(idToken(ACME))
    expect(ann.subject).toBe(`${ACME}:${OID}`)
    expect((await judge().auth(idToken(ACME, { sub: 'other', preferred_username: 'x' }))).id).toBe(ann.id)
    expect((await judge().auth(idToken(ACME, { oid: BEAM }))).id).not.toBe(ann.id)
  })

  it('one without the profile scope names nobody', async () => {
    expect(await judge().auth(idToken(ACME, { oid: undefined, tid: undefined }))).not.toHaveProperty('id')
  })

  it.each<[string, object, string]>([
    ['of another tenant', idToken(BEAM), 'issuer'],
    ['of another tenant that says it is this one', idToken(BEAM, { tid: ACME }), 'issuer'],
    ['of personal accounts', idToken(PERSONAL), 'issuer'],
    ['for another client', idToken(ACME, { aud: API }), 'audience'],
    ['of version 1', v1(ACME, { aud: APP }), 'issuer'],
    ['with the template as its issuer', idToken(ACME, { iss: `${LOGIN}/{tenantid}/v2.0` }), 'issuer'],
  ])('not one %s', async (_, claims, reason) => {
    expect(await judge().verdict(claims)).toBe(reason)
  })

  it('finds its keys where the issuer says', async () => {
    const before = provider.asked().length
    expect(await judge().verdict(idToken(ACME))).toBe('pass')
    expect(provider.asked().slice(before)).toEqual([
      `${LOGIN}/${ACME}/v2.0/.well-known/openid-configuration`,
      `${LOGIN}/${ACME}/v2.0/keys`,
    ])
  })
})

describe.each(['common', 'organizations'])(
  'several tenants, by %s, whose metadata has {tenantid} literally',
  (tenant) => {
    const judge = (allowedTenants: string[]) => provider.judge(entra({ ...app, tenant, allowedTenants }))

    it('those that are allowed', async () => {
      const { verdict } = judge([ACME, BEAM])
      expect(await verdict(idToken(ACME))).toBe('pass')
      expect(await verdict(idToken(BEAM))).toBe('pass')
      expect(await verdict(idToken(PERSONAL))).toBe('issuer')
      expect(await verdict(idToken(API))).toBe('issuer')
    })

    it.each<[string, object, string]>([
      ['whose tid is allowed and whose iss is not', idToken(BEAM, { tid: ACME }), 'issuer'],
      ['whose iss is allowed and whose tid is not', idToken(ACME, { tid: BEAM }), 'issuer'],
      ['without tid', idToken(ACME, { tid: undefined }), 'issuer'],
      ['with the template as its issuer', idToken(ACME, { iss: `${LOGIN}/{tenantid}/v2.0` }), 'issuer'],
      ['of the template altogether', idToken('{tenantid}'), 'issuer'],
      ['of version 1', v1(ACME), 'issuer'],
      ['for another client', idToken(ACME, { aud: API }), 'audience'],
      ['with several tenants in tid', idToken(ACME, { tid: [ACME] }), 'issuer'],
    ])('not one %s', async (_, claims, reason) => {
      expect(await judge([ACME]).verdict(claims)).toBe(reason)
      expect(await judge(['*']).verdict(claims)).toBe(reason)
    })

    it('all, typed out, with those of personal accounts', async () => {
      const { verdict } = judge(['*'])
      for (const tid of [ACME, BEAM, PERSONAL, API]) expect(await verdict(idToken(tid))).toBe('pass')
      for (const tid of ['common', 'contoso.com', `${ACME}/x`, '', '*'])
        expect(await verdict(idToken(tid))).toBe('issuer')
    })

    it('personal accounts where their tenant is allowed', async () => {
      const { verdict } = judge([PERSONAL])
      expect(await verdict(idToken(PERSONAL), {}, personal)).toBe('pass')
      expect(await verdict(idToken(ACME))).toBe('issuer')
    })

    it('the key for personal accounts signs for nobody else', async () => {
      for (const allowed of [['*'], [ACME, PERSONAL], [ACME]]) {
        expect(await judge(allowed).verdict(idToken(ACME), {}, personal)).toBe('unknown_key')
      }
    })

    it('the same people as where there is but one tenant', async () => {
      const ann = await provider.judge(entra({ ...app, tenant: ACME })).auth(idToken(ACME))
      expect((await judge([ACME]).auth(idToken(ACME))).id).toBe(ann.id)
      // The same oid elsewhere is somebody else.
      expect((await judge([BEAM]).auth(idToken(BEAM))).id).not.toBe(ann.id)
    })
  },
)

describe('access tokens for an API', () => {
  it('of version 2, whose audience is the id of the API', async () => {
    const access = idToken(ACME, { aud: API, azp: APP, scp: 'orders.read' })
    const { verdict } = provider.judge(entra({ ...app, tenant: ACME, jwtSource: 'access_token', audience: API }))
    expect(await verdict(access)).toBe('pass')
    expect(await verdict({ ...access, aud: APP })).toBe('audience')
    // For Microsoft Graph.
    expect(await verdict({ ...access, aud: '00000003-0000-0000-c000-000000000000' })).toBe('audience')
  })

  it('of version 2 for the client itself look like ID tokens; asking for a scope tells them apart', async () => {
    const integration = entra({ ...app, tenant: ACME, jwtSource: 'access_token' })
    expect(await provider.judge(integration).verdict(idToken(ACME))).toBe('pass')
    const { verdict } = provider.judge(integration, { scopes: ['orders.read'] })
    expect(await verdict(idToken(ACME, { azp: APP, scp: 'orders.read' }))).toBe('pass')
    expect(await verdict(idToken(ACME))).toBe('scope')
  })

  it('of version 1, whose issuer is another and has a slash behind it', async () => {
    const { verdict } = provider.judge(entra({ ...app, tenant: ACME, tokenVersion: 1 }))
    expect(await verdict(v1(ACME))).toBe('pass')
    expect(await verdict(v1(ACME, { aud: APP }))).toBe('pass')
    expect(await verdict(v1(ACME, { aud: API }))).toBe('audience')
    expect(await verdict(v1(ACME, { iss: `https://sts.windows.net/${ACME}` }))).toBe('issuer')
    expect(await verdict(v1(BEAM))).toBe('issuer')
    expect(await verdict(idToken(ACME))).toBe('issuer')
  })

  it('of version 1 and several tenants', async () => {
    const options = { ...app, tenant: 'common', tokenVersion: 1 } as const
    const { verdict } = provider.judge(entra({ ...options, allowedTenants: [ACME] }))
    expect(await verdict(v1(ACME))).toBe('pass')
    expect(await verdict(v1(BEAM))).toBe('issuer')
    expect(await verdict(v1(ACME, { tid: BEAM }))).toBe('issuer')
    expect(await verdict(v1(ACME), {}, personal)).toBe('unknown_key')
    const all = provider.judge(entra({ ...options, allowedTenants: ['*'] }))
    expect(await all.verdict(v1(BEAM))).toBe('pass')
  })
})
