import { describe, expect, it } from 'vitest'
import {
  isIssuerOf,
  signedProblem,
  type TokenExpectations,
  tokenProblem,
  withOwnTexts,
} from '../../src/jwt/registered-claims.ts'

const NOW = 1_800_000_000
const EXPECTED: TokenExpectations = {
  issuer: 'https://login.example.com/',
  audiences: ['orders-api'],
  algorithms: new Set(['RS256', 'ES256']),
  clockToleranceSeconds: 5,
  source: 'access_token',
}
const HEADER = { alg: 'RS256', kid: undefined, typ: 'jwt' }
const CLAIMS = { iss: 'https://login.example.com/', aud: 'orders-api', exp: NOW + 60 }

/** The reason why a token that differs from a good one is refused. */
function reason(claims: object, expected: Partial<TokenExpectations> = {}, header: object = {}, now = NOW) {
  return tokenProblem({ ...HEADER, ...header }, { ...CLAIMS, ...claims }, { ...EXPECTED, ...expected }, now * 1000)
    ?.reason
}

describe('A6 expiry (RFC 7519 §4.1.4)', () => {
  it.each([
    ['in the future', NOW + 1, undefined],
    ['now', NOW, undefined],
    ['within the tolerance', NOW - 4, undefined],
    ['just within the tolerance', NOW - 4.999, undefined],
    ['at its end', NOW - 5, 'expired'],
    ['long ago', 0, 'expired'],
    ['negative', -1, 'expired'],
    ['text', String(NOW + 60), 'expired'],
    ['null', null, 'expired'],
    ['true', true, 'expired'],
    ['a list', [NOW + 60], 'expired'],
    ['an object', { valueOf: NOW + 60 }, 'expired'],
    ['absent', undefined, 'expired'],
    ['a fraction', NOW + 0.5, undefined],
    ['in milliseconds, so in the far future', NOW * 1000, undefined],
  ])('%s', (_, exp, expected) => {
    expect(reason({ exp })).toBe(expected)
  })

  it('without tolerance ends at the second', () => {
    expect(reason({ exp: NOW + 1 }, { clockToleranceSeconds: 0 })).toBeUndefined()
    expect(reason({ exp: NOW }, { clockToleranceSeconds: 0 })).toBe('expired')
    expect(reason({ exp: NOW }, { clockToleranceSeconds: 0 }, {}, NOW - 0.001)).toBeUndefined()
  })
})

describe('A6 not before (RFC 7519 §4.1.5)', () => {
  it.each([
    ['absent', undefined, undefined],
    ['past', NOW - 1, undefined],
    ['now', NOW, undefined],
    ['at the end of the tolerance', NOW + 5, undefined],
    ['beyond the tolerance', NOW + 5.001, 'not_yet_valid'],
    ['text', String(NOW - 1), 'not_yet_valid'],
    ['null', null, 'not_yet_valid'],
    ['a list', [0], 'not_yet_valid'],
  ])('%s', (_, nbf, expected) => {
    expect(reason({ nbf })).toBe(expected)
  })
})

describe('A6 audience (RFC 7519 §4.1.3)', () => {
  it.each([
    ['the one', 'orders-api', undefined],
    ['a list with it', ['other', 'orders-api'], undefined],
    ['another', 'other', 'audience'],
    ['a list without it', ['other'], 'audience'],
    ['an empty list', [], 'audience'],
    ['absent', undefined, 'audience'],
    ['null', null, 'audience'],
    ['in another case', 'Orders-API', 'audience'],
    ['with something behind', 'orders-api2', 'audience'],
    ['several in one text', 'other orders-api', 'audience'],
    ['a list in a list', [['orders-api']], 'audience'],
    ['an object', { 'orders-api': true }, 'audience'],
    ['an object like a list', { 0: 'orders-api', length: 1 }, 'audience'],
  ])('%s', (_, aud, expected) => {
    expect(reason({ aud })).toBe(expected)
  })

  it('is any of several', () => {
    expect(reason({ aud: 'b' }, { audiences: ['a', 'b'] })).toBeUndefined()
    expect(reason({ aud: ['c'] }, { audiences: ['a', 'b'] })).toBe('audience')
  })

  it('is not checked where the configuration says null', () => {
    expect(reason({ aud: 'other' }, { audiences: null })).toBeUndefined()
    expect(reason({ aud: undefined }, { audiences: null })).toBeUndefined()
  })

  it('is nobody where the list is empty', () => {
    for (const aud of ['orders-api', undefined, null, [], ['']])
      expect(reason({ aud }, { audiences: [] })).toBe('audience')
  })
})

describe('A9 the audience in another claim', () => {
  const cognito = { audiences: ['the-client'], audienceClaim: 'client_id' }

  it.each([
    ['the one, without aud', { aud: undefined, client_id: 'the-client' }, undefined],
    ['the one, whatever aud says', { aud: 'other', client_id: 'the-client' }, undefined],
    ['in a list', { client_id: ['other', 'the-client'] }, undefined],
    ['another', { client_id: 'other' }, 'audience'],
    ['absent, and aud in its place', { aud: 'the-client' }, 'audience'],
    ['null', { client_id: null }, 'audience'],
    ['an object', { client_id: { 'the-client': true } }, 'audience'],
  ])('%s', (_, claims, expected) => {
    expect(reason(claims, cognito)).toBe(expected)
  })

  it.each(['constructor', '__proto__', 'toString'])('%s finds nothing in the prototype', (audienceClaim) => {
    expect(reason({}, { audienceClaim, audiences: ['Object', 'the-client', ''] })).toBe('audience')
  })

  it('is named in the detail', () => {
    const detail = tokenProblem(HEADER, { ...CLAIMS, client_id: 'x' }, { ...EXPECTED, ...cognito }, NOW * 1000)?.detail
    expect(detail).toBe('client_id is "x", expected ["the-client"]')
  })
})

describe('A6 issuer (RFC 7519 §4.1.1) is compared exactly', () => {
  it.each([
    'https://login.example.com',
    'https://LOGIN.example.com/',
    'https://login.example.com//',
    'https://login.example.com:443/',
    'https://login.example.com/ ',
    'https://login.example.com.evil.example/',
    '',
    null,
    undefined,
    ['https://login.example.com/'],
    { toString: 'https://login.example.com/' },
  ])('%j is another', (iss) => {
    expect(reason({ iss })).toBe('issuer')
  })
})

describe('A9 an issuer for each tenant', () => {
  const ACME = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490'
  const BEAM = '82229342-1101-4ab6-817b-70c0747630f3'
  const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad'
  const issuer = 'https://login.example.com/{tenantid}/v2.0'
  const of = (tid: unknown) => ({ iss: `https://login.example.com/${tid}/v2.0`, tid })

  it.each<[string, object, readonly string[], string | undefined]>([
    ['the one that is allowed', of(ACME), [ACME], undefined],
    ['one of several', of(BEAM), [ACME, BEAM], undefined],
    ['another', of(BEAM), [ACME], 'issuer'],
    ['any, where all are', of(BEAM), ['*'], undefined],
    ['that of personal accounts, which has to be allowed too', of(PERSONAL), [ACME], 'issuer'],
    ['that of personal accounts where all are', of(PERSONAL), ['*'], undefined],
    ['none at all', of(ACME), [], 'issuer'],
    ['an allowed one in tid, another in iss', { ...of(BEAM), tid: ACME }, [ACME], 'issuer'],
    ['an allowed one in iss, another in tid', { ...of(ACME), tid: BEAM }, [ACME], 'issuer'],
    ['two that are allowed', { ...of(ACME), tid: BEAM }, [ACME, BEAM], 'issuer'],
    ['no tid', { ...of(ACME), tid: undefined }, [ACME], 'issuer'],
    ['no tid, all allowed', { ...of(undefined), tid: undefined }, ['*'], 'issuer'],
    ['a list', { ...of(ACME), tid: [ACME] }, [ACME], 'issuer'],
    ['null', { ...of(null), tid: null }, ['*'], 'issuer'],
    ['in another case', of(ACME.toUpperCase()), [ACME], 'issuer'],
    ['in another case in iss only', { ...of(ACME.toUpperCase()), tid: ACME }, [ACME], 'issuer'],
    ['a star', of('*'), ['*'], 'issuer'],
    ['the template itself', of('{tenantid}'), ['*'], 'issuer'],
    ['the template itself, without tid', { iss: issuer }, ['*'], 'issuer'],
    ['common', of('common'), ['*'], 'issuer'],
    ['no GUID, with all allowed', of('x'), ['*'], 'issuer'],
    ['a path, with all allowed', of(`${ACME}/../${BEAM}`), ['*'], 'issuer'],
    ['a GUID with a line break', of(`${ACME}\n`), ['*'], 'issuer'],
    ['an allowed name that is no GUID', of('acme'), ['acme'], undefined],
    ['a name with what replacing would take for a pattern', of('$&'), ['$&'], undefined],
    ['a star in a list of others, which is no wildcard there', of(BEAM), [ACME, '*'], 'issuer'],
    ['the right one at another host', { ...of(ACME), iss: `https://evil.example/${ACME}/v2.0` }, [ACME], 'issuer'],
    ['a slash too many', { ...of(ACME), iss: `https://login.example.com/${ACME}/v2.0/` }, [ACME], 'issuer'],
    ['an iss that is a list', { ...of(ACME), iss: [`https://login.example.com/${ACME}/v2.0`] }, [ACME], 'issuer'],
  ])('%s', (_, claims, tenants, expected) => {
    expect(reason(claims, { issuer, tenants })).toBe(expected)
  })

  it.each<[string, string, string[], boolean]>([
    ['of the one that is allowed', ACME, [ACME], true],
    ['of one of several', BEAM, [ACME, BEAM], true],
    ['of another', BEAM, [ACME], false],
    ['of any, where all are', BEAM, ['*'], true],
    ['of an allowed name that is no GUID', 'acme', ['beam', 'acme'], true],
    ['of none', ACME, [], false],
    ['that is the template', '{tenantid}', ['*'], false],
    ['that is the template, for one tenant', '{tenantid}', [ACME], false],
    ['of a path, with all allowed', `${ACME}/../${BEAM}`, ['*'], false],
    ['of a star in a list of others', BEAM, ['*', ACME], false],
  ])('an issuer without its token: one %s', (_, tid, tenants, expected) => {
    expect(isIssuerOf(issuer, `https://login.example.com/${tid}/v2.0`, tenants)).toBe(expected)
    expect(isIssuerOf(issuer, `https://evil.example/${tid}/v2.0`, tenants)).toBe(false)
  })

  it('an issuer without tenants is compared as it is', () => {
    expect(isIssuerOf('https://login.example.com/', 'https://login.example.com/', [])).toBe(true)
    expect(isIssuerOf('https://login.example.com/', 'https://login.example.com', [])).toBe(false)
  })

  it('everything else is checked as always', () => {
    expect(reason({ ...of(ACME), exp: 0 }, { issuer, tenants: [ACME] })).toBe('expired')
    expect(reason({ ...of(ACME), aud: 'x' }, { issuer, tenants: [ACME] })).toBe('audience')
    expect(reason(of(ACME), { issuer, tenants: [ACME] }, { alg: 'HS256' })).toBe('algorithm')
  })

  it('says what was expected', () => {
    const detail = (claims: object, tenants: string[]) =>
      tokenProblem(HEADER, { ...CLAIMS, ...claims }, { ...EXPECTED, issuer, tenants }, NOW * 1000)?.detail
    expect(detail(of(BEAM), [ACME])).toBe(`tid is "${BEAM}", expected ["${ACME}"]`)
    expect(detail(of('x'), ['*'])).toBe('tid is "x", expected a tenant\'s GUID')
    expect(detail({ tid: ACME }, [ACME])).toBe(
      `iss is "https://login.example.com/", expected "https://login.example.com/${ACME}/v2.0"`,
    )
  })

  it.each<[string, string | undefined, string, string | undefined]>([
    ['that signs for all', undefined, ACME, undefined],
    ["that signs for it, the token's own", PERSONAL, PERSONAL, undefined],
    ['that signs for another one', PERSONAL, ACME, 'unknown_key'],
  ])('a key %s', (_, tenant, tid, expected) => {
    const signed = { header: HEADER, payload: { ...CLAIMS, ...of(tid) }, key: { tenant } }
    for (const tenants of [['*'], [ACME, PERSONAL]])
      expect(signedProblem(signed, { ...EXPECTED, issuer, tenants }, NOW * 1000)?.reason).toBe(expected)
    // What the token says comes first.
    expect(signedProblem(signed, { ...EXPECTED, issuer, tenants: [BEAM] }, NOW * 1000)?.reason).toBe('issuer')
  })

  it('a key of one tenant is one like others for an issuer that names no tenant', () => {
    const signed = { header: HEADER, payload: CLAIMS, key: { tenant: PERSONAL } }
    expect(signedProblem(signed, EXPECTED, NOW * 1000)).toBeUndefined()
  })

  it.each<[string, string | undefined, string | undefined]>([
    ['that signs for all', undefined, undefined],
    ["that signs for it, the issuer's own", ACME, undefined],
    ["that signs for it, in upper case, the issuer's own", ACME.toUpperCase(), undefined],
    ['that signs for another one', PERSONAL, 'unknown_key'],
  ])('a key %s, where the issuer is that of one tenant', (_, tenant, expected) => {
    for (const fixed of [`https://login.example.com/${ACME}/v2.0`, `https://sts.example.net/${ACME}/`]) {
      const signed = { header: HEADER, payload: { ...CLAIMS, iss: fixed, tid: ACME }, key: { tenant } }
      const expectations = { ...EXPECTED, issuer: fixed }
      expect(signedProblem(signed, expectations, NOW * 1000)?.reason).toBe(expected)
    }
  })
})

describe('A6 algorithm', () => {
  it.each([
    'none',
    'None',
    'NONE',
    '',
    'HS256',
    'HS384',
    'HS512',
    'RS512',
    'rs256',
    'RS256 ',
    'constructor',
    '__proto__',
  ])('%j is refused', (alg) => {
    expect(reason({}, {}, { alg })).toBe('algorithm')
  })
})

describe('A7 access tokens and ID tokens are told apart', () => {
  const access = { source: 'access_token' } as const
  const id = { source: 'id_token' } as const
  it.each([
    [undefined, true, true],
    ['jwt', true, true],
    ['at+jwt', true, false],
    ['id+jwt', false, true],
    ['', false, false],
    ['logout+jwt', false, false],
    ['secevent+jwt', false, false],
    ['dpop+jwt', false, false],
    ['token-introspection+jwt', false, false],
    ['jose', false, false],
  ])('typ %j: an access token %s, an ID token %s', (typ, asAccess, asId) => {
    expect(reason({}, access, { typ })).toBe(asAccess ? undefined : 'type')
    expect(reason({}, id, { typ })).toBe(asId ? undefined : 'type')
  })

  it.each([
    [undefined, true, true],
    ['access', true, false],
    ['id', false, true],
    ['refresh', false, false],
    ['', false, false],
    [null, false, false],
    [['access', 'id'], false, false],
  ])("token_use %j (Cognito's): an access token %s, an ID token %s", (tokenUse, asAccess, asId) => {
    expect(reason({ token_use: tokenUse }, access)).toBe(asAccess ? undefined : 'type')
    expect(reason({ token_use: tokenUse }, id)).toBe(asId ? undefined : 'type')
  })
})

describe('A7 the claim typ, by which Keycloak tells its tokens apart', () => {
  const access = { source: 'access_token' } as const
  const id = { source: 'id_token' } as const
  it.each([
    ['Bearer', true, false],
    ['ID', false, true],
    ['Refresh', false, false],
    ['Offline', false, false],
    ['something of ours', true, true],
    [undefined, true, true],
  ])('%j: an access token %s, an ID token %s', (typ, asAccess, asId) => {
    expect(reason({ typ }, access)).toBe(asAccess ? undefined : 'type')
    expect(reason({ typ }, id)).toBe(asId ? undefined : 'type')
  })
})

describe('A7 logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4)', () => {
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }

  it('are nothing to come in with, also where their type says nothing', () => {
    for (const source of ['access_token', 'id_token'] as const) {
      expect(reason({ events }, { source })).toBe('type')
      expect(reason({ typ: 'Logout' }, { source })).toBe('type')
      expect(reason({}, { source }, { typ: 'logout+jwt' })).toBe('type')
      for (const other of ['x', null, [], { 'https://example.com/event': {} }]) {
        expect(reason({ events: other }, { source })).toBeUndefined()
      }
    }
  })

  it.each<[string, object, object, string | undefined]>([
    ['of their own type', {}, { typ: 'logout+jwt' }, undefined],
    ['of the type of all JWTs', {}, { typ: 'jwt' }, undefined],
    ['without a type', {}, { typ: undefined }, undefined],
    ["of Keycloak's type", { typ: 'Logout' }, {}, undefined],
    ['are no access token', {}, { typ: 'at+jwt' }, 'type'],
    ["are no access token of Keycloak's", { typ: 'Bearer' }, {}, 'type'],
    ["are no ID token of Keycloak's", { typ: 'ID' }, {}, 'type'],
    ["are no ID token of Cognito's", { token_use: 'id' }, {}, 'type'],
  ])('where they are asked for: %s', (_, claims, header, expected) => {
    expect(reason({ events, ...claims }, { source: 'logout_token' }, header)).toBe(expected)
  })
})

describe('what is told of a problem', () => {
  it('is the claim, what it is, and what was expected, for the operator', () => {
    const claims = { ...CLAIMS, aud: ['other'] }
    expect(tokenProblem(HEADER, claims, EXPECTED, NOW * 1000)?.detail).toBe('aud is ["other"], expected ["orders-api"]')
    expect(tokenProblem(HEADER, { ...CLAIMS, iss: undefined }, EXPECTED, NOW * 1000)?.detail).toBe(
      'iss is absent, expected "https://login.example.com/"',
    )
    expect(tokenProblem(HEADER, { ...CLAIMS, exp: NOW - 9 }, EXPECTED, NOW * 1000)?.detail).toBe(
      `exp is ${NOW - 9}, expected later than ${NOW}`,
    )
  })

  it('is short, however long the claim', () => {
    const claims = { ...CLAIMS, iss: 'x'.repeat(60_000) }
    expect(tokenProblem(HEADER, claims, EXPECTED, NOW * 1000)?.detail.length).toBeLessThan(300)
  })

  it.each(['iss', 'aud', 'exp', 'nbf', 'token_use'])('survives %s with nesting deeper than the stack', (claim) => {
    const depth = 20_000
    const deep = JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)
    expect(reason({ [claim]: deep })).toEqual(expect.any(String))
  })

  it('with several things wrong is the issuer first: whose token it is decides whether the rest says anything', () => {
    expect(reason({ iss: 'https://other.example/', exp: 0 }, {}, { alg: 'PS256', typ: 'at+jwt' })).toBe('issuer')
  })
})

describe('B11 texts that are compared on every request', () => {
  it.each([
    ['as expected', CLAIMS],
    ['of another issuer and audience', { iss: 'https://elsewhere.example/', aud: 'others' }],
    ['with a list of audiences', { ...CLAIMS, aud: ['orders-api', 'others'] }],
    ['without any', {}],
    ['of other types', { iss: 1, aud: null }],
  ])('claims %s stay what they are', (_, claims) => {
    const given = structuredClone(claims) as Record<string, unknown>
    for (const audiences of [EXPECTED.audiences, null, []]) {
      expect(withOwnTexts(given, { ...EXPECTED, audiences })).toBe(given)
      expect(given).toEqual(claims)
    }
  })

  it('claims that another integration has frozen are left alone', () => {
    const frozen = Object.freeze({ ...CLAIMS })
    expect(withOwnTexts(frozen, EXPECTED)).toBe(frozen)
  })
})
