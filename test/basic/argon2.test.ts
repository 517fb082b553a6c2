/** Argon2 hashes made by Python's argon2-cffi and the reference command `argon2`, checked by Node and by the package. */
import * as crypto from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Argon2Sources, installedArgon2, parseArgon2, type RuntimeArgon2 } from '../../src/basic/argon2.ts'
import { ConfigError, DependencyError } from '../../src/core/errors.ts'
import { importInstalled } from '../../src/core/optional-package.ts'

const ofCffi = '$argon2id$v=19$m=1024,t=2,p=1$kbMs1GRNuVJAAfD4cuC70w$oaUVGVwgzoGbzo0urgfzNmY52zBL4z00nZF8FLJbW5Q'
const vectors = [
  ['argon2id of argon2-cffi', ofCffi],
  [
    'argon2i of argon2-cffi, two lanes',
    '$argon2i$v=19$m=1024,t=3,p=2$TFMiuxLjJKdBu88VOdu3tA$KjDKmRUZWNYv7SfTxJ9w2IO+EMSy9fJeAPkVFfE6MAk',
  ],
  [
    'argon2id of the reference command',
    '$argon2id$v=19$m=256,t=2,p=1$c2FsdHNhbHQ$qrDw5EnqCNv8dotxJ0w/SJGb6OeUasNxZQ99L5cQ55Y',
  ],
] as const

const noPackages = async (name: string) => {
  throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })
}
const broken: RuntimeArgon2 = () => {
  throw new Error('Argon2 is not supported by this OpenSSL')
}

const ways: [string, boolean, Argon2Sources][] = [
  ['as installed', false, installedArgon2],
  ['by node:crypto alone', !('argon2' in crypto), { ...installedArgon2, importPackage: noPackages }],
  ['by the package "argon2" alone', false, { runtime: undefined, importPackage: importInstalled }],
  ['by the package where the OpenSSL of Node has none', false, { runtime: broken, importPackage: importInstalled }],
]

describe('A5 Argon2', () => {
  for (const [way, missing, sources] of ways) {
    it.skipIf(missing).each(vectors)(`${way}: %s is right for its password and for no other`, async (_, text) => {
      const hash = parseArgon2(text, sources)
      await hash.load()
      expect(await hash.verify('pässwörd')).toBe(true)
      expect(await hash.verify('passwörd')).toBe(false)
      expect(await hash.verify('')).toBe(false)
      expect(await hash.verify('x'.repeat(12_000))).toBe(false)
    })
  }

  it('a missing package is an error of load() that names both', async () => {
    const hash = parseArgon2(ofCffi, { runtime: undefined, importPackage: noPackages })
    await expect(hash.load()).rejects.toThrow(DependencyError)
    await expect(hash.load()).rejects.toThrow('`npm install argon2` or `npm install @node-rs/argon2`')
  })

  it('a failure of node:crypto rejects, for it says nothing about the password', async () => {
    let calls = 0
    const failing: RuntimeArgon2 = (_algorithm, { tagLength }, callback) =>
      callback(++calls > 1 ? new Error('out of memory') : null, new Uint8Array(tagLength))
    const hash = parseArgon2(ofCffi, { runtime: failing, importPackage: noPackages })
    await expect(hash.verify('pässwörd')).rejects.toThrow('out of memory')
  })

  it.each(['m=1048577,t=1,p=1', 'm=1048576,t=5,p=1', 'm=9999999999,t=1,p=1', 'm=1024,t=9999999999,p=1'])(
    '%s is refused',
    (cost) => {
      const text = ofCffi.replace('m=1024,t=2,p=1', cost)
      expect(() => parseArgon2(text)).toThrow(ConfigError)
      expect(() => parseArgon2(text)).toThrow(/make a new hash at a lower cost/)
    },
  )

  it.each([
    ['cut short', ofCffi.slice(0, 60)],
    ['with less than 8 KiB a lane', ofCffi.replace('m=1024,t=2,p=1', 'm=15,t=2,p=2')],
    ['with padding', `${ofCffi}=`],
    ['with a key id, which we do not have', ofCffi.replace('p=1', 'p=1,keyid=Zm9v')],
  ])('a hash %s is refused', (_, text) => {
    expect(() => parseArgon2(text)).toThrow(/^the Argon2 hash is damaged or cut short/)
  })

  it.each([
    ['v=16', '$argon2id$v=16$m=256,t=2,p=1$c2FsdHNhbHQ$Ey90ps9OqUxlol8Np/+k6zKk+0XkFiTIlYEiGUIPaus'],
    ['none, which means v=16', ofCffi.replace('v=19$', '')],
  ])('version %s is refused', (_, text) => {
    expect(() => parseArgon2(text)).toThrow('of a version before 1.3 (v=19)')
  })
})
