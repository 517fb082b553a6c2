import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { VerificationKey } from '../../src/jwt/jwk.ts'
import type { KeySet } from '../../src/jwt/key-set.ts'
import { createSignatureCache, isRefusedUnder, type SignedToken, signedUnder } from '../../src/jwt/signature-cache.ts'

const keySet = {} as KeySet
const otherKeySet = {} as KeySet
const roomy = { maxEntries: 1000, maxBytes: 10_000_000 }

function newKey(): VerificationKey {
  return {
    kid: 'k',
    jwk: {},
    thumbprint: 't',
    tenant: undefined,
    removed: false,
    cryptoKey: () => Promise.reject(new Error('not here')),
  }
}

function signed(token: string, key = newKey()): SignedToken {
  return {
    token,
    header: { alg: 'ES256', kid: 'k', typ: 'jwt' },
    payload: {},
    key,
    keySet,
    identity: undefined,
    derived: undefined,
    refusals: undefined,
  }
}

/** A token of about 600 bytes. */
function newToken(): string {
  return `${randomBytes(450).toString('base64url')}`
}

describe('B11 the cache of good signatures', () => {
  it('finds a token again, for the key set that verified it', () => {
    const cache = createSignatureCache(roomy)
    const token = newToken()
    cache.set(signed(token), 100)
    expect(cache.get(token, keySet)?.token).toBe(token)
    expect(cache.get(token, otherKeySet)).toBeUndefined()
    expect(cache.get(newToken(), keySet)).toBeUndefined()
  })

  it('keeps a token for each key set that has verified it, and counts the bytes of each', () => {
    const cache = createSignatureCache({ maxEntries: 100, maxBytes: 5_000 })
    const token = newToken()
    const [first, second] = [cache.set(signed(token), 100), cache.set({ ...signed(token), keySet: otherKeySet }, 100)]
    for (let round = 0; round < 2; round++) {
      expect(cache.get(token, keySet)).toBe(first)
      expect(cache.get(token, otherKeySet)).toBe(second)
      expect(cache.size).toBe(1)
    }
    expect(signedUnder(keySet, cache.find(token))).toBe(first)
    // One more of 1,700 bytes has room beside one, and none beside two.
    cache.set(signed(newToken()), 100)
    cache.set(signed(newToken()), 100)
    expect(cache.get(token, keySet)).toBeUndefined()
    expect(cache.size).toBe(2)
  })

  it('of two keys of a token, one that is no longer published takes nothing from the other key set for long', () => {
    const cache = createSignatureCache(roomy)
    const key = newKey()
    const token = newToken()
    cache.set(signed(token, key), 100)
    const other = cache.set({ ...signed(token), keySet: otherKeySet }, 100)
    key.removed = true
    expect(cache.get(token, keySet)).toBeUndefined()
    expect(cache.get(token, otherKeySet)).toBe(other)
    const again = cache.set(signed(token), 100)
    expect(cache.get(token, keySet)).toBe(again)
    expect(cache.get(token, otherKeySet)?.key).toBe(other.key)
  })

  it('knows a refusal under a key set for as long as that has no other keys', () => {
    const cache = createSignatureCache(roomy)
    const token = newToken()
    const changing = { version: 1 } as { version: number } & KeySet
    cache.set({ ...signed(token), refusals: [{ keySet: changing, version: 1 }] }, 100)
    const remembered = cache.set({ ...signed(token), keySet: otherKeySet }, 100)
    const found = cache.find(token)
    expect(found).toBe(remembered)
    expect(found && isRefusedUnder(changing, found)).toBe(true)
    changing.version = 2
    expect(found && isRefusedUnder(changing, found)).toBe(false)
  })

  it('never takes a token for another with the same end', () => {
    const cache = createSignatureCache(roomy)
    const token = newToken()
    cache.set(signed(token), 100)
    const tail = token.slice(-12)
    for (const forged of [
      tail,
      `x${tail}`,
      `x${token}`,
      token.slice(1),
      `${newToken()}${tail}`,
      `.${token.slice(1)}`,
    ]) {
      expect(cache.get(forged, keySet)).toBeUndefined()
    }
    expect(cache.get(token, keySet)).toBeDefined()
  })

  it('of two tokens with the same end keeps the later', () => {
    const cache = createSignatureCache(roomy)
    const [first, second] = [`${newToken()}${'A'.repeat(32)}`, `${newToken()}${'A'.repeat(32)}`]
    cache.set(signed(first), 100)
    cache.set(signed(second), 100)
    expect(cache.get(first, keySet)).toBeUndefined()
    expect(cache.get(second, keySet)?.token).toBe(second)
    cache.delete(first)
    expect(cache.get(second, keySet)).toBeDefined()
    cache.delete(second)
    expect(cache.size).toBe(0)
  })

  it('drops an entry whose key is no longer published', () => {
    const cache = createSignatureCache(roomy)
    const key = newKey()
    const [token, other] = [newToken(), newToken()]
    cache.set(signed(token, key), 100)
    cache.set(signed(other), 100)
    key.removed = true
    expect(cache.get(token, keySet)).toBeUndefined()
    expect(cache.size).toBe(1)
    expect(cache.get(other, keySet)).toBeDefined()
  })

  it('is bounded in entries; the least recently used goes', () => {
    const cache = createSignatureCache({ maxEntries: 2, maxBytes: 10_000_000 })
    const [first, second, third] = [newToken(), newToken(), newToken()]
    cache.set(signed(first), 100)
    cache.set(signed(second), 100)
    cache.get(first, keySet)
    cache.set(signed(third), 100)
    expect(cache.size).toBe(2)
    expect(cache.get(second, keySet)).toBeUndefined()
    expect(cache.get(first, keySet)).toBeDefined()
  })

  it.each([
    ['entries', { maxEntries: 20, maxBytes: 10_000_000 }],
    ['bytes', { maxEntries: 1000, maxBytes: 40_000 }],
  ])('half full of %s, it keeps what is in use, whatever comes', (_, bounds) => {
    const cache = createSignatureCache(bounds)
    const inUse = newToken()
    cache.set(signed(inUse), 100)
    for (let count = 0; count < 200; count++) {
      cache.set(signed(newToken()), 100)
      expect(cache.get(inUse, keySet)?.token).toBe(inUse)
    }
    expect(cache.size).toBeLessThanOrEqual(bounds.maxEntries)
  })

  it('is bounded in bytes, counting tokens and payloads', () => {
    const cache = createSignatureCache({ maxEntries: 1000, maxBytes: 100_000 })
    for (let count = 0; count < 500; count++) cache.set(signed(newToken()), 300)
    expect(cache.size).toBeGreaterThan(10)
    expect(cache.size).toBeLessThanOrEqual(100_000 / (600 + 300))
    cache.set(signed(newToken()), 20_000)
    expect(cache.size).toBeLessThan(20)
    cache.set(signed(newToken()), 1_000_000)
    expect(cache.size).toBeLessThan(20)
  })

  it('keeps of the header that a token was cut from no more than the token', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const cache = createSignatureCache({ maxEntries: 20_000, maxBytes: 8_000_000 })
    collect()
    const before = process.memoryUsage().heapUsed
    for (let count = 0; count < 3_000; count++) {
      // A cookie field of 12 KB; a slice of it would keep all of it in memory.
      const cookies = Buffer.from(`t=${newToken()}; more=${randomBytes(6_000).toString('hex')}`).toString('latin1')
      cache.set(signed(cookies.slice(2, 602)), 100)
    }
    collect()
    expect(cache.size).toBeGreaterThan(2_500)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(16_000_000)
  })

  it.each([
    { maxEntries: 0, maxBytes: 1000 },
    { maxEntries: 10, maxBytes: 0 },
  ])('is off with %j', (bounds) => {
    const cache = createSignatureCache(bounds)
    const token = newToken()
    cache.set(signed(token), 1)
    expect(cache.get(token, keySet)).toBeUndefined()
    expect(cache.size).toBe(0)
    cache.delete(token)
  })
})
