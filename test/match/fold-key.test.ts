/** When two keys are one to somebody. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldKey } from '../../src/match/fold-key.ts'

describe('folded keys', () => {
  it.each([
    ['name', 'name'],
    ['Name', 'name'],
    ['PROTOCOL-version_1.2/x', 'protocol-version_1.2/x'],
    ['\u212aind', 'kind'],
    ['param\u017f', 'params'],
    ['\u0131d', 'id'],
    ['\u0130d', 'id'],
    ['stra\u00dfe', 'strasse'],
    ['\ufb01le', 'file'],
    ['\uff4e\uff41\uff4d\uff45', 'name'],
    ['name\0', 'name'],
    ['name\0.evil', 'name'],
    ['\0', ''],
    ['\tname ', 'name'],
    ['\ufeffname', 'name'],
    ['na\u200dme', 'name'],
    ['name\ud800', 'name'],
    ['name\u{e0001}', 'name'],
    ['na me', 'na me'],
  ])('%j is %j', (key, folded) => {
    expect(foldKey(key)).toBe(folded)
  })

  it('is the same for every text in upper and in lower case, composed and decomposed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (key) => {
        const folded = foldKey(key)
        for (const other of [
          key.toUpperCase(),
          key.toLowerCase(),
          key.normalize('NFD'),
          key.normalize('NFKC'),
          `${key}\0`,
        ]) {
          expect(foldKey(other)).toBe(folded)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('is the same for every character that JavaScript takes for another without regard to case', () => {
    // The `i` and `u` flags compare by simple case folding, which is what Go does with keys.
    for (let code = 1; code < 0x1_0000; code++) {
      if (code >= 0xd800 && code < 0xe000) continue
      const character = String.fromCodePoint(code)
      for (const other of [character.toLowerCase(), character.toUpperCase()]) {
        if ([...other].length !== 1 || other === character) continue
        if (!new RegExp(`^\\u{${code.toString(16)}}$`, 'iu').test(other)) continue
        if (foldKey(other) !== foldKey(character)) expect(foldKey(other), code.toString(16)).toBe(foldKey(character))
      }
    }
  })
})
