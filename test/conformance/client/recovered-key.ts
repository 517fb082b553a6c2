/**
 * The public key of an ES256 token, from its signature (SEC 1 §4.1.6). The identity provider of the suite's enterprise scenario
 * names a `jwks_uri` where there is nothing, and a gateway lets in nobody whose token it cannot verify.
 */
import { createHash } from 'node:crypto'
import type { JWK } from 'jose'

type Point = readonly [bigint, bigint] | undefined

// FIPS 186-4 D.1.2.3; the curve's a is -3.
const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn
const G: Point = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
]

/** A key that verifies `token`: one of the two that do. */
export function recoverKey(token: string): JWK {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const [r, s] = [numberOf(bytes.subarray(0, 32)), numberOf(bytes.subarray(32))]
  const e = numberOf(createHash('sha256').update(`${header}.${payload}`).digest())
  // P is 3 modulo 4, so that this is a root where there is one.
  const y = power(r ** 3n - 3n * r + B, (P + 1n) / 4n, P)
  const inverse = power(r, N - 2n, N)
  const key = add(times([r, y], modulo(s * inverse, N)), times(G, modulo(-e * inverse, N)))
  if (key === undefined) throw new Error('no key is good for this token')
  const [x, y2] = key.map((each) => Buffer.from(each.toString(16).padStart(64, '0'), 'hex').toString('base64url'))
  return { kty: 'EC', crv: 'P-256', x: x ?? '', y: y2 ?? '', alg: 'ES256', use: 'sig' }
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

function modulo(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by
}

function power(base: bigint, exponent: bigint, by: bigint): bigint {
  let result = 1n
  let factor = modulo(base, by)
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % by
    factor = (factor * factor) % by
  }
  return result
}

function add(one: Point, other: Point): Point {
  if (one === undefined || other === undefined) return one ?? other
  const [[x1, y1], [x2, y2]] = [one, other]
  if (x1 === x2 && modulo(y1 + y2, P) === 0n) return undefined
  const slope = x1 === x2 ? (3n * x1 * x1 - 3n) * power(2n * y1, P - 2n, P) : (y2 - y1) * power(x2 - x1, P - 2n, P)
  const x3 = modulo(slope * slope - x1 - x2, P)
  return [x3, modulo(slope * (x1 - x3) - y1, P)]
}

function times(point: Point, factor: bigint): Point {
  let result: Point
  let doubled = point
  for (let rest = factor; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, doubled)
    doubled = add(doubled, doubled)
  }
  return result
}
