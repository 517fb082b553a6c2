/** Colours that can be read. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contrast, inkOn, isColour, readableOn } from '../../src/pages/colours.ts'

const colours = fc.integer({ min: 0, max: 0xffffff }).map((value) => `#${value.toString(16).padStart(6, '0')}`)

describe('colours', () => {
  it.each(['#fff', '#0aF', '#0a5fd1', '#ABCDEF'])('%s is one', (text) => {
    expect(isColour(text)).toBe(true)
  })

  it.each([
    '',
    '#',
    '#ff',
    '#ffff',
    '#fffff',
    '#fffffff',
    'fff',
    'red',
    '#ggg',
    'rgb(0,0,0)',
    '#fff;',
    ' #fff',
    '#fff\n',
  ])('%j is none', (text) => {
    expect(isColour(text)).toBe(false)
  })

  it('contrast as WCAG 2.2 counts it', () => {
    expect(contrast('#000', '#fff')).toBeCloseTo(21, 5)
    expect(contrast('#fff', '#ffffff')).toBe(1)
    expect(contrast('#767676', '#fff')).toBeCloseTo(4.54, 2)
    expect(contrast('#fff', '#767676')).toBeCloseTo(4.54, 2)
    expect(contrast('#0000ff', '#fff')).toBeCloseTo(8.59, 2)
  })

  it('ink is readable on any colour', () => {
    fc.assert(fc.property(colours, (colour) => contrast(inkOn(colour), colour) >= 4.5))
    expect(inkOn('#fff')).toBe('#000000')
    expect(inkOn('#123')).toBe('#ffffff')
  })

  it('any colour has a shade that is readable on any background', () => {
    fc.assert(
      fc.property(
        colours,
        colours,
        (colour, background) => contrast(readableOn(background, colour, 4.5), background) >= 4.5,
      ),
    )
  })

  it('a colour that is readable already stays as it is', () => {
    expect(readableOn('#ffffff', '#0a5fd1', 4.5)).toBe('#0a5fd1')
    expect(readableOn('#ffffff', '#ffd400', 4.5)).not.toBe('#ffd400')
  })
})
