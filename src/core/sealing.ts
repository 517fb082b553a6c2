/**
 * Sealing: encryption that is bound to a purpose and a place. What was sealed
 * as one thing does not open as another, and a row copied to another owner does
 * not open at all. The first key seals, all of them open.
 */
import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import { FlattenedEncrypt, type FlattenedJWE, flattenedDecrypt } from 'jose'
import { ConfigError, SealError } from './errors.ts'

/** A set of keys for one purpose. */
export interface Sealer {
  /** The id of the key that seals; says nothing about the key. */
  readonly keyId: string
  /** The ids of all keys. */
  readonly keyIds: readonly string[]
  /** Seals `plaintext` for `place`. */
  seal(plaintext: Uint8Array, place: string): Promise<Uint8Array>
  /**
   * Opens what was sealed for the same purpose and place.
   *
   * @throws SealError (`ERR_SEAL`) when it does not open. The message names the key's id where the key is missing.
   */
  open(sealed: Uint8Array, place: string): Promise<{ plaintext: Uint8Array; keyId: string }>
  /** Seals into a text for cookies and URLs: base64url and dots. */
  sealText(plaintext: string, place: string): Promise<string>
  /** Opens what {@link sealText} made, with the same error. */
  openText(sealed: string, place: string): Promise<{ plaintext: string; keyId: string }>
}

const KEY_BYTES = 32
/** base64url of exactly 32 bytes. */
const KEY = /^[\w-]{43}$/

/** A new random key, 32 bytes in base64url: `node -e "import('sallyport').then((s) => console.log(s.generateKey()))"`. */
export function generateKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url')
}

/**
 * A sealer over `keys`, made by {@link generateKey}. Its actual keys are derived from them for `purpose` (HKDF,
 * RFC 5869), so that what one purpose seals no other opens.
 *
 * @throws ConfigError (`ERR_CONFIG`) for no keys, a key that is not 32 bytes in base64url, and the same key twice.
 */
export function createSealer(keys: readonly string[], purpose: string): Sealer {
  if (!Array.isArray(keys)) {
    throw new ConfigError([{ path: 'keys', message: 'expected a list of keys, as generateKey() makes them' }])
  }
  const problems = (keys as readonly string[]).flatMap((key, index) => {
    const path = `keys[${index}]`
    if (typeof key === 'object')
      return [
        { path, message: 'not a key but an object; references to secrets are taken by createGuard and createGateway' },
      ]
    if (!KEY.test(key))
      return [{ path, message: `not a key: expected 32 bytes in base64url, as generateKey() makes them${meant(key)}` }]
    return keys.indexOf(key) === index ? [] : [{ path, message: `the same as keys[${keys.indexOf(key)}]` }]
  })
  if (keys.length === 0) problems.push({ path: 'keys', message: 'must not be empty; generateKey() makes one' })
  if (problems.length > 0) throw new ConfigError(problems)

  const derived = new Map(keys.map((key) => [keyIdOf(key), derive(key, purpose)]))
  const [first] = derived
  if (first === undefined) throw new TypeError('unreachable: a sealer has a key')
  const [keyId, sealingKey] = first

  async function encrypt(plaintext: Uint8Array, place: string): Promise<FlattenedJWE> {
    // RFC 7516 §7.2.2; the compact form has no room for associated data.
    const { aad: _, ...sealed } = await new FlattenedEncrypt(plaintext)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: keyId })
      .setAdditionalAuthenticatedData(Buffer.from(place))
      .encrypt(sealingKey)
    return sealed
  }

  async function decrypt(jwe: FlattenedJWE, place: string): Promise<{ plaintext: Uint8Array; keyId: string }> {
    const kid = keyIdIn(jwe)
    const key = derived.get(kid)
    if (key === undefined) throw new SealError(`sealed with the key ${kid}, which is not among the configured keys`)
    try {
      const aad = Buffer.from(place).toString('base64url')
      const { plaintext } = await flattenedDecrypt({ ...jwe, aad }, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      })
      return { plaintext, keyId: kid }
    } catch (error) {
      throw new SealError('it was sealed for another place or has been changed', { cause: error })
    }
  }

  return {
    keyId,
    keyIds: [...derived.keys()],
    seal: async (plaintext, place) => Buffer.from(JSON.stringify(await encrypt(plaintext, place))),
    open: async (sealed, place) => decrypt(parse(sealed), place),
    async sealText(plaintext, place) {
      const { protected: header, iv, ciphertext, tag } = await encrypt(Buffer.from(plaintext), place)
      return [header, iv, ciphertext, tag].join('.')
    },
    async openText(sealed, place) {
      const [header, iv = '', ciphertext = '', tag = '', ...more] = sealed.split('.')
      if (header === undefined || more.length > 0) throw new SealError('it is not sealed')
      const { plaintext, keyId: openedBy } = await decrypt({ protected: header, iv, ciphertext, tag }, place)
      return { plaintext: Buffer.from(plaintext).toString('utf8'), keyId: openedBy }
    },
  }
}

/** What other tools make of 32 bytes. One form only is taken, so that one key has one id. */
function meant(key: string): string {
  if (/^[\da-f]{64}$/i.test(key)) return '; these are hexadecimal digits'
  return /^[\w+/-]{43}=?$/.test(key) ? '; this is base64: write - for +, _ for / and leave = out' : ''
}

function parse(sealed: Uint8Array): FlattenedJWE {
  try {
    const { protected: header, iv, ciphertext, tag } = JSON.parse(Buffer.from(sealed).toString('utf8'))
    return { protected: header, iv, ciphertext, tag }
  } catch (error) {
    throw new SealError('it is not sealed', { cause: error })
  }
}

function keyIdIn(jwe: FlattenedJWE): string {
  try {
    return String(JSON.parse(Buffer.from(String(jwe.protected), 'base64url').toString('utf8')).kid)
  } catch (error) {
    throw new SealError('it is not sealed', { cause: error })
  }
}

function derive(key: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', Buffer.from(key, 'base64url'), '', `sallyport:${purpose}`, KEY_BYTES))
}

function keyIdOf(key: string): string {
  return createHash('sha256').update(`sallyport key id:${key}`).digest('base64url').slice(0, 10)
}
