/** bcrypt hashes made by Apache's htpasswd 2.4 and by Python's bcrypt, checked with the real bcryptjs. */
import { describe, expect, it } from 'vitest'
import { parseBcrypt } from '../../src/basic/bcrypt.ts'
import { ConfigError, DependencyError } from '../../src/core/errors.ts'

const ofApache = '$2y$05$A8Y0YsJaBZMD8ZXPGzWrGuwHBm9OxC6JxqKjNEFsjZEmzqcE4VKim' // correct horse
const of72 = '$2b$04$YKLzKMo3M7IL7WPfcdWjGOZWVxc4qCkp4.K8.vCzRhcqcKyc7ZXx2' // 72 times "a"

describe('A5 bcrypt', () => {
  it.each([
    ['$2y$ of htpasswd -B', ofApache, 'correct horse'],
    ['$2y$ of htpasswd -BC 4, not ASCII', '$2y$04$BNEWI.X5iJ2hPL.QT1ke4eVr24hCvQXFTBNXlM26vpJYMziY5Cvhi', 'pässwörd'],
    ['$2b$ of Python', '$2b$04$pVz065lZUaZyWvc2lbY.OuN2Ig2VkWtDI5drFM/67QmncfFgB0wHO', 'pässwörd'],
    ['$2a$ of Python', '$2a$04$naJNwCxLD7SZ/evfNzfs2O0t9imF5jejTMmMM5eFpIOBBZAQht32K', 'pässwörd'],
  ])('%s is right for its password and for no other', async (_, text, password) => {
    const hash = parseBcrypt(text)
    await hash.load()
    expect(await hash.verify(password)).toBe(true)
    expect(await hash.verify(`${password}x`)).toBe(false)
    expect(await hash.verify('')).toBe(false)
  })

  it('refuses a password of more than 72 bytes that is right in the first 72, after the same work', async () => {
    const hash = parseBcrypt(of72)
    expect(await hash.verify('a'.repeat(72))).toBe(true)
    expect(await hash.verify('a'.repeat(73))).toBe(false)

    let compared = 0
    const counting = parseBcrypt(of72, async () => ({ compare: async () => ++compared > 0 }))
    expect(await counting.verify('ä'.repeat(37))).toBe(false)
    expect(compared).toBe(1)
  })

  it('refuses a password with NUL, which bcrypt takes for the repeated shorter one', async () => {
    expect(await parseBcrypt(ofApache).verify('correct horse\0correct horse')).toBe(false)
  })

  it('gives the package $2b$ for $2y$, which "bcrypt" does not know', async () => {
    const seen: unknown[] = []
    const hash = parseBcrypt(ofApache, async () => ({ compare: async (...given: unknown[]) => seen.push(given) > 0 }))
    await hash.verify('correct horse')
    expect(seen).toEqual([['correct horse', ofApache.replace('$2y$', '$2b$')]])
  })

  it('a missing package is an error of load() that names both', async () => {
    const hash = parseBcrypt(ofApache, async () => {
      throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    })
    await expect(hash.load()).rejects.toThrow(DependencyError)
    await expect(hash.load()).rejects.toThrow('`npm install bcrypt` or `npm install bcryptjs`')
    await expect(hash.verify('x')).rejects.toThrow(DependencyError)
  })

  it.each([
    ['cut short', ofApache.slice(0, -1)],
    ['too long', `${ofApache}m`],
    ['with a last character that no hash has', ofApache.replace(/m$/, 'n')],
    ['what a shell leaves when it expands $2y', ofApache.replace('$2y$05$A8Y0', '$2y$')],
  ])('a hash %s is refused at once, without repeating it', (_, text) => {
    expect(() => parseBcrypt(text)).toThrow(ConfigError)
    expect(() => parseBcrypt(text)).toThrow(/^the bcrypt hash is damaged or cut short/)
  })

  it.each(['03', '17', '31', '99'])('cost %s is refused', (cost) => {
    expect(() => parseBcrypt(ofApache.replace('$05$', `$${cost}$`))).toThrow(`has cost ${Number(cost)}`)
  })
})
