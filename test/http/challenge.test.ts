/** WWW-Authenticate. */
import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { challenge } from '../../src/http/challenge.ts'

describe('A5 A11 challenges', () => {
  it('is the scheme alone without parameters', () => {
    expect(challenge('Bearer')).toBe('Bearer')
    expect(challenge('Bearer', { error: undefined })).toBe('Bearer')
  })

  it('has parameters in order, as quoted strings', () => {
    expect(challenge('Basic', { realm: 'a "b" \\c', charset: 'UTF-8' })).toBe(
      'Basic realm="a \\"b\\" \\\\c", charset="UTF-8"',
    )
    expect(challenge('Bearer', { realm: 'r', error: undefined, scope: 'x y' })).toBe('Bearer realm="r", scope="x y"')
    expect(challenge('Bearer', { realm: '' })).toBe('Bearer realm=""')
  })

  it('whatever the text, is one header line with one quoted string that has it, but for what a header cannot carry', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = challenge('Basic', { realm: text })
        validateHeaderValue('www-authenticate', line)
        const [, quoted = ''] = /^Basic realm="((?:[^"\\]|\\.)*)"$/.exec(line) ?? ['', undefined]
        expect(quoted.replace(/\\(.)/g, '$1')).toBe(text.replace(/[^\x20-\x7e]/g, '?'))
      }),
    )
  })
})
