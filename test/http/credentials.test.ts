/** The bearer token of an Authorization field. */
import { describe, expect, it } from 'vitest'
import { bearerToken } from '../../src/http/credentials.ts'

describe('A11 the bearer token', () => {
  it.each([
    ['the usual spelling', 'Bearer abc', 'abc'],
    ['small letters', 'bearer abc', 'abc'],
    ['capitals', 'BEARER abc', 'abc'],
    ['several spaces', 'Bearer   abc', 'abc'],
    ['something behind it, which the verifier refuses', 'Bearer abc def', 'abc def'],
    ['two of them, which the verifier refuses', 'Bearer abc, Bearer def', 'abc, Bearer def'],
    ['no token', 'Bearer', ''],
    ['no token but a space', 'Bearer ', ''],
    ['no token but spaces', 'Bearer    ', ''],
    ['a tab in the token', 'Bearer \tabc', '\tabc'],
  ])('%s', (_, field, token) => {
    expect(bearerToken(field)).toBe(token)
  })

  it.each([
    ['no field', undefined],
    ['an empty field', ''],
    ['another scheme', 'Basic abc'],
    ['a scheme that begins like it', 'Bearers abc'],
    ['no space', 'Bearerabc'],
    ['a tab for the space', 'Bearer\tabc'],
    ['a no-break space', 'Bearer\u00a0abc'],
    ['a space in front', ' Bearer abc'],
    ['a scheme with a look-alike letter', 'B\u0435arer abc'],
    ['a second scheme', 'Basic abc, Bearer def'],
  ])('is not there with %s', (_, field) => {
    expect(bearerToken(field)).toBeUndefined()
  })
})
