import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOfKey, isWellFormedKey, kindOfKey, makeKey, makeKeyId } from '../../src/identity/key-format.ts'

/** As the top of `key-format.ts` tells people to configure their scanners. */
const SCANNER = /\bsp[pv]_[0-9A-Za-z]{49}\b/
const BODY = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg'

describe('G1 the text of a key', () => {
  it('has a prefix by kind, and is found by secret scanners in the middle of something', () => {
    for (const [kind, prefix] of [
      ['person', 'spp_'],
      ['virtual-account', 'spv_'],
    ] as const) {
      const key = makeKey(kind)
      expect(key).toHaveLength(53)
      expect(key.startsWith(prefix)).toBe(true)
      expect(kindOfKey(key)).toBe(kind)
      expect(isWellFormedKey(key)).toBe(true)
      expect(SCANNER.exec(`{"token":"${key}"}`)?.[0]).toBe(key)
    }
  })

  it('is another one every time, and uses all characters', () => {
    const keys = Array.from({ length: 1_000 }, () => makeKey('person'))
    expect(new Set(keys).size).toBe(1_000)
    expect(new Set(keys.join('').replaceAll('spp_', '')).size).toBe(62)
    const ids = Array.from({ length: 1_000 }, makeKeyId)
    expect(new Set(ids).size).toBe(1_000)
    expect(ids.every((id) => /^[0-9A-Za-z]{17}$/.test(id))).toBe(true)
  })

  it('ends with the CRC-32 of the rest, as zlib of another language has it', () => {
    expect(isWellFormedKey(`spp_${BODY}0aEJty`)).toBe(true)
    expect(isWellFormedKey(`spv_${BODY}1lYcsK`)).toBe(true)
    expect(isWellFormedKey(`spv_${BODY}0aEJty`)).toBe(false)
  })

  it('is refused with any one character changed', () => {
    const key = makeKey('person')
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        fc.pre(key[at] !== character)
        expect(isWellFormedKey(key.slice(0, at) + character + key.slice(at + 1))).toBe(false)
      }),
    )
  })

  it('is refused with neighbours swapped, a part missing, or something added', () => {
    const key = makeKey('virtual-account')
    for (let at = 0; at < key.length - 1; at++) {
      const swapped = key.slice(0, at) + key.charAt(at + 1) + key.charAt(at) + key.slice(at + 2)
      if (swapped !== key) expect(isWellFormedKey(swapped)).toBe(false)
      expect(isWellFormedKey(key.slice(0, at))).toBe(false)
    }
    for (const text of [`${key} `, ` ${key}`, `${key}\n`, `${key}0`, key.toLowerCase(), `${key}${key}`, '']) {
      expect(isWellFormedKey(text)).toBe(false)
    }
  })

  it.each(['', 'spp', 'SPP_x', 'xspp_', 'ghp_abc', 'eyJhbGciOiJSUzI1NiJ9.e30.x'])('%j wants to be no key', (text) => {
    expect(kindOfKey(text)).toBeUndefined()
  })

  it('is stored as its SHA-256', () => {
    expect(digestOfKey('spp_x')).toBe(createHash('sha256').update('spp_x').digest('base64url'))
  })
})
