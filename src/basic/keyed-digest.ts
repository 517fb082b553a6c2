/** Digests of credentials under a random key: fit to compare and to remember, worth nothing outside this process. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto'

/** 32 bytes that only the same user name and password have. */
export type KeyedDigest = (username: string, password: string) => Buffer

/** HMAC-SHA-256 with a key of its own, made now and shown to nobody. */
export function createKeyedDigest(): KeyedDigest {
  // A KeyObject, since Node 24 takes six times as long to set up an HMAC from bytes.
  const key = createSecretKey(randomBytes(32))
  return (username, password) =>
    // The length in front: ("a", "bc") and ("ab", "c") must differ, whatever characters they are made of.
    createHmac('sha256', key).update(`${username.length}:${username}${password}`).digest()
}
