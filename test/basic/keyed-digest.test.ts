import { describe, expect, it } from 'vitest'
import { createKeyedDigest } from '../../src/basic/keyed-digest.ts'

describe('A5 digests of credentials', () => {
  const digestOf = createKeyedDigest()

  it('are equal for equal credentials only, wherever the name ends', () => {
    expect(digestOf('alice', 'secret')).toEqual(digestOf('alice', 'secret'))
    const different = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['', 'abc'],
      ['abc', ''],
      ['a\0b', 'c'],
      ['a', '\0bc'],
      ['a:b', 'c'],
      ['a', ':bc'],
      ['1:a', 'bc'],
      ['a', 'b:c'],
    ] as const
    expect(new Set(different.map(([name, password]) => digestOf(name, password).toString('hex'))).size).toBe(
      different.length,
    )
  })

  it('are under a key of their own', () => {
    expect(digestOf('alice', 'secret')).not.toEqual(createKeyedDigest()('alice', 'secret'))
  })
})
