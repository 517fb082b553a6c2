/** Scopes in plain words. */
import { expect, test } from 'vitest'
import { scopeWords } from '../../src/pages/scope-words.ts'

test('well-known ones have words, others none, whatever they are called', () => {
  expect(scopeWords('repo')).toBe('Read and change your repositories, private ones too')
  expect(scopeWords('https://www.googleapis.com/auth/gmail.readonly')).toBe('Read your mail')
  expect(scopeWords('https://graph.microsoft.com/Mail.Read')).toBe(scopeWords('Mail.Read'))
  for (const scope of ['orders:read', '', 'constructor', '__proto__', 'REPO', 'toString']) {
    expect([scope, scopeWords(scope)]).toEqual([scope, undefined])
  }
})
