/** `at_hash`: ties an access token to the ID token that it came with (OpenID Connect Core §3.1.3.6). */
import { createHash } from 'node:crypto'

/** The hash that goes with an ID token's `alg`; `undefined` for an algorithm that is not known. */
function hashOf(algorithm: string): string | undefined {
  if (algorithm === 'EdDSA' || algorithm === 'Ed25519') return 'sha512'
  const [, bits] = /^(?:RS|PS|ES)(256|384|512)$/.exec(algorithm) ?? []
  return bits === undefined ? undefined : `sha${bits}`
}

/** Whether an `at_hash` can be checked for this `alg`. */
export function isHashableAlgorithm(algorithm: string): boolean {
  return hashOf(algorithm) !== undefined
}

/** Whether `atHash` is the left half of the access token's hash. Of an algorithm that is not known, nothing is. */
export function atHashFits(atHash: unknown, accessToken: string, algorithm: string): boolean {
  const hash = hashOf(algorithm)
  if (hash === undefined) return false
  const digest = createHash(hash).update(accessToken).digest()
  return atHash === digest.subarray(0, digest.length / 2).toString('base64url')
}
