/** Sealing: what opens where, and what does not. */
import { FlattenedEncrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { ConfigError, SealError } from '../../src/core/errors.ts'
import { createSealer, generateKey } from '../../src/core/sealing.ts'

const [one, two] = [generateKey(), generateKey()]
const text = Buffer.from('secret')

/** The sealed thing as JSON, changed. */
function changed(sealed: Uint8Array, change: (jwe: Record<string, string>) => Record<string, unknown>): Uint8Array {
  return Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(sealed).toString()))))
}

describe('B8 sealing', () => {
  it('opens what it has sealed, any bytes', async () => {
    const sealer = createSealer([one], 'store')
    for (const plaintext of [text, Buffer.alloc(0), Buffer.alloc(1_000_000, 7)]) {
      const sealed = await sealer.seal(plaintext, 'place')
      const opened = await sealer.open(sealed, 'place')
      expect(Buffer.from(opened.plaintext).equals(plaintext)).toBe(true)
      expect(opened.keyId).toBe(sealer.keyId)
    }
  })

  it('shows nothing of the text, the place or the key, and is different every time', async () => {
    const sealer = createSealer([one], 'store')
    const sealed = Buffer.from(await sealer.seal(text, 'connections/alice')).toString()
    expect(sealed).not.toContain(text.toString('base64url'))
    expect(sealed).not.toContain(Buffer.from('alice').toString('base64url').slice(0, 5))
    expect(sealed).not.toContain(one.slice(0, 8))
    expect(sealed).not.toBe(Buffer.from(await sealer.seal(text, 'connections/alice')).toString())
    expect(sealer.keyId).toMatch(/^[\w-]{10}$/)
  })

  it('does not open in another place', async () => {
    const sealer = createSealer([one], 'store')
    const sealed = await sealer.seal(text, 'connections/alice/github')
    await expect(sealer.open(sealed, 'connections/bob/github')).rejects.toThrow(SealError)
    await expect(sealer.open(sealed, '')).rejects.toThrow(SealError)
  })

  it('does not open what was sealed for another purpose', async () => {
    const sealed = await createSealer([one], 'session').seal(text, 'place')
    await expect(createSealer([one], 'request-state').open(sealed, 'place')).rejects.toThrow(SealError)
  })

  it('the first key seals, all open', async () => {
    const before = createSealer([one], 'store')
    const rotated = createSealer([two, one], 'store')
    const old = await before.seal(text, 'place')
    expect((await rotated.open(old, 'place')).keyId).toBe(before.keyId)
    const fresh = await rotated.seal(text, 'place')
    await expect(before.open(fresh, 'place')).rejects.toThrow(/not among the configured keys/)
    expect((await createSealer([two], 'store').open(fresh, 'place')).plaintext).toEqual(new Uint8Array(text))
  })

  it('names a key that is missing, by its id', async () => {
    const sealed = await createSealer([one], 'store').seal(text, 'place')
    const opening = createSealer([two], 'store').open(sealed, 'place')
    await expect(opening).rejects.toThrow(createSealer([one], 'store').keyId)
    await expect(opening).rejects.toMatchObject({ code: 'ERR_SEAL' })
  })

  it('does not open what has been changed, anywhere', async () => {
    const sealer = createSealer([one], 'store')
    const sealed = await sealer.seal(text, 'place')
    const flip = (value = '') => (value.startsWith('A') ? 'B' : 'A') + value.slice(1)
    const header = (fields: object) => Buffer.from(JSON.stringify(fields)).toString('base64url')
    const { keyId: kid } = sealer
    for (const change of [
      (jwe) => ({ ...jwe, ciphertext: flip(jwe.ciphertext) }),
      (jwe) => ({ ...jwe, tag: flip(jwe.tag) }),
      (jwe) => ({ ...jwe, tag: jwe.tag?.slice(0, 6) }),
      (jwe) => ({ ...jwe, iv: flip(jwe.iv) }),
      (jwe) => ({ ...jwe, ciphertext: '' }),
      (jwe) => ({ ...jwe, protected: header({ alg: 'dir', enc: 'A256GCM', kid, extra: 1 }) }),
      (jwe) => ({ ...jwe, protected: header({ alg: 'dir', enc: 'A128GCM', kid }) }),
      (jwe) => ({ ...jwe, protected: header({ alg: 'A256KW', enc: 'A256GCM', kid }) }),
      (jwe) => ({ ...jwe, protected: undefined }),
      (jwe) => ({ protected: jwe.protected }),
    ] satisfies ((jwe: Record<string, string>) => Record<string, unknown>)[]) {
      await expect(sealer.open(changed(sealed, change), 'place')).rejects.toThrow(SealError)
    }
  })

  it.each(['', 'x', '{}', 'null', '[]', '1', '{"protected":"x"}', '{"protected":"bnVsbA"}', '\u0000'])(
    'does not open %j',
    async (sealed) => {
      await expect(createSealer([one], 'store').open(Buffer.from(sealed), 'place')).rejects.toThrow(SealError)
    },
  )

  it('is JWE that others can make: dir, A256GCM, kid, associated data', async () => {
    const sealed = JSON.parse(Buffer.from(await createSealer([one], 'store').seal(text, 'place')).toString())
    expect(JSON.parse(Buffer.from(sealed.protected, 'base64url').toString())).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: createSealer([one], 'store').keyId,
    })
    expect(Object.keys(sealed).sort()).toEqual(['ciphertext', 'iv', 'protected', 'tag'])
    const foreign = await new FlattenedEncrypt(text)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: createSealer([one], 'store').keyId })
      .setAdditionalAuthenticatedData(Buffer.from('place'))
      .encrypt(Buffer.from(two, 'base64url'))
    await expect(createSealer([one], 'store').open(Buffer.from(JSON.stringify(foreign)), 'place')).rejects.toThrow(
      SealError,
    )
  })

  it.each<[string, string[], RegExp]>([
    ['no keys', [], /must not be empty/],
    ['a password', ['correct horse'], /keys\[0\]: not a key/],
    [
      'a key of other tools',
      [Buffer.alloc(32, 251).toString('base64')],
      /keys\[0\]: not a key.*; this is base64: write - for \+/,
    ],
    ['a key of other tools, in hexadecimal', ['0a'.repeat(32)], /keys\[0\]: not a key.*; these are hexadecimal digits/],
    ['a key that is cut off', [one, two.slice(1)], /keys\[1\]: not a key/],
    ['the same key twice', [one, two, one], /keys\[2\]: the same as keys\[0\]/],
  ])('refuses %s', (_, keys, message) => {
    expect(() => createSealer(keys, 'store')).toThrow(ConfigError)
    expect(() => createSealer(keys, 'store')).toThrow(message)
  })

  it('never says a key', () => {
    const bad = `${one}x`
    expect(() => createSealer([bad], 'store')).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(bad) }),
    )
  })

  it('generateKey makes 32 random bytes', () => {
    const keys = new Set(Array.from({ length: 50 }, generateKey))
    expect(keys.size).toBe(50)
    for (const key of keys) expect(Buffer.from(key, 'base64url').length).toBe(32)
  })
})

describe('sealing into a text, for cookies and URLs', () => {
  it('opens what it has sealed, and is safe in a cookie and in a URL', async () => {
    const sealer = createSealer([one], 'cookie')
    for (const plaintext of ['', 'a', '{"é":"€"}', 'x'.repeat(5_000)]) {
      const sealed = await sealer.sealText(plaintext, 'place')
      expect(sealed).toMatch(/^[\w.-]+$/)
      expect(await sealer.openText(sealed, 'place')).toEqual({ plaintext, keyId: sealer.keyId })
    }
  })

  it('does not open elsewhere, for another purpose, or changed by one character', async () => {
    const sealer = createSealer([one], 'cookie')
    const sealed = await sealer.sealText('secret', 'place')
    await expect(sealer.openText(sealed, 'other')).rejects.toThrow(SealError)
    await expect(createSealer([one], 'other').openText(sealed, 'place')).rejects.toThrow(SealError)
    for (let index = 0; index < sealed.length - 1; index += 7) {
      const wrong = sealed.slice(0, index) + (sealed[index] === 'A' ? 'B' : 'A') + sealed.slice(index + 1)
      await expect(sealer.openText(wrong, 'place')).rejects.toThrow(SealError)
    }
  })

  it.each(['', '.', '...', 'a.b.c.d', 'a.b.c.d.e', 'nonsense', '\0', 'e30.e30.e30.e30'])(
    'nonsense is none: %j',
    async (sealed) => {
      await expect(createSealer([one], 'cookie').openText(sealed, 'place')).rejects.toThrow(SealError)
    },
  )
})
