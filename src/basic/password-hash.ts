/** Which format a hashed password is in; for a format that is not supported, what to do instead. */
import { parseArgon2 } from './argon2.ts'
import { parseBcrypt } from './bcrypt.ts'
import { hashError, type PasswordHash } from './hash-format.ts'
import { parseScrypt } from './scrypt.ts'

const supported: readonly { form: RegExp; parse: (text: string) => PasswordHash }[] = [
  { form: /^\$2[aby]\$/, parse: (text) => parseBcrypt(text) },
  { form: /^\$scrypt\$/, parse: (text) => parseScrypt(text) },
  { form: /^\$argon2id?\$/, parse: (text) => parseArgon2(text) },
]

/** What people have in their files besides; most of it is too quick to guess against. */
const unsupported: readonly { form: RegExp; name: string }[] = [
  { form: /^\$apr1\$/, name: "Apache's MD5 ($apr1$)" },
  { form: /^\{[\w-]+\}/, name: 'an LDAP scheme such as {SHA}' },
  { form: /^\$1\$/, name: 'MD5-crypt ($1$)' },
  { form: /^\$5\$/, name: 'SHA-256-crypt ($5$)' },
  { form: /^\$6\$/, name: 'SHA-512-crypt ($6$)' },
  { form: /^\$2x?\$/, name: 'bcrypt from a broken implementation ($2$, $2x$)' },
  { form: /^\$argon2d\$/, name: 'Argon2d, which is not made for passwords' },
  { form: /^\$(?:y|gy|7)\$/, name: 'yescrypt' },
  { form: /^\$pbkdf2/, name: 'PBKDF2' },
  { form: /^[./0-9A-Za-z]{13}$/, name: 'DES-crypt (or a plain password)' },
]

/**
 * Reads a hashed password: bcrypt (`$2a$`, `$2b$`, `$2y$`), scrypt (`$scrypt$`) or Argon2 (`$argon2id$`, `$argon2i$`).
 * Loads nothing; call the hash's `load()` for that.
 *
 * @throws ConfigError (`ERR_CONFIG`) with one problem and no path when the format is another or the hash is damaged.
 * The message says what to do and never repeats the hash.
 */
export function parsePasswordHash(text: string): PasswordHash {
  const format = supported.find(({ form }) => form.test(text))
  if (format !== undefined) return format.parse(text)
  const name = unsupported.find(({ form }) => form.test(text))?.name
  throw hashError(
    name === undefined
      ? 'not a password hash: expected one that starts with $2b$ (bcrypt), $scrypt$ or $argon2id$; make one with `htpasswd -B`'
      : `this hash is ${name}, which is not supported; make a new one with \`htpasswd -B\``,
  )
}
