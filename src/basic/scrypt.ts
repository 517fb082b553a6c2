/** Passwords hashed with scrypt (RFC 7914) by node:crypto, in PHC string form: the format that needs no package. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { passwordProblem } from './credentials.ts'
import {
  damagedHash,
  decodePhcBase64,
  encodePhcBase64,
  hashError,
  type PasswordHash,
  refuseAbsurdCost,
} from './hash-format.ts'

/** `$scrypt$ln=16,r=8,p=2$salt$digest`, as passlib and RustCrypto write it; `ln` is the binary logarithm of N. */
const scryptForm = /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,3}),p=([1-9]\d{0,3})\$([^$]+)\$([^$]+)$/

/**
 * The cost of new hashes, one of those that OWASP's Password Storage Cheat Sheet holds equal. Not the one with the
 * most memory (N = 2^17): two checks at once are 128 MiB with this, which a small container still has.
 */
const newHashCost = { ln: 16, r: 8, p: 2 }

interface ScryptCost {
  readonly ln: number
  readonly r: number
  readonly p: number
}

const derive = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt)

/**
 * Hashes a password for use as `passwordHash` or in an htpasswd file: scrypt with N = 2^16, r = 8, p = 2 and a
 * random salt. The password is put in Unicode normal form C first, as passwords in requests are. Uses 64 MiB.
 *
 * @throws ConfigError (`ERR_CONFIG`) when the password is empty or has control characters, which no request can have.
 *
 * ```ts
 * console.log(await hashPassword('correct horse battery staple')) // $scrypt$ln=16,r=8,p=2$…
 * ```
 */
export async function hashPassword(password: string): Promise<string> {
  const problem = passwordProblem(password)
  if (problem !== undefined) throw hashError(`the password ${problem}`)
  const salt = randomBytes(16)
  const { ln, r, p } = newHashCost
  const digest = await derive(password.normalize('NFC'), salt, 32, optionsOf(newHashCost))
  return `$scrypt$ln=${ln},r=${r},p=${p}$${encodePhcBase64(salt)}$${encodePhcBase64(digest)}`
}

/**
 * A password hashed with scrypt, in PHC string form.
 *
 * @throws ConfigError (`ERR_CONFIG`) when the hash is damaged or its cost is out of bounds.
 */
export function parseScrypt(text: string): PasswordHash {
  const [, ln, r, p, encodedSalt, encodedDigest] = scryptForm.exec(text) ?? []
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) }
  const salt = decodePhcBase64(encodedSalt, 8, 64)
  const digest = decodePhcBase64(encodedDigest, 16, 64)
  // RFC 7914 §2: N is less than 2^(128 * r / 8).
  if (salt === undefined || digest === undefined || cost.ln >= 16 * cost.r) throw damagedHash('scrypt')
  refuseAbsurdCost('scrypt', 128 * 2 ** cost.ln * cost.r, cost.p)
  return {
    load: async () => {},
    verify: async (password) => timingSafeEqual(await derive(password, salt, digest.length, optionsOf(cost)), digest),
  }
}

/** Node refuses more than 32 MiB unless told; OpenSSL counts N + 2 blocks of working memory and p of input. */
function optionsOf({ ln, r, p }: ScryptCost): ScryptOptions {
  const cost = 2 ** ln
  return { cost, blockSize: r, parallelization: p, maxmem: 128 * r * (cost + p + 2) }
}
