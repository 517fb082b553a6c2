/**
 * Keys out of a JWK set (RFC 7517). A key that cannot verify safely is left out
 * when the set is loaded, so that no later step has to think of it.
 */
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from 'jose'
import { messageOf } from '../core/errors.ts'
import { KEY_SHAPES } from './algorithms.ts'
import { tenantOf } from './registered-claims.ts'

/** A public key of an identity provider. The same object stays in use for as long as the provider publishes the key. */
export interface VerificationKey {
  readonly kid: string | undefined
  readonly jwk: JWK
  /** The only tenant that it signs for; see {@link onlyTenant}. */
  readonly tenant: string | undefined
  /** RFC 7638; tells whether a key of the next fetch is this one. */
  readonly thumbprint: string
  /** Set once the provider no longer publishes the key; everything that it verified is void then. */
  removed: boolean
  /** The key ready for use with an algorithm; imported once. */
  cryptoKey(alg: string): Promise<CryptoKey>
}

/** A key that was left out, for the operator. */
export interface RefusedKey {
  /** Its key ID (RFC 7517 §4.5). */
  readonly kid: string | undefined
  /** In words. */
  readonly reason: string
}

const MAX_KEYS = 64
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192

/** Whether a document is a JWK set (RFC 7517 §5), whatever the keys in it are worth. */
export function isJwkSet(document: unknown): document is { readonly keys: readonly unknown[] } {
  return Array.isArray((document as { keys?: unknown } | null | undefined)?.keys)
}

/** The usable keys of a JWK set document, and those left out with the reason; `undefined` when it is no JWK set. */
export async function readJwkSet(
  document: unknown,
): Promise<{ keys: VerificationKey[]; refused: RefusedKey[] } | undefined> {
  if (!isJwkSet(document)) return undefined
  const keys: VerificationKey[] = []
  const refused: RefusedKey[] = []
  for (const entry of document.keys) {
    const jwk = withoutNulls(entry)
    const kid = typeof jwk.kid === 'string' ? jwk.kid : undefined
    try {
      const reason = unfit(jwk) ?? (keys.length < MAX_KEYS ? undefined : `the set has more than ${MAX_KEYS} keys`)
      if (reason === undefined) keys.push(await toKey(jwk, kid))
      else refused.push({ kid, reason })
    } catch (error) {
      refused.push({ kid, reason: messageOf(error) })
    }
  }
  return { keys, refused }
}

/** Whether `key` may verify a signature of `alg`. */
export function keyFits(key: VerificationKey, alg: string): boolean {
  const shape = KEY_SHAPES[alg]
  const { kty, crv, alg: only } = key.jwk
  return shape !== undefined && kty === shape.kty && crv === shape.crv && (only === undefined || only === alg)
}

/** Some providers write `null` for what is not there. */
function withoutNulls(entry: unknown): JWK {
  if (typeof entry !== 'object' || entry === null) return {}
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null))
}

function unfit(jwk: JWK): string | undefined {
  if (typeof jwk.kty !== 'string') return 'it is not a key'
  if (jwk.use !== undefined && jwk.use !== 'sig') return `its use is ${JSON.stringify(jwk.use)}`
  if (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes('verify')) return 'its key_ops have no "verify"'
  if (jwk.kty === 'oct') return 'it is a shared secret, which must not be in a key set'
  if ('d' in jwk) return 'it is a private key, which must not be in a key set'
  const algorithms = Object.entries(KEY_SHAPES).flatMap(([alg, { kty, crv }]) =>
    kty === jwk.kty && crv === jwk.crv ? [alg] : [],
  )
  if (algorithms.length === 0) {
    const curve = typeof jwk.crv === 'string' ? jwk.crv : JSON.stringify(jwk.crv)
    return `no allowed algorithm uses ${jwk.kty}${curve === undefined ? '' : ` ${curve}`} keys`
  }
  if (jwk.alg !== undefined && !algorithms.includes(jwk.alg)) {
    return `its alg is ${JSON.stringify(jwk.alg)}, and such a key is for ${algorithms.join(', ')}`
  }
  return jwk.kty === 'RSA' ? weakRsa(jwk) : undefined
}

function weakRsa({ n, e }: JWK): string | undefined {
  if (typeof n !== 'string' || typeof e !== 'string') return 'it has no modulus or no exponent'
  const bits = toInteger(n).toString(2).length
  if (bits < MIN_RSA_BITS) return `its modulus has ${bits} bits, fewer than ${MIN_RSA_BITS}`
  if (bits > MAX_RSA_BITS) return `its modulus has ${bits} bits, more than ${MAX_RSA_BITS}`
  const exponent = toInteger(e)
  // With an exponent of 1 the signature is the message; an even one belongs to no RSA key.
  return exponent < 3n || exponent % 2n === 0n ? `its exponent is ${exponent}` : undefined
}

function toInteger(base64url: string): bigint {
  return BigInt(`0x0${Buffer.from(base64url, 'base64url').toString('hex')}`)
}

async function toKey(jwk: JWK, kid: string | undefined): Promise<VerificationKey> {
  const imported = new Map<string, Promise<CryptoKey>>()
  const tenant = onlyTenant(jwk)
  const key: VerificationKey = {
    kid,
    jwk,
    tenant,
    thumbprint: `${kid ?? ''}:${jwk.alg ?? ''}:${tenant ?? ''}:${await calculateJwkThumbprint(jwk)}`,
    removed: false,
    cryptoKey(alg) {
      let ready = imported.get(alg)
      if (ready === undefined) {
        ready = importJWK(jwk, alg) as Promise<CryptoKey>
        imported.set(alg, ready)
      }
      return ready
    },
  }
  // A key with a broken number is found now rather than by somebody's token.
  const alg = jwk.alg ?? Object.keys(KEY_SHAPES).find((each) => keyFits(key, each))
  if (alg !== undefined && keyFits(key, alg)) await key.cryptoKey(alg)
  return key
}

/**
 * Microsoft Entra publishes the keys of all tenants in one set and puts an `issuer` on each: with `{tenantid}` in it, or a tenant's
 * own, which such a key must not leave.
 */
function onlyTenant({ issuer }: JWK & { readonly issuer?: unknown }): string | undefined {
  return typeof issuer === 'string' ? tenantOf(issuer) : undefined
}
