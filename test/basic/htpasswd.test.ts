import { describe, expect, it } from 'vitest'
import { parseHtpasswd } from '../../src/basic/htpasswd.ts'
import { ConfigError } from '../../src/core/errors.ts'

const bcrypt = '$2y$04$BNEWI.X5iJ2hPL.QT1ke4eVr24hCvQXFTBNXlM26vpJYMziY5Cvhi'
const scrypt = '$scrypt$ln=10,r=8,p=2$YEyJsdY6h7D2/t97rzVmrA$5XZUOyxiFRV0+AXemY6x1rWcE2syJLCIgD7ARbQsdSQ'

function problemsOf(text: string) {
  try {
    parseHtpasswd(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('A5 htpasswd files', () => {
  it('reads users in order, past comments, empty lines and spaces', async () => {
    const users = parseHtpasswd(`# staff\n\nalice:${bcrypt}\n   # indented\n  bob:${scrypt}  \n\t\n`)
    expect(users.map(({ username }) => username)).toEqual(['alice', 'bob'])
    for (const { hash } of users) {
      expect(await hash.verify('pässwörd')).toBe(true)
      expect(await hash.verify('wrong')).toBe(false)
    }
  })

  it('reads files of Windows: CRLF and a byte order mark', () => {
    const users = parseHtpasswd(`\uFEFFalice:${bcrypt}\r\nbob:${bcrypt}\r\n`)
    expect(users.map(({ username }) => username)).toEqual(['alice', 'bob'])
  })

  it('puts user names in normal form C', () => {
    expect(parseHtpasswd(`rene\u0301:${bcrypt}`)[0]?.username).toBe('ren\u00e9')
  })

  it('lists every bad line with its number', () => {
    const text = [
      '# comment',
      `alice:${bcrypt}`,
      'just a password',
      'bob:$apr1$jHOx/JQq$UhGvjA1E44xbAADzgfWq3.',
      `:${bcrypt}`,
      `alice:${scrypt}`,
      `c\u0007:${bcrypt}`,
      `carol:${bcrypt.slice(0, -3)}`,
      `dave:${bcrypt}:a comment`,
      'bob:AjDfJzZTJ5Zj.',
    ].join('\n')
    expect(problemsOf(text)).toEqual([
      { path: 'line 3', message: 'expected user:hash' },
      { path: 'line 4', message: expect.stringContaining('$apr1$') },
      { path: 'line 5', message: 'no user name before the colon' },
      { path: 'line 6', message: 'the user "alice" is already on line 2' },
      { path: 'line 7', message: expect.stringContaining('control character') },
      { path: 'line 8', message: expect.stringContaining('cut short') },
      { path: 'line 9', message: expect.stringContaining('damaged') },
      { path: 'line 10', message: 'the user "bob" is already on line 4' },
    ])
  })

  it('takes two spellings of one name for the same user', () => {
    expect(problemsOf(`rene\u0301:${bcrypt}\nren\u00e9:${bcrypt}`)).toEqual([
      { path: 'line 2', message: 'the user "ren\u00e9" is already on line 1' },
    ])
  })

  it.each(['', '\n\n', '# nobody yet\n'])('a file without users is refused: %j', (text) => {
    expect(problemsOf(text)).toEqual([{ path: '', message: 'the htpasswd file has no users' }])
  })
})
