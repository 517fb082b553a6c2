/** The hash that ties an access token to an ID token. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ALGORITHMS } from '../../src/jwt/algorithms.ts'
import { atHashFits, isHashableAlgorithm } from '../../src/oauth/at-hash.ts'

/** OpenID Connect Core, appendix A.3. */
const ACCESS_TOKEN = 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y'
const AT_HASH = '77QmUPtjPfzWtF2AnpK9RQ'

describe('A7 at_hash (OpenID Connect Core §3.1.3.6)', () => {
  it('is as in the example of the specification', () => {
    expect(atHashFits(AT_HASH, ACCESS_TOKEN, 'RS256')).toBe(true)
  })

  it.each([
    ['sha256', ['RS256', 'PS256', 'ES256']],
    ['sha384', ['RS384', 'PS384', 'ES384']],
    ['sha512', ['RS512', 'PS512', 'ES512', 'EdDSA', 'Ed25519']],
  ])('is the left half of %s for %s', (hash, algorithms) => {
    const digest = createHash(hash).update(ACCESS_TOKEN).digest()
    const half = digest.subarray(0, digest.length / 2).toString('base64url')
    for (const algorithm of algorithms) {
      expect(atHashFits(half, ACCESS_TOKEN, algorithm)).toBe(true)
      expect(atHashFits(digest.toString('base64url'), ACCESS_TOKEN, algorithm)).toBe(false)
      expect(atHashFits(digest.subarray(digest.length / 2).toString('base64url'), ACCESS_TOKEN, algorithm)).toBe(false)
    }
  })

  it.each([
    ['another', 'x'.repeat(22)],
    ['padded', `${AT_HASH}==`],
    ['cut', AT_HASH.slice(0, -1)],
    ['empty', ''],
    ['a list', [AT_HASH]],
    ['null', null],
    ['missing', undefined],
  ])('does not fit if %s', (_, atHash) => {
    expect(atHashFits(atHash, ACCESS_TOKEN, 'RS256')).toBe(false)
  })

  it.each(['none', 'HS256', 'RS1', 'ES256K', 'xRS256', 'RS2566', '', '__proto__'])(
    'never fits with the algorithm "%s"',
    (algorithm) => {
      expect(isHashableAlgorithm(algorithm)).toBe(false)
      expect(atHashFits(AT_HASH, ACCESS_TOKEN, algorithm)).toBe(false)
      expect(atHashFits(undefined, ACCESS_TOKEN, algorithm)).toBe(false)
    },
  )

  it('can be checked for every algorithm that tokens may have', () => {
    expect(ALGORITHMS.filter((algorithm) => !isHashableAlgorithm(algorithm))).toEqual([])
  })
})
