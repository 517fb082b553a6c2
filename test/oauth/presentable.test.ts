/** Other people's texts in our errors. */
import { describe, expect, it } from 'vitest'
import { errorCode, presentableText, withoutSecrets } from '../../src/oauth/presentable.ts'

describe('A12 texts of other servers', () => {
  it('lose secrets, as they are and as they are in URLs and forms', () => {
    expect(withoutSecrets('a:b c and a%3Ab%20c or a%3Ab+c, twice a:b c', ['a:b c'])).toBe('… and … or …, twice …')
    expect(withoutSecrets('nothing in it', ['', 'x'])).toBe('nothing in it')
    expect(withoutSecrets('a lone surrogate', ['\ud800'])).toBe('a lone surrogate')
  })

  it('lose what looks like a token, and keep words, codes and URLs', () => {
    const kept =
      "AADSTS7000215: Invalid client secret provided. Ensure it's not expired, see https://login.example/errors/code?error=7000215"
    expect(presentableText(kept, [])).toBe(kept)
    expect(presentableText(`token ${'aB3_-'.repeat(9)}, sorry`, [])).toBe('token …, sorry')
  })

  it('are one line of ASCII, and not long', () => {
    expect(presentableText('a\r\nFAKE: b\u2028c\u0000d\x1b[31me ü', [])).toBe('a?FAKE: b?c?d?[31me ?')
    expect(presentableText('long '.repeat(1_000_000), []).length).toBe(301)
  })

  it('do not show half of a secret where they are cut', () => {
    for (let before = 270; before < 305; before++) {
      expect(presentableText(`${'- '.repeat(before / 2)}SECRET-SECRET`, ['SECRET-SECRET'])).not.toContain('SEC')
    }
  })
})

describe('A12 an error code (RFC 6749 §5.2)', () => {
  it.each(['invalid_grant', 'x', '!#[]~', 'https://idp.example/errors/7', 'x'.repeat(100)])('%s', (code) => {
    expect(errorCode(code)).toBe(code)
  })

  it.each(['', ' ', 'two words', 'a"b', 'a\\b', 'a\nb', 'ü', 'x'.repeat(101), 7, null, undefined, ['x'], {}])(
    '%j is none',
    (code) => {
      expect(errorCode(code)).toBeUndefined()
    },
  )

  it('is none if it repeats a secret', () => {
    expect(errorCode('no_such_CODE-1', ['CODE-1'])).toBeUndefined()
  })
})
