/**
 * Passwords hashed with bcrypt, as `htpasswd -B` and most web frameworks make them. Node has no bcrypt; the optional
 * package `bcrypt` is taken before `bcryptjs`, because it works on Node's thread pool and not on the event loop.
 */

import {
  importFunction,
  importInstalled,
  type PackageFunction,
  type PackageImporter,
} from '../core/optional-package.ts'
import { damagedHash, hashError, type PasswordHash } from './hash-format.ts'

/**
 * Version, cost, 22 characters of salt and 31 of digest in bcrypt's own base64. The last character of each part has
 * bits to spare, which are zero; where they are not, no implementation would ever find the hash equal to its own.
 */
const bcryptForm = /^\$2[aby]\$(\d\d)(\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26])$/

/** bcrypt looks at no more of a password. */
const maxPasswordBytes = 72

/** Twice the time for every step: 16 is three to five seconds. */
const maxCost = 16

/**
 * A password hashed with bcrypt: `$2a$`, `$2b$` or `$2y$`, which agree on all passwords accepted here.
 *
 * bcrypt would cut a password at 72 bytes, so that a longer one would be right in its first 72 bytes only. Longer
 * passwords are always wrong here, after the same work as for any other.
 *
 * @throws ConfigError (`ERR_CONFIG`) when the hash is damaged or its cost is out of bounds.
 */
export function parseBcrypt(text: string, importPackage: PackageImporter = importInstalled): PasswordHash {
  const [, cost, saltAndDigest] = bcryptForm.exec(text) ?? []
  if (cost === undefined || saltAndDigest === undefined) throw damagedHash('bcrypt')
  if (Number(cost) < 4 || Number(cost) > maxCost) {
    throw hashError(
      `the bcrypt hash has cost ${Number(cost)}; 4 to ${maxCost} are accepted: make a new hash, at cost 12`,
    )
  }
  // The package "bcrypt" does not know $2y$, which is only PHP's and Apache's name for the same.
  const hash = `$2b$${cost}${saltAndDigest}`

  let loading: Promise<PackageFunction> | undefined
  const load = () => {
    loading ??= importFunction(
      ['bcrypt', 'bcryptjs'],
      'compare',
      'checking a bcrypt hash needs a package',
      importPackage,
    )
    return loading
  }
  return {
    load: async () => void (await load()),
    async verify(password) {
      const compare = await load()
      // bcrypt repeats a password and the NUL after it until it has 72 bytes: "a" and "a\0a" would be the same.
      const fits = Buffer.byteLength(password) <= maxPasswordBytes && !password.includes('\0')
      const matches = (await compare(fits ? password : '', hash)) === true
      return matches && fits
    },
  }
}
