import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parsePasswordHash } from '../../src/basic/password-hash.ts'
import { ConfigError } from '../../src/core/errors.ts'

const bcrypt = '$2y$04$BNEWI.X5iJ2hPL.QT1ke4eVr24hCvQXFTBNXlM26vpJYMziY5Cvhi'

describe('A5 the format of a hashed password', () => {
  it.each([
    ['bcrypt', bcrypt],
    ['scrypt', '$scrypt$ln=10,r=8,p=2$YEyJsdY6h7D2/t97rzVmrA$5XZUOyxiFRV0+AXemY6x1rWcE2syJLCIgD7ARbQsdSQ'],
    ['Argon2id', '$argon2id$v=19$m=1024,t=2,p=1$kbMs1GRNuVJAAfD4cuC70w$oaUVGVwgzoGbzo0urgfzNmY52zBL4z00nZF8FLJbW5Q'],
    ['Argon2i', '$argon2i$v=19$m=1024,t=3,p=2$TFMiuxLjJKdBu88VOdu3tA$KjDKmRUZWNYv7SfTxJ9w2IO+EMSy9fJeAPkVFfE6MAk'],
  ])('%s is known by its prefix', async (_, text) => {
    const hash = parsePasswordHash(text)
    await hash.load()
    expect(await hash.verify('pässwörd')).toBe(true)
    expect(await hash.verify('wrong')).toBe(false)
  })

  it.each([
    ['htpasswd -m', '$apr1$jHOx/JQq$UhGvjA1E44xbAADzgfWq3.', "Apache's MD5"],
    ['htpasswd -s', '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=', 'LDAP'],
    ['htpasswd -d', 'AjDfJzZTJ5Zj.', 'DES-crypt'],
    ['htpasswd -2', '$5$NbaKFftuuVvxzKfW$58Rb9KdfClL/OdV4vfVf6KkhJstb6dmNu/0yg6sYP32', 'SHA-256-crypt'],
    [
      'htpasswd -5',
      '$6$ifqha3H5/nzaiNUB$p8aXRPy05Hu15jUHW2xLGxrJFDNo8pKRMgONyTMmwiBwe4dQpCuRJEMY.nJQA/Xx0qii5Vag3uK1GmoB5cV0h/',
      'SHA-512-crypt',
    ],
    ['openssl passwd -1', '$1$1ig2oeqd$0ccEHtdUJVcjOhWYIZxyM1', 'MD5-crypt'],
    ['mkpasswd', '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7', 'yescrypt'],
    [
      'argon2 -d',
      '$argon2d$v=19$m=1024,t=3,p=2$AvD6pRoa0TE9aSLnwhW8eg$fYxtC88IuNCSXS4WHn8zW4938kJ/P6f7McaTcH5qtVI',
      'Argon2d',
    ],
    ['an old PHP', bcrypt.replace('$2y$', '$2x$'), 'broken implementation'],
    ['Django', '$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44', 'PBKDF2'],
  ])('a hash of %s is refused, saying what it is and what to do', (_, text, name) => {
    const parsing = () => parsePasswordHash(text)
    expect(parsing).toThrow(ConfigError)
    expect(parsing).toThrow(name)
    expect(parsing).toThrow('make a new one with `htpasswd -B`')
  })

  it.each(['', 'hunter2', 'correct horse battery staple', '$9$what', ` ${bcrypt}`])('%j is refused', (text) => {
    expect(() => parsePasswordHash(text)).toThrow(/^not a password hash/)
  })

  it('neither an error nor the hash itself shows the secret', () => {
    for (const text of ['hunter2', 'AjDfJzZTJ5Zj.', bcrypt.slice(0, -1)]) {
      try {
        parsePasswordHash(text)
        expect.unreachable()
      } catch (error) {
        expect(inspect(error)).not.toContain(text)
      }
    }
    expect(inspect(parsePasswordHash(bcrypt), { depth: 9, showHidden: true })).not.toContain('BNEWI')
  })
})
