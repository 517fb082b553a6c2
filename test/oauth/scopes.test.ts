/** Scopes as answers have them (RFC 6749 §3.3). */
import { expect, it } from 'vitest'
import { splitScope } from '../../src/oauth/scopes.ts'

it.each<[string, readonly string[], readonly string[]]>([
  ['repo gist', ['repo'], ['repo', 'gist']],
  ['repo,gist', ['repo'], ['repo', 'gist']],
  ['repo, gist,,user ', [], ['repo', 'gist', 'user']],
  ['', ['repo'], []],
  // A server whose scopes have commas in them.
  ['read,write admin', ['read,write'], ['read,write', 'admin']],
])('%j, where %j was asked for, is %j', (scope, asked, expected) => {
  expect(splitScope(scope, asked)).toEqual(expected)
})
