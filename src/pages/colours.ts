/**
 * Colours that can be read. A brand has one colour; what it is written in, and what
 * shade of it can be text itself, follow from the contrast that WCAG 2.2 asks for (§1.4.3, §1.4.11).
 */

/** `#rgb` or `#rrggbb`. */
const HEX = /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i

type Rgb = readonly [red: number, green: number, blue: number]

const BLACK = '#000000'
const WHITE = '#ffffff'

/** Whether `text` is a colour, `#rgb` or `#rrggbb`. */
export function isColour(text: string): boolean {
  return HEX.test(text)
}

/** Black or white, whichever is easier to read on `background`; at least 4.5:1 on any colour. */
export function inkOn(background: string): string {
  return contrast(WHITE, background) >= 4.5 || contrast(WHITE, background) > contrast(BLACK, background) ? WHITE : BLACK
}

/** The shade of `colour` nearest to it that has at least `ratio` to 1 against `background`, up to 4.5. */
export function readableOn(background: string, colour: string, ratio: number): string {
  const towards = contrast(WHITE, background) > contrast(BLACK, background) ? WHITE : BLACK
  for (let share = 0; share < 1; share += 0.02) {
    const shade = mixed(colour, towards, share)
    if (contrast(shade, background) >= ratio) return shade
  }
  return towards
}

/** WCAG 2.2, "contrast ratio": 1 (none) to 21 (black on white). */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

/** WCAG 2.2, "relative luminance". */
function luminance(colour: string): number {
  const [red, green, blue] = rgbOf(colour)
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

function linear(channel: number): number {
  const share = channel / 255
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
}

function mixed(colour: string, other: string, share: number): string {
  const there = rgbOf(other)
  const channels = rgbOf(colour).map((channel, index) => Math.round(channel + ((there[index] ?? 0) - channel) * share))
  return `#${channels.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`
}

function rgbOf(colour: string): Rgb {
  const digits = colour.slice(1)
  const long = digits.length === 3 ? digits.replaceAll(/./g, '$&$&') : digits
  const value = Number.parseInt(long, 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}
