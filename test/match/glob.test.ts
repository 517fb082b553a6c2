/** Globs against a matcher that is too simple to be wrong. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob, globProblem, MAX_GLOB_TEXT } from '../../src/match/glob.ts'
import { cpuMs } from '../support/cpu-time.ts'

/** Whether `text` matches, by trying every length that a star can have. */
function matches(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return text === pattern
  if (!text.startsWith(head)) return false
  const remaining = text.slice(head.length)
  const tail = rest.join('*')
  for (let skipped = 0; skipped <= remaining.length; skipped++) {
    if (rest.length === 1 ? remaining.slice(skipped) === tail : matches(tail, remaining.slice(skipped))) return true
  }
  return false
}

const fits = (pattern: string, text: string) => compileGlob(pattern)(text)

describe('A10 a star matches any run of characters', () => {
  it.each([
    ['*@example.com', 'alice@example.com'],
    ['*@example.com', '@example.com'],
    ['*@example.com', '.hidden@example.com'],
    ['*@example.com', 'a/b@example.com'],
    ['*@example.com', 'a@example.com@example.com'],
    ['dev-*', 'dev-'],
    ['dev-*', 'dev-a/b/../c'],
    ['*', ''],
    ['*', '.'],
    ['*', '..'],
    ['*', './..'],
    ['*', 'a b\u2028c\u2029\u00a0\ufeff'],
    ['**', ''],
    ['**', 'a/b'],
    ['a**b', 'ab'],
    ['*a*', 'a'],
    ['*ab*ab', 'abab'],
    ['a*b*c', 'a*b*c'],
    ['*', '\ud800'],
    ['\ud83d*', '\ud83d\udd11'],
    ['./*', './a'],
    ['*/', 'a/'],
    ['//*', '//a'],
    ['STAR*', 'STARx'],
    ['STA*R', 'STAR'],
    ['S*TAR', 'SxTAR'],
    ['STARQ*STAR', 'STARQSTAR'],
    ['\\*BACKSLASH*', '\\BACKSLASH'],
    ['$&*$1', '$&$1'],
  ])('%j matches %j', (pattern, text) => {
    expect(fits(pattern, text)).toBe(true)
  })

  it.each([
    ['*@example.com', 'alice@example.com.evil'],
    ['*@example.com', 'alice@EXAMPLE.com'],
    ['*@example.com', 'alice@examplexcom'],
    ['*@example.com', 'alice@example.com\n'],
    ['dev-*', 'xdev-a'],
    ['a*a', 'a'],
    ['*ab*ab', 'xab'],
    ['*aba*', 'ab'],
    ['ab*ba', 'aba'],
    ['example', 'example.com'],
    ['', 'a'],
    ['é*', 'e\u0301'],
  ])('%j does not match %j', (pattern, text) => {
    expect(fits(pattern, text)).toBe(false)
  })
})

describe('A10 everything else stands for itself', () => {
  it.each([
    ['*@(corp|sub).com', 'x@(corp|sub).com', ['x@corp.com', 'johncorp.com', 'x@sub.com', '@(corp|sub)xcom']],
    ['(a+)+$*', '(a+)+$', ['a', 'aaaa', '(aa)+$']],
    ['!x*', '!x', ['y', 'x', '']],
    ['!(x)*', '!(x)', ['y', '']],
    ['{a,b}*', '{a,b}', ['a', 'b']],
    ['{1..3}*', '{1..3}', ['1', '2']],
    ['[a-z]*', '[a-z]', ['a', 'q', '']],
    ['[!a]*', '[!a]', ['b']],
    ['[[:alpha:]]*', '[[:alpha:]]', ['a']],
    ['\\*', '\\x', ['x', '*']],
    ['\\\\*', '\\\\x', ['\\x', 'x']],
    ['*\\', 'x\\', ['x', 'x\\y']],
    ['?*', '?x', ['x', 'xx']],
    ['+(a)*', '+(a)', ['a', 'aa']],
    ['@(a)*', '@(a)', ['a']],
    ['a.b*', 'a.b', ['axb']],
    ['^a*$', '^a$', ['a']],
    ['a|b*', 'a|b', ['a', 'b']],
    ['#a*', '#a', ['a']],
    ['"a"*', '"a"', ['a']],
    ["'a'*", "'a'", ['a']],
    ['~*', '~', ['/root']],
    ['$HOME*', '$HOME', ['']],
    ['%41*', '%41', ['A']],
    ['\\d*', '\\d', ['1', 'd']],
    ['\\u0041*', '\\u0041', ['A']],
    ['<a>*', '<a>', ['a']],
    ['(?:a)*', '(?:a)', ['a']],
    ['(?!a)*', '(?!a)', ['b', '']],
    ['a{2}*', 'a{2}', ['aa']],
  ])('%j matches %j and none of %j', (pattern, same, others) => {
    expect(fits(pattern, same)).toBe(true)
    for (const other of others) expect(fits(pattern, other)).toBe(false)
  })

  it.each(['!x', '(a+)+$', '{a,b}', '[a-z]', '?', 'a.b', '\\', '@(a|b)', ''])(
    '%j without a star is that very text',
    (pattern) => {
      expect(fits(pattern, pattern)).toBe(true)
      for (const other of ['', 'a', 'x', 'aaa', 'axb', '\\\\', 'b'])
        if (other !== pattern) expect(fits(pattern, other)).toBe(false)
    },
  )
})

describe('A10 what a pattern may be', () => {
  it.each(['', '*', '**', 'a*b*c', 'x'.repeat(MAX_GLOB_TEXT), '\u00a0', '\ud800', '\u2028'])('takes %j', (pattern) => {
    expect(globProblem(pattern)).toBeUndefined()
  })

  it.each([
    ['three stars', '***', 'this one has 3'],
    ['six stars', '*a*a*a*a*a*a', 'this one has 6'],
    ['1,025 characters', 'x'.repeat(MAX_GLOB_TEXT + 1), 'at most 1024'],
    ['NUL', 'a\0', 'control'],
    ['a line break', 'a\nb', 'control'],
    ['a tab', '\t', 'control'],
    ['DEL', '\x7f', 'control'],
    ['a C1 control character', '\x85', 'control'],
  ])('refuses %s', (_, pattern, reason) => {
    expect(globProblem(pattern)).toContain(reason)
  })

  it('no pattern with a star matches a text that is longer than 1,024 characters, or has control characters', () => {
    expect(fits('*', 'x'.repeat(MAX_GLOB_TEXT))).toBe(true)
    expect(fits('*', 'x'.repeat(MAX_GLOB_TEXT + 1))).toBe(false)
    for (const control of ['\0', '\t', '\n', '\r', '\x1f', '\x7f', '\x80', '\x9f'])
      expect(fits('*', `a${control}b`)).toBe(false)
  })
})

describe('A10 properties of globs', () => {
  const few = fc.constantFrom(
    'a',
    'b',
    'ab',
    '*',
    'S',
    'STAR',
    'Q',
    'BACKSLASH',
    '\\',
    '.',
    '/',
    '..',
    '!',
    '(',
    ')',
    '|',
    '[',
    ']',
    '{',
    '}',
    ',',
    '+',
    '?',
    '@',
    '$',
    '^',
    '-',
    '\u00e9',
    '\ud83d',
    '\udd11',
    ' ',
  )
  const pattern = fc
    .oneof(
      fc.array(few, { maxLength: 10 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
    )
    .filter((text) => globProblem(text) === undefined)

  it('any pattern matches any text exactly where the simple matcher says so', () => {
    const text = fc.oneof(
      fc.array(few, { maxLength: 12 }).map((parts) => parts.join('')),
      fc.string({ unit: 'grapheme' }),
    )
    fc.assert(
      fc.property(
        pattern,
        text.filter((each) => globProblem(each.replaceAll('*', '')) === undefined),
        (glob, each) => {
          expect(fits(glob, each)).toBe(matches(glob, each))
        },
      ),
      { numRuns: 5000 },
    )
  })

  it('a pattern matches every text that fills its stars', () => {
    const filling = fc.array(few, { maxLength: 6 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(pattern, filling, filling, (glob, first, second) => {
        const fillings = [first, second]
        expect(
          fits(
            glob,
            glob.replace(/\*/g, () => fillings.pop() ?? ''),
          ),
        ).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  it('takes no long time for any pattern and text of the longest kind', () => {
    const unit = fc.constantFrom('a', 'ab', 'aab', 'aaab')
    const part = fc
      .tuple(unit, fc.nat(300), fc.constantFrom('', 'b', 'c'))
      .map(([text, count, end]) => text.repeat(count).slice(0, count) + end)
    const texts = [
      'a'.repeat(1023),
      `${'a'.repeat(1022)}b`,
      `${'a'.repeat(250)}b`.repeat(4),
      'ab'.repeat(512),
      `${'a'.repeat(100)}bc`.repeat(10),
    ]
    let slowest = 0
    fc.assert(
      fc.property(fc.tuple(part, part, part), (parts) => {
        const glob = compileGlob(parts.join('*').slice(0, MAX_GLOB_TEXT))
        for (const text of texts) {
          slowest = Math.max(
            slowest,
            cpuMs(() => glob(text)),
          )
        }
      }),
      { numRuns: 300 },
    )
    // About one millisecond; a matcher that tries every place for every star takes twenty and more.
    expect(slowest).toBeLessThan(1000)
  })
})
