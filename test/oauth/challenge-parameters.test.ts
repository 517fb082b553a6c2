/** Challenges of other people's servers, as they are meant and as they come. */
import { describe, expect, it } from 'vitest'
import { readBearerChallenge } from '../../src/oauth/challenge-parameters.ts'
import { cpuMs } from '../support/cpu-time.ts'

const nothing = { error: undefined, resourceMetadata: undefined, scopes: undefined }
const url = 'https://a.example.com/.well-known/oauth-protected-resource/mcp?a=b,c'

describe('a Bearer challenge', () => {
  it.each<[string, object]>([
    ['Bearer', nothing],
    ['bearer realm="x"', nothing],
    [`Bearer resource_metadata="${url}"`, { ...nothing, resourceMetadata: url }],
    [
      'Bearer resource_metadata=https://a.example.com/m, scope=a',
      {
        ...nothing,
        resourceMetadata: 'https://a.example.com/m',
        scopes: ['a'],
      },
    ],
    [
      'Bearer error = "insufficient_scope" , SCOPE="a b  a"',
      { ...nothing, error: 'insufficient_scope', scopes: ['a', 'b'] },
    ],
    ['Basic realm="Bearer resource_metadata=\\"x\\"", Bearer scope="a"', { ...nothing, scopes: ['a'] }],
    ['Negotiate abc123==, Bearer error="invalid_token"', { ...nothing, error: 'invalid_token' }],
    ['Bearer error="a", Bearer error="b", scope="c"', { ...nothing, error: 'a' }],
    ['Bearer error="a", error="b"', { ...nothing, error: 'a' }],
    ['Bearer error="a", DPoP algs="x", scope="no"', { ...nothing, error: 'a' }],
    ['Bearer scope="\\"é a"', { ...nothing, scopes: ['a'] }],
    ['Bearer error="a", resource_metadata="unclosed', { ...nothing, error: 'a' }],
  ])('%s', (field, expected) => {
    expect(readBearerChallenge(field)).toEqual(expected)
  })

  it.each([undefined, '', 'Basic realm="x"', 'Bearerx a="b"', '"Bearer"', ', ,', 'realm="Bearer"'])(
    'none in %j',
    (field) => {
      expect(readBearerChallenge(field)).toBeUndefined()
    },
  )

  it.each(['"', '\\', ',', 'a=', ' ', 'Bearer ', 'a="\\'])('takes no long time for many of %j', (piece) => {
    const ms = cpuMs(() => {
      readBearerChallenge(`Bearer x="${piece.repeat(100_000)}`)
      readBearerChallenge(piece.repeat(100_000))
    })
    expect(ms).toBeLessThan(500)
  })
})
