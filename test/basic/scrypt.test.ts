/** scrypt hashes made by Python's passlib, and our own. */
import { describe, expect, it } from 'vitest'
import { hashPassword, parseScrypt } from '../../src/basic/scrypt.ts'
import { ConfigError } from '../../src/core/errors.ts'

const ofPasslib = '$scrypt$ln=10,r=8,p=2$YEyJsdY6h7D2/t97rzVmrA$5XZUOyxiFRV0+AXemY6x1rWcE2syJLCIgD7ARbQsdSQ'

describe('A5 scrypt', () => {
  it.each([
    ['N = 2^10, p = 2', ofPasslib],
    ['N = 2^14, p = 1', '$scrypt$ln=14,r=8,p=1$yTlnTOm915oTAoBwzjlHSA$PQuAjShro77it/Z7TbFQyDUNoylWXEk74PgAw0JF5z0'],
  ])('a hash of passlib with %s is right for its password and for no other', async (_, text) => {
    const hash = parseScrypt(text)
    await hash.load()
    expect(await hash.verify('pässwörd')).toBe(true)
    expect(await hash.verify('pässwörd ')).toBe(false)
    expect(await hash.verify('')).toBe(false)
    expect(await hash.verify('x'.repeat(12_000))).toBe(false)
  })

  it('hashPassword makes a hash that parses, with a new salt each time, and of the normal form C', async () => {
    const [one, two] = await Promise.all([hashPassword('cafe\u0301'), hashPassword('cafe\u0301')])
    expect(one).toMatch(/^\$scrypt\$ln=16,r=8,p=2\$[\w+/]{22}\$[\w+/]{43}$/)
    expect(one).not.toBe(two)
    expect(await parseScrypt(one).verify('caf\u00e9')).toBe(true)
    expect(await parseScrypt(one).verify('cafe')).toBe(false)
  })

  it('hashPassword refuses a password that no request can carry', async () => {
    await expect(hashPassword('')).rejects.toThrow('the password is empty')
    await expect(hashPassword('a\nb')).rejects.toThrow(ConfigError)
  })

  it('has just enough memory allowed for unusual shapes', async () => {
    for (const cost of ['ln=1,r=1,p=1', 'ln=15,r=1,p=1', 'ln=4,r=64,p=16', 'ln=1,r=8,p=500']) {
      const hash = parseScrypt(ofPasslib.replace('ln=10,r=8,p=2', cost))
      expect(await hash.verify('pässwörd')).toBe(false)
    }
  })

  it.each(['ln=24,r=8,p=1', 'ln=20,r=16,p=1', 'ln=16,r=8,p=65', 'ln=99,r=9999,p=9999'])('%s is refused', (cost) => {
    const text = ofPasslib.replace('ln=10,r=8,p=2', cost)
    expect(() => parseScrypt(text)).toThrow(ConfigError)
    expect(() => parseScrypt(text)).toThrow(/make a new hash at a lower cost/)
  })

  it.each([
    ['cut short', ofPasslib.slice(0, 60)],
    ['without a digest', ofPasslib.slice(0, 44)],
    ['with a short digest', `${ofPasslib.slice(0, 44)}$5XZUOyxi`],
    ['with a short salt', ofPasslib.replace('YEyJsdY6h7D2/t97rzVmrA', 'YEyJsdY6')],
    ['with padding', `${ofPasslib}=`],
    ['with bits left over', ofPasslib.replace(/Q$/, 'R')],
    ['with a character that is not base64', ofPasslib.replace('5XZU', '5X*U')],
    ['with parameters in another order', ofPasslib.replace('ln=10,r=8,p=2', 'r=8,ln=10,p=2')],
    ['with N = 1', ofPasslib.replace('ln=10', 'ln=0')],
    ['with N too large for r (RFC 7914 §2)', ofPasslib.replace('ln=10,r=8', 'ln=16,r=1')],
  ])('a hash %s is refused', (_, text) => {
    expect(() => parseScrypt(text)).toThrow(/^the scrypt hash is damaged or cut short/)
  })
})
