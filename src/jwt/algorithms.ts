/** Signature algorithms (RFC 7518 §3.1, RFC 8037, RFC 9864): asymmetric only, by allow-list. */

/** What a key must be for an algorithm. */
export interface KeyShape {
  readonly kty: string
  readonly crv?: string
}

const RSA: KeyShape = { kty: 'RSA' }
const ED25519: KeyShape = { kty: 'OKP', crv: 'Ed25519' }

/** The `alg` values that can be allowed, with the keys that they go with. */
export const KEY_SHAPES: Readonly<Record<string, KeyShape>> = {
  RS256: RSA,
  RS384: RSA,
  RS512: RSA,
  PS256: RSA,
  PS384: RSA,
  PS512: RSA,
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: ED25519,
  Ed25519: ED25519,
}

/** All of them; what is allowed where the configuration does not say. */
export const ALGORITHMS: readonly string[] = Object.keys(KEY_SHAPES)
