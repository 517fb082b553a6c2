/** What may be in a header field. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fieldValueProblem, isFieldName } from '../../src/http/field.ts'

describe('isFieldName', () => {
  it.each(['authorization', 'X-Api-Key', 'x_api_key', "a!#$%&'*+-.^_`|~9", '0'])('takes %j', (name) => {
    expect(isFieldName(name)).toBe(true)
  })

  it.each([
    '',
    'x y',
    ' x',
    'x:',
    ':authority',
    'x\r\ny',
    'x\n',
    'x\0',
    'x(y)',
    '"x"',
    'é',
    'x\u212a',
    '__proto__',
    '-x',
  ])('refuses %j', (name) => {
    expect(isFieldName(name)).toBe(false)
  })
})

describe('fieldValueProblem', () => {
  it.each(['x', 'Bearer abc.def-_~+/=', '"quoted", and more', '~!'])('finds nothing wrong with %j', (value) => {
    expect(fieldValueProblem(value)).toBeUndefined()
  })

  it.each([
    ['', 'is empty'],
    ['a\r\nb', 'has a line break or NUL in it, which no header can have'],
    ['a\n', 'has a line break or NUL in it, which no header can have'],
    ['a\r', 'has a line break or NUL in it, which no header can have'],
    ['\0', 'has a line break or NUL in it, which no header can have'],
    ['a\tb', 'has characters in it that are neither visible ASCII nor spaces'],
    ['a\x7f', 'has characters in it that are neither visible ASCII nor spaces'],
    ['a\x85b', 'has characters in it that are neither visible ASCII nor spaces'],
    ['caf\u00e9', 'has characters in it that are neither visible ASCII nor spaces'],
    // Its low byte is a line feed: what writes strings as latin1 would end the field there.
    ['a\u010ab', 'has characters in it that are neither visible ASCII nor spaces'],
    ['\ud800', 'has characters in it that are neither visible ASCII nor spaces'],
    [' a', 'begins or ends with a space'],
    ['a ', 'begins or ends with a space'],
    [' ', 'begins or ends with a space'],
  ])('says what is wrong with %j', (value, problem) => {
    expect(fieldValueProblem(value)).toBe(problem)
  })

  it('takes what Headers gives back as it is, and nothing else in ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', minLength: 1 }), (value) => {
        const kept = /[\r\n\0]/.test(value) ? undefined : new Headers({ x: value }).get('x')
        const visible = /^[ -~]*$/.test(value)
        expect(fieldValueProblem(value) === undefined).toBe(visible && kept === value)
      }),
    )
  })
})
