import { generateKeyPairSync } from 'node:crypto'
import type { JWK } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { KEY_SHAPES } from '../../src/jwt/algorithms.ts'
import { keyFits, readJwkSet, type VerificationKey } from '../../src/jwt/jwk.ts'
import { base64url, createKey, type SigningKey } from '../support/keys.ts'

let rsa: SigningKey
let ec: SigningKey
let ed: SigningKey

beforeAll(async () => {
  rsa = await createKey('RS256', 'rsa')
  ec = await createKey('ES256', 'ec')
  ed = await createKey('Ed25519', 'ed')
})

/** Without `alg` and `use`. */
function bare({ alg: _alg, use: _use, ...jwk }: JWK): JWK {
  return jwk
}

async function read(...keys: unknown[]) {
  const set = await readJwkSet({ keys })
  if (set === undefined) throw new Error('not a set')
  return set
}

async function theOne(jwk: JWK): Promise<VerificationKey> {
  const { keys, refused } = await read(jwk)
  expect(refused).toEqual([])
  return keys[0]!
}

/** The algorithms that a key may be used for. */
function fits(key: VerificationKey): string[] {
  return Object.keys(KEY_SHAPES).filter((alg) => keyFits(key, alg))
}

describe('A6 a JWK set (RFC 7517)', () => {
  it.each([undefined, null, 0, 'keys', [], {}, { keys: {} }, { keys: null }, { keys: 'x' }, { Keys: [] }])(
    'is not %j',
    async (document) => {
      expect(await readJwkSet(document)).toBeUndefined()
    },
  )

  it('may be empty', async () => {
    expect(await read()).toEqual({ keys: [], refused: [] })
  })

  it('leaves out what is not a key and keeps the rest', async () => {
    const { keys, refused } = await read(null, 1, 'key', [], {}, { kty: 7 }, ec.jwk)
    expect(keys.map(({ kid }) => kid)).toEqual(['ec'])
    expect(refused.map(({ reason }) => reason)).toEqual(Array(6).fill('it is not a key'))
  })

  it('keeps at most 64 keys, the first ones', async () => {
    const { keys, refused } = await read(...Array.from({ length: 70 }, (_, index) => ({ ...ec.jwk, kid: `k${index}` })))
    expect(keys).toHaveLength(64)
    expect(refused).toEqual(
      Array.from({ length: 6 }, (_, index) => ({ kid: `k${64 + index}`, reason: 'the set has more than 64 keys' })),
    )
  })

  it('counts the keys that it keeps, not those that it leaves out', async () => {
    const others = Array.from({ length: 70 }, (_, index) => ({ ...rsa.jwk, use: 'enc', kid: `e${index}` }))
    const { keys, refused } = await read(...others, ec.jwk)
    expect(keys.map(({ kid }) => kid)).toEqual(['ec'])
    expect(refused).toHaveLength(70)
  })

  it('takes null for what is not there', async () => {
    const nothing = { alg: null, use: null, key_ops: null, crv: null, d: null, issuer: null }
    const { keys } = await read({ ...bare(rsa.jwk), ...nothing, kid: null })
    expect(keys.map(({ kid }) => kid)).toEqual([undefined])
    expect(keys.flatMap(fits)).toContain('PS384')
  })

  it.each<object>([
    { use: { toString: 1 } },
    { crv: { toString: 1, toJSON: 1 } },
    { crv: { valueOf: null } },
    { use: [[]] },
  ])('loses none to nonsense beside it: %j', async (nonsense) => {
    const { keys, refused } = await read({ ...bare(ec.jwk), ...nonsense }, ed.jwk)
    expect(keys.map(({ kid }) => kid)).toEqual(['ed'])
    expect(refused).toHaveLength(1)
  })

  it('takes a kid that is not text for no kid', async () => {
    const { keys } = await read({ ...ec.jwk, kid: 7 }, { ...ed.jwk, kid: ['ed'] })
    expect(keys.map(({ kid }) => kid)).toEqual([undefined, undefined])
  })
})

describe('A6 a key without alg serves every algorithm of its kind, and no other', () => {
  it.each([
    ['RSA', () => rsa.jwk, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['P-256', () => ec.jwk, ['ES256']],
    ['Ed25519', () => ed.jwk, ['EdDSA', 'Ed25519']],
  ])('%s', async (_, jwk, algorithms) => {
    expect(fits(await theOne(bare(jwk())))).toEqual(algorithms)
  })

  it.each(['none', 'HS256', '', 'toString', 'constructor', '__proto__', 'rs256'])('and never %j', async (alg) => {
    expect(keyFits(await theOne(bare(rsa.jwk)), alg)).toBe(false)
    expect(keyFits({ ...(await theOne(bare(rsa.jwk))), jwk: { kty: 'RSA', alg } }, alg)).toBe(false)
  })
})

describe('A6 a key with alg serves that alone', () => {
  it('as it says', async () => {
    expect(fits(await theOne({ ...rsa.jwk, alg: 'PS384' }))).toEqual(['PS384'])
  })

  it.each(['ES256', 'HS256', 'RSA-OAEP', 'none', 'toString'])('and none when it says %s of an RSA key', async (alg) => {
    const { keys, refused } = await read({ ...rsa.jwk, alg })
    expect(keys).toEqual([])
    expect(refused).toEqual([
      {
        kid: 'rsa',
        reason: `its alg is "${alg}", and such a key is for RS256, RS384, RS512, PS256, PS384, PS512`,
      },
    ])
  })
})

describe('A6 keys that cannot verify safely are left out', () => {
  const exponent = (e: number[]) => ({ ...rsa.jwk, e: base64url(Uint8Array.from(e)) })
  const modulus = (bytes: number) => ({ ...rsa.jwk, n: base64url(new Uint8Array(bytes).fill(0xc5)) })
  const weak = () => generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  const short = () => generateKeyPairSync('rsa', { modulusLength: 2040 }).publicKey.export({ format: 'jwk' })
  const cases: [string, () => object, string | RegExp][] = [
    ['RSA 1024', weak, 'its modulus has 1024 bits, fewer than 2048'],
    ['RSA 2040', short, 'its modulus has 2040 bits, fewer than 2048'],
    [
      'RSA 1024 with zeros in front',
      () => {
        const key = weak()
        return { ...key, n: base64url(Buffer.concat([Buffer.alloc(128), Buffer.from(key.n ?? '', 'base64url')])) }
      },
      'its modulus has 1024 bits, fewer than 2048',
    ],
    ['RSA 16384', () => modulus(2048), 'its modulus has 16384 bits, more than 8192'],
    ['a modulus of a quarter megabyte', () => modulus(250_000), 'its modulus has 2000000 bits, more than 8192'],
    ['exponent 1', () => exponent([1]), 'its exponent is 1'],
    ['exponent 1 with zeros in front', () => exponent([0, 0, 1]), 'its exponent is 1'],
    ['exponent 0', () => exponent([0]), 'its exponent is 0'],
    ['exponent 2', () => exponent([2]), 'its exponent is 2'],
    ['exponent 65536', () => exponent([1, 0, 0]), 'its exponent is 65536'],
    ['no exponent', () => ({ ...rsa.jwk, e: undefined }), 'it has no modulus or no exponent'],
    ['an empty exponent', () => ({ ...rsa.jwk, e: '' }), 'its exponent is 0'],
    ['an exponent that is a number', () => ({ ...rsa.jwk, e: 65537 }), 'it has no modulus or no exponent'],
    ['a modulus that is a list', () => ({ ...rsa.jwk, n: [rsa.jwk.n] }), 'it has no modulus or no exponent'],
    ['a shared secret', () => ({ kty: 'oct', k: base64url('secret'), alg: 'HS256' }), /shared secret/],
    ['a private RSA key', () => ({ ...rsa.privateJwk, kid: 'rsa' }), /private key/],
    ['a private EC key', () => ec.privateJwk, /private key/],
    ['a private Ed25519 key', () => ed.privateJwk, /private key/],
    ['a private key whose d is empty', () => ({ ...ec.jwk, d: '' }), /private key/],
    ['a key for encryption', () => ({ ...rsa.jwk, use: 'enc' }), 'its use is "enc"'],
    ['an empty alg', () => ({ ...ec.jwk, alg: '' }), 'its alg is "", and such a key is for ES256'],
    [
      'the alg of another curve',
      () => ({ ...ec.jwk, alg: 'ES384' }),
      'its alg is "ES384", and such a key is for ES256',
    ],
    ['a key for agreement', () => ({ ...bare(ec.jwk), alg: 'ECDH-ES' }), /its alg is "ECDH-ES"/],
    ['an alg that is a list', () => ({ ...bare(ec.jwk), alg: ['ES256'] }), /its alg is \["ES256"\]/],
    ['a use in upper case', () => ({ ...rsa.jwk, use: 'SIG' }), 'its use is "SIG"'],
    ['key_ops without verify', () => ({ ...bare(rsa.jwk), key_ops: ['encrypt'] }), 'its key_ops have no "verify"'],
    ['empty key_ops', () => ({ ...bare(rsa.jwk), key_ops: [] }), 'its key_ops have no "verify"'],
    ['key_ops to sign and verify', () => ({ ...bare(ec.jwk), key_ops: ['sign', 'verify'] }), /./],
    ['P-256K', () => ({ ...ec.jwk, crv: 'secp256k1' }), 'no allowed algorithm uses EC secp256k1 keys'],
    ['Ed448', () => ({ kty: 'OKP', crv: 'Ed448', x: 'AA' }), 'no allowed algorithm uses OKP Ed448 keys'],
    ['X25519', () => ({ ...ed.jwk, crv: 'X25519' }), 'no allowed algorithm uses OKP X25519 keys'],
    ['an RSA key with a curve', () => ({ ...rsa.jwk, crv: 'P-256' }), 'no allowed algorithm uses RSA P-256 keys'],
    ['another kty', () => ({ kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' }), 'no allowed algorithm uses AKP keys'],
    ['kty in lower case', () => ({ ...rsa.jwk, kty: 'rsa' }), 'no allowed algorithm uses rsa keys'],
    ['a point that is not on the curve', () => ({ ...ec.jwk, x: ec.jwk.y, y: ec.jwk.x }), /./],
    ['a point that is too short', () => ({ ...ec.jwk, x: 'AAAA' }), /./],
    ['half a point', () => ({ ...ec.jwk, y: undefined }), /./],
    ['an Ed25519 key that is too short', () => ({ ...ed.jwk, x: 'AAAA' }), /./],
  ]
  it.each(cases)('%s', async (_, jwk, reason) => {
    const { keys, refused } = await read(JSON.parse(JSON.stringify(jwk())), ed.jwk)
    expect(keys.map(({ kid }) => kid)).toEqual(['ed'])
    expect(refused).toHaveLength(1)
    expect(refused[0]?.reason).toMatch(reason)
  })

  it('accepts exponent 3, RSA 2048, key_ops with verify, use sig', async () => {
    const { refused } = await read(
      exponent([3]),
      { ...bare(ec.jwk), key_ops: ['verify'] },
      { ...bare(ed.jwk), use: 'sig', ext: true },
    )
    expect(refused).toEqual([])
  })

  it('the reason never holds key material', async () => {
    const { refused } = await read(rsa.privateJwk, { kty: 'oct', k: 'c2VjcmV0LWtleQ' })
    const told = JSON.stringify(refused)
    expect(told).not.toContain(rsa.privateJwk.d)
    expect(told).not.toContain('c2VjcmV0LWtleQ')
  })
})

describe('A6 a key is known again by its thumbprint', () => {
  it('which is another for another kid or alg', async () => {
    const { keys } = await read(ec.jwk, { ...ec.jwk, kid: 'other' }, bare(ec.jwk), ed.jwk)
    expect(new Set(keys.map(({ thumbprint }) => thumbprint)).size).toBe(4)
  })

  it('and does not change with members that mean nothing', async () => {
    const [first, second] = (await read(ec.jwk, { x5t: 'AAAA', nbf: 1, ...ec.jwk })).keys
    expect(first?.thumbprint).toBe(second?.thumbprint)
  })

  it('is imported once for each algorithm', async () => {
    const key = await theOne(bare(rsa.jwk))
    expect(await key.cryptoKey('RS256')).toBe(await key.cryptoKey('RS256'))
    expect((await key.cryptoKey('PS512')).algorithm).toMatchObject({ name: 'RSA-PSS', hash: { name: 'SHA-512' } })
  })
})
