/**
 * Globs for claims and names: only `*` is special and matches any run of
 * characters (none, `/` and `.` included); everything else stands for itself.
 * micromatch compiles the literal parts; its own ideas of `*` (no leading dot, no
 * `..`) and of backslashes (a run is one) are not ours, so both are put in afterwards.
 */
import micromatch from 'micromatch'

/** Longest text that a glob is tried on, and longest glob. Longer texts do not match. */
export const MAX_GLOB_TEXT = 1024

/** RFC 5198-style text: no C0, DEL or C1 controls. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/
const MAX_STARS = 2
const SPECIAL_TO_MICROMATCH = /[$^.|?+()[\]{}!@#,"'`<>~&;:%=/-]/g
const LITERAL_ONLY = { dot: true, bash: true, noextglob: true, nonegate: true, nobrace: true } as const

/** What is wrong with a glob, or `undefined` when nothing is. */
export function globProblem(pattern: string): string | undefined {
  if (pattern.length > MAX_GLOB_TEXT) return `a pattern has at most ${MAX_GLOB_TEXT} characters`
  if (CONTROL.test(pattern)) return 'a pattern has no control characters'
  const stars = pattern.split('*').length - 1
  return stars > MAX_STARS ? `a pattern has at most ${MAX_STARS} stars, this one has ${stars}` : undefined
}

/** A function that tells whether a text matches; `pattern` must have passed {@link globProblem}. Case counts. */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (!pattern.includes('*')) return (text) => text === pattern
  const star = unusedWord('STAR', pattern)
  const backslash = unusedWord('BACKSLASH', pattern)
  const escaped = pattern.replaceAll('\\', backslash).replaceAll('*', star).replace(SPECIAL_TO_MICROMATCH, '\\$&')
  const literal = micromatch.makeRe(escaped, LITERAL_ONLY)
  if (!literal) throw new TypeError(`micromatch cannot compile ${JSON.stringify(pattern)}`)
  const [head, ...tail] = literal.source.replaceAll(backslash, '\\\\').split(star)
  // Between stars, the first place where a part fits is as good as any: captured in a lookahead, it is not tried again.
  const middle = tail.slice(0, -1).map((part, index) => `(?=([^]*?${part}))\\${index + 1}`)
  const expression = new RegExp(`${head}${middle.join('')}[^]*${tail.at(-1)}`)
  return (text) => text.length <= MAX_GLOB_TEXT && !CONTROL.test(text) && expression.test(text)
}

/** Letters to stand for a character while micromatch compiles, as nothing escapes or merges letters. */
function unusedWord(word: string, pattern: string): string {
  return pattern.includes(word) ? unusedWord(`${word}Q`, pattern) : word
}
