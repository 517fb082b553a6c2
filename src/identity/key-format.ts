/**
 * The text of API keys: a prefix that secret scanners can look for and that tells the kind, 43 random characters, and a
 * checksum, so that a mistyped key is refused without asking the store. As a pattern: `\bsp[pv]_[0-9A-Za-z]{49}\b`.
 */
import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Whose key it is: a person's (a personal token) or a virtual account's. */
export type KeyKind = 'person' | 'virtual-account'

const PREFIXES: Readonly<Record<KeyKind, string>> = { person: 'spp_', 'virtual-account': 'spv_' }
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_BYTES = 32
/** 62^43 is the first power that is larger than 2^256. */
const RANDOM_DIGITS = 43
/** 62^6 is the first power that is larger than 2^32. */
const CHECKSUM_DIGITS = 6
/** Of the kind, and four random ones. */
const PREFIX_CHARACTERS = 8
const KEY = new RegExp(`^(?:${Object.values(PREFIXES).join('|')})[0-9A-Za-z]{${RANDOM_DIGITS + CHECKSUM_DIGITS}}$`)

/** A new random key. */
export function makeKey(kind: KeyKind): string {
  const text = PREFIXES[kind] + base62(randomBytes(RANDOM_BYTES), RANDOM_DIGITS)
  return text + checksum(text)
}

/** How a key begins: enough to tell somebody's keys apart, and 24 bits less to guess of 256. */
export function prefixOfKey(key: string): string {
  return key.slice(0, PREFIX_CHARACTERS)
}

/** The kind of key that a text wants to be by its prefix, or `undefined` for something else, such as a JWT. */
export function kindOfKey(text: string): KeyKind | undefined {
  if (text.startsWith(PREFIXES.person)) return 'person'
  return text.startsWith(PREFIXES['virtual-account']) ? 'virtual-account' : undefined
}

/** Whether a text is in the form of a key. Anybody can make such a text: it says nothing about whether the key exists. */
export function isWellFormedKey(text: string): boolean {
  return KEY.test(text) && text.endsWith(checksum(text.slice(0, -CHECKSUM_DIGITS)))
}

/**
 * The name that a key is stored under: its SHA-256 in base64url. A key is as random as the digest, so salt and a slow hash
 * would add nothing. Finding a record by it takes a time that depends on the digest only, which tells nothing about a key.
 */
export function digestOfKey(key: string): string {
  return hash('sha256', key, 'base64url')
}

/** A new id: 17 characters that need no quoting anywhere. */
export function makeKeyId(): string {
  return base62(randomBytes(12), 17)
}

function checksum(text: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(text))
  return base62(bytes, CHECKSUM_DIGITS)
}

function base62(bytes: Buffer, digits: number): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`)
  let text = ''
  for (let count = 0; count < digits; count++) {
    text = DIGITS.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  return text
}
