import { describe, expect, it } from 'vitest'
import { compilePlaceGlobs } from '../../src/access/place-globs.ts'

const fits = (glob: string, text: string) => compilePlaceGlobs([glob])(text)

describe('G15 globs over places', () => {
  it.each([
    ['file:///public/*', 'file:///public/a'],
    ['file:///public/*', 'file:///public/a/b.txt'],
    ['file:///public/*', 'file:///public/...'],
    ['file:///public/*', 'file:///public/..a'],
    ['file:///public/*', 'file:///public/a..b'],
    ['file:///public/*', 'file:///public/a../b'],
    ['file:///public/*', 'file:///public/.a'],
    ['file:///public/*', 'file:///public/%2e'],
    ['*', 'file:///public/../secret'],
    ['**', '../secret'],
    ['file:///public/../b', 'file:///public/../b'],
    ['*.txt', 'a b..c.txt'],
  ])('%s matches %s', (glob, text) => {
    expect(fits(glob, text)).toBe(true)
  })

  it.each([
    ['file:///public/*', 'file:///public/../secret'],
    ['file:///public/*', 'file:///public/a/../../secret'],
    ['file:///public/*', 'file:///public/..'],
    ['file:///public/*', 'file:///public/..?x'],
    ['file:///public/*', 'file:///public/..#x'],
    ['file:///public/*', 'file:///public/..;x/secret'],
    ['file:///public/*', 'file:///public/..\\secret'],
    ['file:///public/*', 'file:///public/a\\..\\..\\secret'],
    ['file:///public/*', 'file:///public/%2e%2e/secret'],
    ['file:///public/*', 'file:///public/.%2E/secret'],
    ['file:///public/*', 'file:///public/%252e%252e/secret'],
    ['file:///public/*', 'file:///public/..%2fsecret'],
    ['file:///public*', 'file:///public%2f..%2fsecret'],
    ['file:///public/*', 'file:///public/a%5c..%5csecret'],
    ['file:///public/*', 'file:///public/..%00'],
    ['file:///public/*', 'file:///public/.\t./secret'],
    ['file:///public/*', 'file:///public/.\n./secret'],
    ['pub*', '../pub'],
    ['pub*', 'pub?path=../x'],
    ['*/public', '../public'],
    ['file:///public/a', 'file:///public/b'],
    ['file:///public/*', 'FILE:///public/a'],
  ])('%s does not match %j', (glob, text) => {
    expect(fits(glob, text)).toBe(false)
  })

  it('any of several is enough, none is not', () => {
    expect(compilePlaceGlobs(['a', 'b*'])('bc')).toBe(true)
    expect(compilePlaceGlobs(['a', 'b*'])('c')).toBe(false)
    expect(compilePlaceGlobs([])('')).toBe(false)
  })
})
