import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import { ALGORITHMS } from '../../src/jwt/algorithms.ts'
import { createKeySet, type KeySetTimes } from '../../src/jwt/key-set.ts'
import type { TokenExpectations } from '../../src/jwt/registered-claims.ts'
import { createSignatureCache } from '../../src/jwt/signature-cache.ts'
import { createTokenVerifier, type TokenIntegration, type Verification } from '../../src/jwt/token-verifier.ts'
import {
  base64url,
  createKey,
  createNamelessKey,
  createTestClock,
  forge,
  renamed,
  type SigningKey,
  signText,
  signToken,
} from '../support/keys.ts'

const ISSUER = 'https://login.example.com/'
const TIMES: KeySetTimes = {
  refreshMs: 480_000,
  staleMs: 600_000,
  ceilingMs: 21_600_000,
  backoffMs: 1_000,
  maxBackoffMs: 60_000,
  lookMs: 0,
  maxLookMs: 0,
}

let ec: SigningKey
let rsa: SigningKey
let stranger: SigningKey
let verifications: MockInstance

beforeAll(async () => {
  ec = await createKey('ES256', 'ec')
  rsa = await createKey('RS256', 'rsa')
  stranger = await createKey('ES256', 'ec')
})

beforeEach(() => {
  verifications = vi.spyOn(globalThis.crypto.subtle, 'verify')
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** A verifier, and integrations over key sets that publish what `published` holds at the time. */
function setUp(bounds = { maxEntries: 100, maxBytes: 1_000_000 }) {
  const clock = createTestClock()
  const cache = createSignatureCache(bounds)
  const verify = createTokenVerifier(cache, clock)
  const newKeySet = (...keys: SigningKey[]) => {
    const published = {
      keys: keys.map(({ jwk }) => jwk) as object[],
      failure: undefined as Error | undefined,
      loads: 0,
    }
    const keySet = createKeySet(
      async () => {
        published.loads++
        if (published.failure !== undefined) throw published.failure
        return { keys: published.keys }
      },
      clock,
      TIMES,
      () => {},
    )
    return { published, keySet }
  }
  const integration = (
    keySet: TokenIntegration['keySet'],
    expected: Partial<TokenExpectations> = {},
    name = 'corp',
  ): TokenIntegration => ({
    name,
    keySet,
    identify: ({ sub }) => ({ subject: String(sub), id: `id of ${sub}` }),
    expected: {
      issuer: ISSUER,
      audiences: ['orders-api'],
      algorithms: new Set(ALGORITHMS),
      clockToleranceSeconds: 5,
      source: 'access_token',
      ...expected,
    },
  })
  const claims = (more: object = {}) => ({
    iss: ISSUER,
    aud: 'orders-api',
    sub: 'ann',
    exp: clock.now() / 1000 + 3600,
    ...more,
  })
  return { clock, cache, verify, newKeySet, integration, claims }
}

/** `good`, `unavailable`, or the reason. */
async function resultOf(verification: Verification | Promise<Verification>): Promise<string> {
  const found = await verification
  return found.kind === 'bad' ? found.problem.reason : found.kind
}

describe('A6 algorithms', () => {
  const algorithms = [
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
  ]
  it('are these', () => {
    expect([...ALGORITHMS]).toEqual(algorithms)
  })

  it.each(algorithms)('%s verifies, with and without alg in the key; and not where it is not allowed', async (alg) => {
    const key = /^[RP]S/.test(alg) ? renamed(rsa, 'k', alg) : await createKey(alg, 'k')
    // jose signs an RSA key's token with the algorithm that the CryptoKey is for; so each gets a key of its own.
    const signer = /^[RP]S/.test(alg) ? await createKey(alg, 'k') : key
    const { verify, newKeySet, integration, claims } = setUp()
    const token = await signToken(signer, claims())
    const { keySet } = newKeySet(signer)
    expect(await resultOf(verify(token, [integration(keySet)]))).toBe('good')
    const { keySet: without } = newKeySet({ ...signer, jwk: { ...signer.jwk, alg: undefined } as object })
    expect(await resultOf(verify(token, [integration(without)]))).toBe('good')
    expect(await resultOf(verify(token, [integration(keySet, { algorithms: new Set([alg]) })]))).toBe('good')
    const others = new Set(algorithms.filter((each) => each !== alg))
    expect(await resultOf(verify(token, [integration(keySet, { algorithms: others })]))).toBe('algorithm')
    expect(await resultOf(verify(`${token.slice(0, -8)}AAAAAAAA`, [integration(keySet)]))).toBe('signature')
  })

  it('none is refused, with and without a signature, in any spelling', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet, published } = newKeySet(ec)
    for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '']) {
      for (const signature of ['', 'AAAA']) {
        const token = forge({ alg, kid: 'ec' }, claims(), signature)
        expect(await resultOf(verify(token, [integration(keySet)]))).toBe('algorithm')
      }
    }
    expect(published.loads).toBe(0)
    expect(verifications).not.toHaveBeenCalled()
  })

  it('a public key is no secret for HS256, in whatever form', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(rsa)
    const publicKey = createPublicKey({ key: rsa.jwk as JsonWebKey, format: 'jwk' })
    const secrets = [
      publicKey.export({ format: 'pem', type: 'spki' }),
      publicKey.export({ format: 'der', type: 'spki' }),
      publicKey.export({ format: 'pem', type: 'pkcs1' }),
      JSON.stringify(rsa.jwk),
      Buffer.from(rsa.jwk.n ?? '', 'base64url'),
    ]
    for (const secret of secrets) {
      for (const header of [{ alg: 'HS256', kid: 'rsa' }, { alg: 'HS256' }, { alg: 'RS256', kid: 'rsa' }]) {
        const input = forge(header, claims(), '')
        const mac = createHmac('sha256', secret).update(input.slice(0, -1)).digest('base64url')
        expect(await resultOf(verify(input + mac, [integration(keySet)]))).toMatch(/^(algorithm|signature)$/)
      }
    }
  })

  it('are not confused between kinds of keys', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(rsa, ec)
    for (const [alg, key] of [
      ['RS256', ec],
      ['PS256', ec],
      ['EdDSA', ec],
      ['ES384', ec],
    ] as const) {
      const token = signText(key, JSON.stringify({ alg, kid: 'ec' }), JSON.stringify(claims()))
      expect(await resultOf(verify(token, [integration(keySet)]))).toBe('unknown_key')
    }
    const token = signText(rsa, JSON.stringify({ alg: 'ES256', kid: 'rsa' }), JSON.stringify(claims()))
    expect(await resultOf(verify(token, [integration(keySet)]))).toBe('unknown_key')
    // A key that says RS256 does not verify PS256, though the numbers are the same.
    const ps = await createKey('PS256', 'ps')
    const { keySet: saysRs } = newKeySet({ ...ps, jwk: { ...ps.jwk, alg: 'RS256' } })
    expect(await resultOf(verify(await signToken(ps, claims()), [integration(saysRs)]))).toBe('unknown_key')
  })
})

describe('A6 what a token brings with it is not used', () => {
  it('no key in its header is', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(ec)
    const fetch = vi.spyOn(globalThis, 'fetch')
    const headers = [
      { jwk: stranger.jwk },
      { jku: 'https://evil.example/jwks' },
      { x5u: 'https://evil.example/chain' },
      { x5c: ['MIIB'] },
      { kid: 'https://evil.example/jwks' },
      { kid: '../../../../dev/null' },
      { kid: "ec' OR '1'='1" },
      { kid: 'ec\0' },
      { kid: '__proto__' },
    ]
    for (const header of headers) {
      const token = await signToken(stranger, claims(), header)
      expect(await resultOf(verify(token, [integration(keySet)]))).toMatch(/^(signature|unknown_key)$/)
    }
    expect(fetch).not.toHaveBeenCalled()
  })

  it('its issuer leads nowhere', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet, published } = newKeySet(ec)
    const token = await signToken(stranger, claims({ iss: 'https://evil.example/' }))
    expect(await resultOf(verify(token, [integration(keySet)]))).toBe('issuer')
    expect(published.loads).toBe(0)
  })

  it('a signature over something else is none', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(ec)
    const good = await signToken(ec, claims())
    const [header, , signature] = good.split('.')
    const changed = `${header}.${base64url(JSON.stringify(claims({ sub: 'root' })))}.${signature}`
    expect(await resultOf(verify(changed, [integration(keySet)]))).toBe('signature')
    const otherHeader = `${base64url('{"alg":"ES256","kid":"ec","typ":"at+jwt"}')}.${good.split('.')[1]}.${signature}`
    expect(await resultOf(verify(otherHeader, [integration(keySet)]))).toBe('signature')
    for (const end of ['', 'A', 'AA', 'AAAA', 'A'.repeat(86), 'A'.repeat(5000)]) {
      expect(await resultOf(verify(`${header}.${good.split('.')[1]}.${end}`, [integration(keySet)]))).toBe('signature')
    }
  })

  it('an ECDSA signature of zeros, or in DER, is none (CVE-2022-21449)', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(ec)
    const input = forge({ alg: 'ES256', kid: 'ec' }, claims(), '')
    const der = '30060201000201 00'.replace(' ', '')
    for (const bytes of [Buffer.alloc(64), Buffer.alloc(64, 0xff), Buffer.from(der, 'hex'), Buffer.alloc(1)]) {
      expect(await resultOf(verify(input + bytes.toString('base64url'), [integration(keySet)]))).toBe('signature')
    }
  })

  it('a weak key of the provider verifies nothing', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const privateJwk = privateKey.export({ format: 'jwk' })
    const { n, e } = privateJwk
    const weak: SigningKey = { ...rsa, kid: 'weak', privateJwk, jwk: { kty: 'RSA', n, e, kid: 'weak' } as object }
    const { keySet } = newKeySet(weak, ec)
    const token = signText(weak, JSON.stringify({ alg: 'RS256', kid: 'weak' }), JSON.stringify(claims()))
    expect(await resultOf(verify(token, [integration(keySet)]))).toBe('unknown_key')
    const nameless = signText(weak, JSON.stringify({ alg: 'RS256' }), JSON.stringify(claims()))
    expect(await resultOf(verify(nameless, [integration(keySet)]))).toBe('unknown_key')
  })

  it('the message as the signature passes no key with exponent 1', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const e1: SigningKey = { ...rsa, kid: 'e1', jwk: { ...rsa.jwk, kid: 'e1', e: 'AQ' } }
    const { keySet } = newKeySet(e1)
    const token = forge({ alg: 'RS256', kid: 'e1' }, claims(), base64url(Buffer.alloc(256, 1)))
    expect(await resultOf(verify(token, [integration(keySet)]))).toBe('unknown_key')
  })
})

describe('A6 keys', () => {
  it('several with one kid: the one that fits is found', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const keys = await Promise.all(Array.from({ length: 4 }, () => createKey('ES256', 'same')))
    const { keySet } = newKeySet(...keys, renamed(rsa, 'same'))
    for (const key of [...keys, renamed(rsa, 'same')]) {
      expect(await resultOf(verify(await signToken(key, claims()), [integration(keySet)]))).toBe('good')
    }
  })

  it('none named in the token: each of its algorithm is tried', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(stranger, rsa, ec)
    expect(await resultOf(verify(await signToken(ec, claims(), { kid: undefined }), [integration(keySet)]))).toBe(
      'good',
    )
    expect(await resultOf(verify(await signToken(rsa, claims(), { kid: undefined }), [integration(keySet)]))).toBe(
      'good',
    )
  })

  it('none named in the set: a token that names one is not verified by it', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const nameless = await createNamelessKey()
    const { keySet } = newKeySet(nameless)
    expect(await resultOf(verify(await signToken(nameless, claims()), [integration(keySet)]))).toBe('good')
    const token = await signToken(nameless, claims(), { kid: 'x' })
    expect(await resultOf(verify(token, [integration(keySet)]))).toBe('unknown_key')
  })

  it('a known kid with a wrong signature leads to no fetch', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet, published } = newKeySet(ec)
    for (let count = 0; count < 20; count++) {
      expect(await resultOf(verify(await signToken(stranger, claims({ count })), [integration(keySet)]))).toBe(
        'signature',
      )
    }
    expect(published.loads).toBe(1)
  })

  it('rotation without kids: found by another fetch', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const [before, after] = [await createNamelessKey(), await createNamelessKey()]
    const { keySet, published } = newKeySet(before)
    expect(await resultOf(verify(await signToken(before, claims()), [integration(keySet)]))).toBe('good')
    published.keys = [after.jwk]
    expect(await resultOf(verify(await signToken(after, claims()), [integration(keySet)]))).toBe('good')
    expect(published.loads).toBe(2)
    // It may be of a newer key still.
    expect(await resultOf(verify(await signToken(before, claims()), [integration(keySet)]))).toBe('signature')
    expect(published.loads).toBe(3)
  })

  it('what is told of an unknown kid is short, however long it is', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(ec)
    const token = await signToken(stranger, claims(), { kid: 'x'.repeat(30_000) })
    const found = await verify(token, [integration(keySet)])
    expect(found.kind === 'bad' && found.problem.detail.length).toBeLessThan(300)
  })

  it('that cannot be had: unavailable, with the time to come back', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet, published } = newKeySet(ec)
    published.failure = new Error('down')
    expect(await verify(await signToken(ec, claims()), [integration(keySet)])).toMatchObject({
      kind: 'unavailable',
      retryAfterMs: expect.any(Number),
    })
  })

  it('that cannot be had do not matter for a token that would be refused with them', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet, published } = newKeySet(ec)
    published.failure = new Error('down')
    const cases: [string, object][] = [
      ['expired', { exp: 1 }],
      ['issuer', { iss: 'x' }],
      ['audience', { aud: 'x' }],
    ]
    for (const [reason, wrong] of cases) {
      expect(await resultOf(verify(await signToken(ec, claims(wrong)), [integration(keySet)]))).toBe(reason)
    }
    expect(published.loads).toBe(0)
  })
})

describe('B11 a token whose signature is known to be good', () => {
  it('is answered at once, without another check of the signature', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims())
    const first = verify(token, integrations)
    expect(first).toBeInstanceOf(Promise)
    await first
    const second = verify(token, integrations)
    expect(second).not.toBeInstanceOf(Promise)
    expect(second).toMatchObject({ kind: 'good', signed: { payload: { sub: 'ann' } } })
    expect(verifications).toHaveBeenCalledTimes(1)
  })

  it('ten at once are checked once', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims())
    const results = await Promise.all(Array.from({ length: 10 }, () => resultOf(verify(token, integrations))))
    expect(results).toEqual(Array(10).fill('good'))
    expect(verifications).toHaveBeenCalledTimes(1)
  })

  it('ten bad ones at once are checked once, and the next again: nothing bad is remembered', async () => {
    const { verify, newKeySet, integration, claims, cache } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(stranger, claims())
    const results = await Promise.all(Array.from({ length: 10 }, () => resultOf(verify(token, integrations))))
    expect(results).toEqual(Array(10).fill('signature'))
    expect(verifications).toHaveBeenCalledTimes(1)
    expect(await resultOf(verify(token, integrations))).toBe('signature')
    expect(verifications).toHaveBeenCalledTimes(2)
    expect(cache.size).toBe(0)
  })

  it('is judged by time on every request, and forgotten when it has expired', async () => {
    const { verify, newKeySet, integration, claims, clock, cache } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims({ exp: clock.now() / 1000 + 60 }))
    expect(await resultOf(verify(token, integrations))).toBe('good')
    clock.advance(64.999)
    expect(await resultOf(verify(token, integrations))).toBe('good')
    clock.advance(0.001)
    expect(verify(token, integrations)).toMatchObject({ kind: 'bad', problem: { reason: 'expired' } })
    expect(cache.size).toBe(0)
    expect(await resultOf(verify(token, integrations))).toBe('expired')
  })

  it('is judged by not-before when the clock is set back', async () => {
    const { verify, newKeySet, integration, claims, clock } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims({ nbf: clock.now() / 1000 }))
    expect(await resultOf(verify(token, integrations))).toBe('good')
    clock.advance(-60)
    expect(await resultOf(verify(token, integrations))).toBe('not_yet_valid')
  })

  it('is judged by issuer, audience, algorithm and source of each integration, though they share a key set', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet } = newKeySet(ec)
    const token = await signToken(ec, claims())
    expect(await resultOf(verify(token, [integration(keySet)]))).toBe('good')
    const differing: [string, Partial<TokenExpectations>][] = [
      ['audience', { audiences: ['billing-api'] }],
      ['issuer', { issuer: 'https://login.example.com' }],
      ['algorithm', { algorithms: new Set(['RS256']) }],
    ]
    for (const [reason, expected] of differing) {
      expect(await resultOf(verify(token, [integration(keySet, expected)]))).toBe(reason)
      expect(await resultOf(verify(token, [integration(keySet, expected), integration(keySet, expected)]))).toBe(reason)
    }
    const access = await signToken(ec, claims(), { typ: 'at+jwt' })
    expect(await resultOf(verify(access, [integration(keySet)]))).toBe('good')
    expect(await resultOf(verify(access, [integration(keySet, { source: 'id_token' })]))).toBe('type')
  })

  it('is not good for another key set that has another key of that name', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const [own, other] = [newKeySet(ec).keySet, newKeySet(stranger).keySet]
    const token = await signToken(ec, claims())
    expect(await resultOf(verify(token, [integration(own)]))).toBe('good')
    expect(await resultOf(verify(token, [integration(other)]))).toBe('signature')
    expect(await resultOf(verify(token, [integration(own)]))).toBe('good')
    const found = await verify(token, [integration(other, {}, 'other'), integration(own, {}, 'own')])
    expect(found.kind === 'good' && found.integration.name).toBe('own')
  })

  it('with the same end as another token is not that token', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims())
    expect(await resultOf(verify(token, integrations))).toBe('good')
    const [header, , signature = ''] = token.split('.')
    const forged = `${header}.${base64url(JSON.stringify(claims({ sub: 'root' })))}.${signature}`
    expect(forged.slice(-32)).toBe(token.slice(-32))
    expect(await resultOf(verify(forged, integrations))).toBe('signature')
    expect(await resultOf(verify(token, integrations))).toBe('good')
    expect(await resultOf(verify(signature.slice(-32), integrations))).toBe('malformed')
  })

  it('is void once its key is no longer published', async () => {
    const { verify, newKeySet, integration, claims, clock, cache } = setUp()
    const { keySet, published } = newKeySet(ec, rsa)
    const integrations = [integration(keySet)]
    const token = await signToken(ec, claims())
    expect(await resultOf(verify(token, integrations))).toBe('good')
    published.keys = [rsa.jwk]
    clock.advance(600)
    expect(await resultOf(verify(token, integrations))).toBe('unknown_key')
    expect(await resultOf(verify(token, integrations))).toBe('unknown_key')
    expect(cache.size).toBe(0)
  })

  it('is void once another key has taken the name of its own', async () => {
    const { verify, newKeySet, integration, claims, clock } = setUp()
    const { keySet, published } = newKeySet(ec)
    const integrations = [integration(keySet)]
    const token = await signToken(ec, claims())
    expect(await resultOf(verify(token, integrations))).toBe('good')
    published.keys = [stranger.jwk]
    clock.advance(600)
    expect(await resultOf(verify(token, integrations))).toBe('signature')
  })

  it("outlives no key set's ceiling", async () => {
    const { verify, newKeySet, integration, claims, clock } = setUp()
    const { keySet, published } = newKeySet(ec)
    const integrations = [integration(keySet)]
    const token = await signToken(ec, claims({ exp: clock.now() / 1000 + 1_000_000 }))
    expect(await resultOf(verify(token, integrations))).toBe('good')
    published.failure = new Error('down')
    clock.advance(21_599)
    expect(await resultOf(verify(token, integrations))).toBe('good')
    clock.advance(1)
    expect(await resultOf(verify(token, integrations))).toBe('unavailable')
    expect(await resultOf(verify(token, [...integrations, ...integrations]))).toBe('unavailable')
  })

  it('has frozen claims, all the way down', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims({ realm_access: { roles: ['user', { deep: [1] }] } }))
    for (let round = 0; round < 2; round++) {
      const found = await verify(token, integrations)
      if (found.kind !== 'good') throw new Error(found.kind)
      const { payload } = found.signed
      const inner = payload.realm_access as { roles: unknown[] }
      expect(() => Object.assign(payload, { sub: 'root' })).toThrow(TypeError)
      expect(() => inner.roles.push('admin')).toThrow(TypeError)
      expect(Object.isFrozen((inner.roles[1] as { deep: unknown }).deep)).toBe(true)
      expect(payload.sub).toBe('ann')
    }
  })

  it('may nest as deep as a token can be long', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const integrations = [integration(newKeySet(ec).keySet)]
    const depth = 20_000
    const payload = JSON.stringify(claims()).replace('{', `{"deep":${'['.repeat(depth)}${']'.repeat(depth)},`)
    const token = signText(ec, JSON.stringify({ alg: 'ES256', kid: 'ec' }), payload)
    expect(await resultOf(verify(token, integrations))).toBe('good')
    expect(await resultOf(verify(token, integrations))).toBe('good')
  })

  it.each([
    { maxEntries: 0, maxBytes: 1000 },
    { maxEntries: 10, maxBytes: 0 },
  ])('is checked each time with %j', async (bounds) => {
    const { verify, newKeySet, integration, claims } = setUp(bounds)
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims())
    for (let round = 0; round < 3; round++) expect(await resultOf(verify(token, integrations))).toBe('good')
    expect(verifications).toHaveBeenCalledTimes(3)
  })

  it('a flood of bad tokens neither grows the cache nor pushes a good one out', async () => {
    const { verify, newKeySet, integration, claims, cache } = setUp({ maxEntries: 2, maxBytes: 1_000_000 })
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims())
    await verify(token, integrations)
    const [header, , signature] = token.split('.')
    await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        verify(`${header}.${base64url(JSON.stringify(claims({ index })))}.${signature}`, integrations),
      ),
    )
    expect(cache.size).toBe(1)
    verifications.mockClear()
    expect(verify(token, integrations)).toMatchObject({ kind: 'good' })
    expect(verifications).not.toHaveBeenCalled()
  })

  it('well-signed tokens that are expired or made for others do not fill the cache either', async () => {
    const { verify, newKeySet, integration, claims, cache } = setUp({ maxEntries: 2, maxBytes: 1_000_000 })
    const integrations = [integration(newKeySet(ec).keySet)]
    const token = await signToken(ec, claims())
    await verify(token, integrations)
    const useless = [
      { exp: 1 },
      { aud: 'billing-api' },
      { iss: 'https://other.example/' },
      { nbf: 9e9 },
      { token_use: 'id' },
    ]
    for (const wrong of useless) {
      const other = await signToken(ec, claims(wrong))
      for (let round = 0; round < 2; round++) expect(await resultOf(verify(other, integrations))).not.toBe('good')
      // A check that was begun may still be under way.
      await new Promise((resolve) => setTimeout(resolve, 0))
      expect(await resultOf(verify(token, integrations))).toBe('good')
      expect(cache.size).toBe(1)
    }
  })
})

describe('A6 several integrations', () => {
  it('one of them must accept the token', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const corp = integration(newKeySet(ec).keySet, {}, 'corp')
    const partner = integration(newKeySet(rsa).keySet, { issuer: 'https://partner.example/' }, 'partner')
    const cases = [
      [await signToken(ec, claims()), 'corp'],
      [await signToken(rsa, claims({ iss: 'https://partner.example/' })), 'partner'],
      [await signToken(rsa, claims()), 'unknown_key'],
      [await signToken(ec, claims({ iss: 'https://partner.example/' })), 'unknown_key'],
      [await signToken(ec, claims({ iss: 'https://evil.example/' })), 'issuer'],
    ] as const
    for (const [token, expected] of cases) {
      for (const order of [
        [corp, partner],
        [partner, corp],
      ]) {
        for (let round = 0; round < 2; round++) {
          const found = await verify(token, order)
          expect(found.kind === 'good' ? found.integration.name : await resultOf(found)).toBe(expected)
        }
      }
    }
  })

  describe('that would both accept a token, with the same keys in two sets', () => {
    const nameOf = async (found: Verification | Promise<Verification>) => {
      const verification = await found
      return verification.kind === 'good' ? verification.integration.name : resultOf(verification)
    }

    it('it counts as the first of the list, wherever else it was used before', async () => {
      const { verify, newKeySet, integration, claims } = setUp()
      const a = integration(newKeySet(ec).keySet, {}, 'a')
      const b = integration(newKeySet(ec).keySet, {}, 'b')
      const token = await signToken(ec, claims())
      for (let round = 0; round < 3; round++) {
        expect(await nameOf(verify(token, [b]))).toBe('b')
        expect(await nameOf(verify(token, [a, b]))).toBe('a')
        expect(await nameOf(verify(token, [b, a]))).toBe('b')
      }
      // Both key sets are remembered, and neither pushes the other out.
      expect(verifications).toHaveBeenCalledTimes(2)
      expect(verify(token, [a, b])).toMatchObject({ kind: 'good' })
    })

    it('it counts as the second only for as long as the first has no keys', async () => {
      const { verify, newKeySet, integration, claims, clock } = setUp()
      const { keySet, published } = newKeySet(ec)
      published.failure = new Error('down')
      const both = [integration(keySet, {}, 'a'), integration(newKeySet(ec).keySet, {}, 'b')]
      const token = await signToken(ec, claims())
      for (let round = 0; round < 2; round++) expect(await nameOf(verify(token, both))).toBe('b')
      published.failure = undefined
      clock.advance(120)
      for (let round = 0; round < 2; round++) expect(await nameOf(verify(token, both))).toBe('a')
    })

    it('one of the second alone is known at once, until the first has other keys', async () => {
      const { verify, newKeySet, integration, claims, clock } = setUp()
      for (const key of [ec, await createNamelessKey()]) {
        const { keySet, published } = newKeySet(stranger, rsa)
        const both = [integration(keySet, {}, 'a'), integration(newKeySet(key).keySet, {}, 'b')]
        const token = await signToken(key, claims())
        // The first time, the keys of the first come while it is being asked.
        for (let round = 0; round < 2; round++) expect(await nameOf(verify(token, both))).toBe('b')
        // Not a promise: nothing is checked or fetched again.
        expect(verify(token, both)).toMatchObject({ kind: 'good', integration: { name: 'b' } })
        published.keys = [key.jwk]
        clock.advance(600)
        await keySet.settle()
        expect(await nameOf(verify(token, both))).toBe('a')
      }
    })

    it('what the token says of itself still leads past the first without a look at its keys', async () => {
      const { verify, newKeySet, integration, claims } = setUp()
      const { keySet, published } = newKeySet(ec)
      const both = [
        integration(keySet, { audiences: ['billing-api'] }, 'a'),
        integration(newKeySet(ec).keySet, {}, 'b'),
      ]
      const token = await signToken(ec, claims())
      expect(await nameOf(verify(token, both))).toBe('b')
      expect(verify(token, both)).toMatchObject({ kind: 'good', integration: { name: 'b' } })
      expect(published.loads).toBe(0)
    })
  })

  it("a refusal is that of the token's own provider", async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const corp = integration(newKeySet(ec).keySet, {}, 'corp')
    const partner = integration(
      newKeySet(rsa).keySet,
      { issuer: 'https://partner.example/', algorithms: new Set(['PS256']), source: 'id_token' },
      'partner',
    )
    const token = await signToken(ec, claims({ exp: 1 }), { typ: 'at+jwt' })
    expect(await resultOf(verify(token, [corp, partner]))).toBe('expired')
    expect(await resultOf(verify(token, [partner, corp]))).toBe('expired')
  })

  it('one whose provider is down does not matter to the tokens of the other', async () => {
    const { verify, newKeySet, integration, claims } = setUp()
    const { keySet, published } = newKeySet(rsa)
    published.failure = new Error('down')
    const corp = integration(newKeySet(ec).keySet, {}, 'corp')
    const partner = integration(keySet, { issuer: 'https://partner.example/' }, 'partner')
    const token = await signToken(ec, claims())
    for (let round = 0; round < 2; round++) expect(await resultOf(verify(token, [partner, corp]))).toBe('good')
    expect(await resultOf(verify(await signToken(ec, claims({ exp: 1 })), [partner, corp]))).toBe('expired')
    const theirs = await signToken(rsa, claims({ iss: 'https://partner.example/' }))
    expect(await resultOf(verify(theirs, [corp, partner]))).toBe('unavailable')
    expect(published.loads).toBe(1)
  })

  it('none at all accept nothing', async () => {
    const { verify, claims } = setUp()
    expect(await resultOf(verify(await signToken(ec, claims()), []))).toBe('malformed')
  })
})
