import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Integration } from '../../src/identity/integration.ts'
import {
  createIntegrations,
  expectationsFor,
  expectedIssuer,
  groupsOf,
  type KeyReport,
} from '../../src/identity/integrations.ts'
import { createSignatureCache } from '../../src/jwt/signature-cache.ts'
import { createTokenVerifier, type TokenIntegration } from '../../src/jwt/token-verifier.ts'
import {
  createKey,
  createTestClock,
  failing,
  type ProviderServer,
  type SigningKey,
  signToken,
  startProvider,
} from '../support/keys.ts'

const ACME = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490'
const BEAM = '82229342-1101-4ab6-817b-70c0747630f3'
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad'

const corp: Integration = { issuer: 'https://login.example.com/', audience: 'orders-api' }
const several: Integration = {
  issuer: 'https://login.example.com/{tenantid}/v2.0',
  metadataUrl: 'https://login.example.com/common/v2.0/.well-known/openid-configuration',
  tenants: [ACME, BEAM],
  audience: 'orders-api',
}

describe('A6 what an integration asks of a token', () => {
  it('is what it says, and little else by default', () => {
    expect(expectationsFor(corp, 'access_token')).toEqual({
      issuer: 'https://login.example.com/',
      audiences: ['orders-api'],
      algorithms: new Set([
        'RS256',
        'RS384',
        'RS512',
        'PS256',
        'PS384',
        'PS512',
        'ES256',
        'ES384',
        'ES512',
        'EdDSA',
        'Ed25519',
      ]),
      clockToleranceSeconds: 5,
      source: 'access_token',
    })
    const all: Integration = {
      ...several,
      audience: ['a', 'b'],
      audienceClaim: 'client_id',
      algorithms: ['ES256'],
      clockToleranceSeconds: 0,
    }
    expect(expectationsFor(all, 'access_token')).toEqual({
      issuer: several.issuer,
      tenants: [ACME, BEAM],
      audiences: ['a', 'b'],
      audienceClaim: 'client_id',
      algorithms: new Set(['ES256']),
      clockToleranceSeconds: 0,
      source: 'access_token',
    })
  })

  it('of an audience that is not checked, nothing', () => {
    expect(expectationsFor({ ...corp, audience: null }, 'access_token').audiences).toBeNull()
  })

  it('where tenants are not listed, that there be none', () => {
    const { tenants: _, ...unlisted } = several
    expect(expectationsFor(unlisted, 'access_token').tenants).toEqual([])
    expect(expectationsFor({ ...corp, tenants: [ACME] }, 'access_token')).not.toHaveProperty('tenants')
  })
})

describe('A7 what it asks of an ID token', () => {
  const oauth2 = { clientId: 'the-client' }

  it('where it judges access tokens: that it be for the client, in aud (OpenID Connect Core §2)', () => {
    for (const audience of ['orders-api', ['a', 'b'], null]) {
      const expected = expectationsFor({ ...corp, audience, audienceClaim: 'azp', oauth2 }, 'id_token')
      expect(expected).toMatchObject({ source: 'id_token', audiences: ['the-client'] })
      expect(expected).not.toHaveProperty('audienceClaim')
    }
  })

  it('where it judges ID tokens: what the configuration says', () => {
    const integration: Integration = { ...corp, jwtSource: 'id_token', audience: ['the-client', 'other'], oauth2 }
    expect(expectationsFor(integration, 'id_token')).toMatchObject({
      source: 'id_token',
      audiences: ['the-client', 'other'],
    })
  })

  it('where nobody can sign in: nothing is good enough', () => {
    expect(expectationsFor(corp, 'id_token').audiences).toEqual([])
  })

  it('is the same otherwise', () => {
    const { source: _, audiences: __, ...common } = expectationsFor({ ...several, oauth2 }, 'access_token')
    expect(expectationsFor({ ...several, oauth2 }, 'id_token')).toMatchObject(common)
  })
})

describe('A9 the issuer of somebody', () => {
  it('is the one there is', () => {
    expect(expectedIssuer(corp, {})).toBe('https://login.example.com/')
    expect(expectedIssuer(corp, { tid: ACME })).toBe('https://login.example.com/')
  })

  it.each<[string, unknown, string | undefined]>([
    ['an allowed tenant', ACME, `https://login.example.com/${ACME}/v2.0`],
    ['another', PERSONAL, undefined],
    ['none', undefined, undefined],
    ['a list', [ACME], undefined],
  ])('is that of the tenant: %s', (_, tid, expected) => {
    expect(expectedIssuer(several, { tid })).toBe(expected)
  })

  it('is that of any tenant, where all are allowed', () => {
    expect(expectedIssuer({ ...several, tenants: ['*'] }, { tid: PERSONAL })).toBe(
      `https://login.example.com/${PERSONAL}/v2.0`,
    )
    expect(expectedIssuer({ ...several, tenants: ['*'] }, { tid: 'common' })).toBeUndefined()
  })
})

describe('the groups of somebody', () => {
  const claims = {
    groups: ['admin', 'dev'],
    'cognito:groups': ['eu-west-1_staff'],
    'https://orders.example.com/roles': ['buyer'],
    'a.b': ['by name'],
    a: { b: ['by path'], c: 'one' },
    realm_access: { roles: ['user'] },
    mixed: ['x', 7, null, ['y'], { z: 1 }, true, 'w'],
    one: 'admins',
    number: 7,
    object: { admin: true },
    nothing: null,
    empty: [],
  }

  it.each<[string | undefined, readonly string[]]>([
    [undefined, ['admin', 'dev']],
    ['groups', ['admin', 'dev']],
    ['cognito:groups', ['eu-west-1_staff']],
    ['https://orders.example.com/roles', ['buyer']],
    ['realm_access.roles', ['user']],
    ['a.b', ['by name']],
    ['a.c', ['one']],
    ['one', ['admins']],
    ['mixed', ['x', 'w']],
    ['number', []],
    ['object', []],
    ['nothing', []],
    ['empty', []],
    ['absent', []],
    ['groups.0', []],
    ['one.length', []],
    ['constructor', []],
    ['constructor.name', []],
    ['__proto__', []],
    ['a.__proto__.b', []],
    ['', []],
  ])('by %j are %j', (groupsClaim, expected) => {
    const integration = groupsClaim === undefined ? corp : { ...corp, groupsClaim }
    expect(groupsOf(integration, claims)).toEqual(expected)
  })
})

describe('addresses that the documents of a provider name', () => {
  let provider: ProviderServer
  let key: SigningKey

  beforeAll(async () => {
    key = await createKey('ES256', 'one')
    provider = await startProvider(key, key)
  })
  afterAll(() => provider.close())

  /** What an integration says when its keys are asked for, and where its own `fetch` was sent. */
  async function keysOf(more: Partial<Integration>, given: boolean, answers: Record<string, () => Response> = {}) {
    const asked: string[] = []
    const reports: KeyReport[] = []
    const fetch = async (url: string, init: RequestInit) => {
      asked.push(url)
      const answer = answers[url]
      return answer === undefined ? globalThis.fetch(url, init) : answer()
    }
    const integration = { issuer: provider.url, audience: 'x', allowInsecureHttp: true, ...more }
    const made = createIntegrations({ corp: integration }, given ? fetch : undefined, createTestClock(), (report) =>
      reports.push(report),
    )
    const { keySet } = made.get('corp') as TokenIntegration
    onTestFinished(() => keySet.close())
    const settled = await keySet.settle().then(
      () => 'there',
      () => 'none',
    )
    return { settled, asked, reports }
  }

  describe.each([true, false])('with a fetch of the user’s own: %s', (given) => {
    it.each([
      ['link-local', 'http://169.254.169.254/latest/meta-data'],
      ['private', 'http://10.0.0.1/jwks'],
      ['private', 'https://192.168.1.1/jwks'],
      ['private', 'http://[fd00::1]/jwks'],
      ['link-local', 'http://[::ffff:169.254.169.254]/jwks'],
      ['private', 'http://0x0a000001/jwks'],
    ])('A9 a jwks_uri with an address that is %s is not fetched: %s', async (kind, jwksUri) => {
      provider.documents.set('/.well-known/openid-configuration', { issuer: provider.url, jwks_uri: jwksUri })
      const { settled, asked, reports } = await keysOf({}, given)
      expect(settled).toBe('none')
      expect(asked).not.toContain(jwksUri)
      expect(reports).toMatchObject([{ kind: 'failed', reason: expect.stringContaining(`its address is ${kind}`) }])
    })
  })

  it('A9 a redirect of the metadata, or of the keys, leads nowhere either', async () => {
    const inside = 'http://10.0.0.1/latest'
    const away = () => Response.redirect(inside, 302)
    const metadata = await keysOf({ metadataUrl: `${provider.url}/away` }, true, { [`${provider.url}/away`]: away })
    const keys = await keysOf({ jwksUri: `${provider.url}/away` }, true, { [`${provider.url}/away`]: away })
    for (const { settled, asked } of [metadata, keys])
      expect([settled, asked.includes(inside)]).toEqual(['none', false])
  })

  it('A9 what the configuration has written down is fetched as it is, and so is what its own host names', async () => {
    const jwks = () => Response.json({ keys: [] })
    const inside = 'http://10.0.0.1/jwks'
    const written = await keysOf({ jwksUri: inside }, true, { [inside]: jwks })
    expect([written.settled, written.asked]).toEqual(['there', [inside]])
    provider.documents.set('/.well-known/openid-configuration', { issuer: provider.url, jwks_uri: provider.jwksUri })
    expect((await keysOf({}, false)).settled).toBe('there')
    // One inside that has been written down lets the documents name others of its kind.
    const metadataUrl = 'http://10.0.0.2/metadata'
    const found = await keysOf({ metadataUrl }, true, {
      [metadataUrl]: () => Response.json({ issuer: provider.url, jwks_uri: inside }),
      [inside]: jwks,
    })
    expect([found.settled, found.asked]).toEqual(['there', [metadataUrl, inside]])
  })
})

describe('integrations at work', () => {
  let shared: SigningKey
  let personal: SigningKey
  let provider: ProviderServer

  beforeAll(async () => {
    shared = await createKey('ES256', 'shared')
    personal = await createKey('ES256', 'personal')
    provider = await startProvider(shared, personal)
    provider.documents.set('/common/metadata', { issuer: `${provider.url}/{tenantid}/`, jwks_uri: provider.jwksUri })
    provider.documents.set('/acme/metadata', { issuer: `${provider.url}/${ACME}/`, jwks_uri: provider.jwksUri })
  })

  afterAll(() => provider.close())

  function setUp(configured: (url: string) => Record<string, Integration>) {
    const clock = createTestClock()
    const reports: KeyReport[] = []
    const fetch = (url: string, init: RequestInit) => globalThis.fetch(url, init)
    const integrations = createIntegrations(configured(provider.url), fetch, clock, (report) => reports.push(report))
    onTestFinished(() => {
      for (const { keySet } of integrations.values()) keySet.close()
    })
    const verify = createTokenVerifier(createSignatureCache({ maxEntries: 100, maxBytes: 1e6 }), clock)
    /** `good`, `unavailable` or the reason. */
    const judge = async (name: string, key: SigningKey, tid: string, claims: object = {}, header: object = {}) => {
      const all = { iss: `${provider.url}/${tid}/`, tid, aud: 'orders-api', sub: 'x', exp: clock.now() / 1000 + 60 }
      const token = await signToken(key, { ...all, ...claims }, { ...header })
      const found = await verify(token, [integrations.get(name) as TokenIntegration])
      return found.kind === 'bad' ? found.problem.reason : found.kind
    }
    return { integrations, reports, judge, clock }
  }

  const common = (url: string): Integration => ({
    issuer: `${url}/{tenantid}/`,
    metadataUrl: `${url}/common/metadata`,
    tenants: [ACME, PERSONAL],
    audience: 'orders-api',
  })

  it('A9 keys are found by metadataUrl, whose document has the template literally', async () => {
    const before = provider.asked.length
    const { judge, reports } = setUp((url) => ({ corp: common(url) }))
    expect(await judge('corp', shared, ACME)).toBe('good')
    expect(await judge('corp', shared, BEAM)).toBe('issuer')
    expect(provider.asked.slice(before)).toEqual(['/common/metadata', '/jwks'])
    expect(reports).toMatchObject([{ kind: 'loaded', source: `${provider.url}/common/metadata` }])
  })

  it('A9 metadata of one tenant does for an issuer that names it, and not for the template', async () => {
    const { judge, reports } = setUp((url) => ({
      one: { issuer: `${url}/${ACME}/`, metadataUrl: `${url}/acme/metadata?key=secret`, audience: 'orders-api' },
      all: { ...common(url), metadataUrl: `${url}/acme/metadata` },
    }))
    provider.documents.set('/acme/metadata?key=secret', provider.documents.get('/acme/metadata'))
    expect(await judge('one', shared, ACME)).toBe('good')
    expect(await judge('all', shared, ACME)).toBe('unavailable')
    expect(reports).toMatchObject([
      { kind: 'loaded', source: `${provider.url}/acme/metadata` },
      { kind: 'failed', source: `${provider.url}/acme/metadata` },
    ])
  })

  it('A9 jwksUri goes before metadataUrl', async () => {
    const before = provider.asked.length
    const { judge } = setUp((url) => ({ corp: { ...common(url), jwksUri: `${url}/jwks` } }))
    expect(await judge('corp', shared, ACME)).toBe('good')
    expect(provider.asked.slice(before)).toEqual(['/jwks'])
  })

  it('share keys where these come from the same place', () => {
    const { integrations } = setUp((url) => ({
      a: common(url),
      b: { ...common(url), tenants: ['*'], audience: 'billing' },
      elsewhere: { ...common(url), metadataUrl: `${url}/other` },
      fixed: { ...common(url), jwksUri: `${url}/jwks` },
      fixedToo: { issuer: 'urn:other', jwksUri: `${url}/jwks`, audience: 'x' },
    }))
    const sets = new Map([...integrations].map(([name, { keySet }]) => [name, keySet]))
    expect(sets.get('b')).toBe(sets.get('a'))
    expect(sets.get('fixedToo')).toBe(sets.get('fixed'))
    expect(new Set(sets.values()).size).toBe(3)
  })

  describe("A9 a key with one tenant's issuer", () => {
    const publish = (issuer: string) => {
      const before = provider.keys
      provider.keys = [
        { ...shared.jwk, issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' },
        { ...personal.jwk, issuer },
      ]
      onTestFinished(() => {
        provider.keys = before
      })
    }

    it.each([`https://login.microsoftonline.com/${PERSONAL}/v2.0`, `https://sts.windows.net/${PERSONAL}/`])(
      'signs for no other: %s',
      async (issuer) => {
        publish(issuer)
        for (const tenants of [[ACME, PERSONAL], ['*']]) {
          const { judge } = setUp((url) => ({ corp: { ...common(url), tenants } }))
          expect(await judge('corp', personal, ACME)).toBe('unknown_key')
          expect(await judge('corp', personal, ACME)).toBe('unknown_key')
          expect(await judge('corp', personal, PERSONAL)).toBe('good')
          expect(await judge('corp', shared, ACME)).toBe('good')
          expect(await judge('corp', shared, PERSONAL)).toBe('good')
        }
      },
    )

    it('cannot be used without being named, and under no other name', async () => {
      publish(`https://login.microsoftonline.com/${PERSONAL}/v2.0`)
      const { judge } = setUp((url) => ({ corp: common(url) }))
      expect(await judge('corp', shared, ACME)).toBe('good')
      expect(await judge('corp', personal, ACME, {}, { kid: undefined })).toBe('unknown_key')
      expect(await judge('corp', personal, ACME, {}, { kid: 'shared' })).toBe('signature')
    })

    it.each<[string, ProviderServer['answer']]>([
      ['is no key set', failing.body('{"error":"busy"}', 'application/json')],
      ['cannot be had', failing.down],
    ])('signs for no other while the set %s, and the keys of before are still good', async (_, answer) => {
      publish(`https://login.microsoftonline.com/${PERSONAL}/v2.0`)
      const { judge, reports, clock } = setUp((url) => ({ corp: common(url) }))
      expect(await judge('corp', personal, ACME)).toBe('unknown_key')
      provider.answer = answer
      onTestFinished(() => {
        provider.answer = undefined
      })
      clock.advance(550)
      expect(await judge('corp', personal, ACME)).toBe('unknown_key')
      await expect.poll(() => reports.at(-1)?.kind).toBe('failed')
      expect(await judge('corp', personal, ACME)).toBe('unknown_key')
      expect(await judge('corp', personal, PERSONAL)).toBe('good')
    })

    it('that it no longer has, or has now, counts from the next fetch on', async () => {
      publish('https://login.microsoftonline.com/{tenantid}/v2.0')
      const { judge, reports, clock } = setUp((url) => ({ corp: common(url) }))
      expect(await judge('corp', personal, ACME)).toBe('good')
      publish(`https://login.microsoftonline.com/${PERSONAL}/v2.0`)
      clock.advance(550)
      await judge('corp', shared, ACME)
      await expect.poll(() => reports.length).toBe(2)
      expect(await judge('corp', personal, ACME)).toBe('unknown_key')
    })

    it('signs for that tenant only, also where the integration is of one tenant', async () => {
      publish(`https://login.microsoftonline.com/${PERSONAL}/v2.0`)
      const { judge } = setUp((url) => ({
        corp: { issuer: `${url}/${ACME}/`, jwksUri: `${url}/jwks`, audience: 'orders-api' },
      }))
      expect(await judge('corp', personal, ACME)).toBe('unknown_key')
      expect(await judge('corp', shared, ACME)).toBe('good')
    })

    it.each([null, 7, {}, '', 'x', ['https://login.microsoftonline.com/']])(
      'that says nothing, %j, signs for all',
      async (issuer) => {
        publish(issuer as string)
        const { judge } = setUp((url) => ({ corp: common(url) }))
        expect(await judge('corp', personal, ACME)).toBe('good')
      },
    )
  })

  describe('G22 who somebody is', () => {
    const identify = (integration: Partial<Integration>, claims: object) => {
      const { integrations } = setUp((url) => ({ corp: { ...common(url), ...integration } }))
      return (integrations.get('corp') as TokenIntegration).identify({ ...claims })
    }

    it('depends on the tenant, also where the claim does not', () => {
      const ann = identify({}, { tid: ACME, sub: 'ann' })
      expect(ann).toEqual({ subject: 'ann', id: expect.stringMatching(/^[\w-]{43}$/) })
      expect(identify({}, { tid: PERSONAL, sub: 'ann' }).id).not.toBe(ann.id)
    })

    it.each([
      [['acme:east', 'root'], 'acme%3Aeast:root'],
      [['acme', 'east:root'], 'acme:east%3Aroot'],
      [['acme%3Aeast', 'root'], 'acme%253Aeast:root'],
    ])('has a name of its own where a part of it has a colon: %j', ([org, sub], subject) => {
      expect(identify({ subjectClaim: ['org', 'sub'] }, { tid: ACME, org, sub }).subject).toBe(subject)
      expect(identify({ subjectClaim: 'org' }, { tid: ACME, org }).subject).toBe(org)
    })

    it('does not depend on how the tenant was let in', () => {
      const claims = { tid: ACME, oid: '1' }
      const subjectClaim = ['tid', 'oid']
      const ann = identify({ subjectClaim }, claims)
      expect(ann.subject).toBe(`${ACME}:1`)
      expect(identify({ subjectClaim, tenants: ['*'] }, claims)).toEqual(ann)
      const { integrations } = setUp((url) => ({
        one: { issuer: `${url}/${ACME}/`, audience: 'orders-api', subjectClaim },
      }))
      expect(integrations.get('one')?.identify(claims)).toEqual(ann)
    })

    it.each<[string, object]>([
      ['a tenant that is not allowed', { tid: BEAM, sub: 'ann' }],
      ['no tenant', { sub: 'ann' }],
      ['no subject', { tid: ACME }],
    ])('is not said for %s', (_, claims) => {
      expect(identify({}, claims)).toEqual({ subject: undefined, id: undefined })
    })
  })
})
