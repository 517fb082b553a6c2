/** Keys and tokens for the suites, signed with node:crypto alone, so that no library under test makes its own input. */
import { createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject, randomBytes, sign } from 'node:crypto'

export type Algorithm = 'RS256' | 'ES256'

/** A signing key in a form that can be handed to a child process. */
export interface SigningKey {
  readonly kid: string
  readonly alg: Algorithm
  readonly privateJwk: JsonWebKey
}

export function createSigningKey(alg: Algorithm): SigningKey {
  const { privateKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid: `bench-${alg.toLowerCase()}`, alg, privateJwk: privateKey.export({ format: 'jwk' }) }
}

/** The public half as it stands in a key set (RFC 7517 §4). */
export function publicJwk({ kid, alg, privateJwk }: SigningKey): JsonWebKey {
  const { kty, crv, x, y, n, e } = privateJwk
  const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(members), kid, alg, use: 'sig' }
}

/** Claims, header parameters and lifetime that differ from the usual ones. */
export interface TokenOptions {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly kid?: string
  readonly lifetimeSeconds?: number
}

/** Makes tokens of about 600 bytes (RS256), no two alike. */
export function createSigner(key: SigningKey, issuer: string, audience: string): (options?: TokenOptions) => string {
  const privateKey = createPrivateKey({ key: key.privateJwk, format: 'jwk' })
  let count = 0
  return ({ claims, kid = key.kid, lifetimeSeconds = 3600 } = {}) => {
    const now = Math.floor(Date.now() / 1000)
    const payload = {
      iss: issuer,
      aud: audience,
      sub: `user-${count++}`,
      iat: now,
      exp: now + lifetimeSeconds,
      jti: randomBytes(12).toString('base64url'),
      scope: 'orders:read',
      ...claims,
    }
    const input = `${encode({ alg: key.alg, typ: 'JWT', kid })}.${encode(payload)}`
    return `${input}.${signature(privateKey, input)}`
  }
}

function signature(key: KeyObject, input: string): string {
  // JWA has the raw r and s (RFC 7518 §3.4), OpenSSL would give DER.
  return sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
