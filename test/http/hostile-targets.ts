/** Request targets as an attacker would write them, for property tests. */
import fc from 'fast-check'

/** Spellings of one character: itself, another case, percent-encoded once or twice, or a look-alike that folds to it. */
function spelled(char: string): fc.Arbitrary<string> {
  const octets = [...Buffer.from(char)].map((octet) => octet.toString(16).padStart(2, '0'))
  const encoded = octets.map((octet) => `%${octet}`).join('')
  const others = [
    encoded,
    encoded.toUpperCase(),
    encoded.replaceAll('%', '%25'),
    char.toUpperCase(),
    encodeURI(char.toUpperCase()),
    encodeURI(char),
    ...(LOOK_ALIKES[char] ?? []).map((other) => encodeURIComponent(other)),
  ]
  const plain = /^[\x20-\x7e]$/.test(char) ? char : encodeURI(char)
  return fc.oneof({ weight: 12, arbitrary: fc.constant(plain) }, { weight: 1, arbitrary: fc.constantFrom(...others) })
}

/** Letters that some fold to ASCII, full-width forms, and letters that differ only in normal form. */
const LOOK_ALIKES: Record<string, string[]> = {
  k: ['\u212a', '\uff4b'],
  s: ['\u017f', '\uff53'],
  i: ['\u0130', '\u0131'],
  a: ['\uff41', '\u00e0'],
  n: ['\uff2e'],
  '\u00e9': ['\u00c9', 'e\u0301', '\ufffd'],
  '\u00df': ['\u1e9e', 'ss'],
  '/': ['\u2215', '\uff0f'],
}

/** What stands between, in front of and behind segments. */
const JOINTS = [
  ...[
    '//',
    '///',
    '/./',
    '/../',
    '/.../',
    '/%2e/',
    '/%2E%2e/',
    '/.%2e/',
    '/%2e./',
    '/..;/',
    '/.;x/',
    '/..%3b/',
    '/..//',
    '/..%00/',
  ],
  ...[
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '/\\',
    '%252f',
    ';',
    ';/',
    ';x=1/',
    '%3b',
    '%3B/',
    ';/../',
    ',/',
    '%20/',
    '/%20',
    '%09/',
  ],
  ...[
    '?',
    '%3f',
    '?/../',
    '#',
    '%23',
    '#/',
    '%00',
    '%0a',
    '\t',
    ' ',
    '/%c0%af',
    '%c0%ae/',
    '/%zz/',
    '/%',
    '%25',
    '/%u002e',
    '/*/',
    '@',
    ':',
  ],
  ...[
    '/{',
    '/|',
    '^/',
    '`',
    '"/',
    "'",
    '/[',
    ']',
    '/~',
    '/$',
    '&',
    '!/',
    '(x)',
    '%7c',
    '%7B',
    '%5B/',
    '%5e',
    '%22',
    '%27',
    '%21',
    '%c3%a9',
    '\u00e9',
    '\u00a0',
  ],
]
const STARTS = [
  '/',
  '/',
  '/',
  '/',
  '//',
  '///',
  '////',
  '/./',
  '/../',
  '/;/',
  '//h/',
  '//x/',
  '///x/',
  '//x;/',
  '//a@b/',
  '//a@b:80/',
  '//x?/',
  '/\\',
  '/%2f',
  '/.//',
  '/%2e%2e/',
]
const ABSOLUTE = [
  'http://h/',
  'HTTP://h/',
  'https://h/',
  'http://h//',
  'http://h//x/',
  'http:///',
  'http:////x/',
  'http:///x/',
  'http://h?/',
  'http://h?x=/',
  'http://h#/',
  'http://h;/',
  'http://u@h/',
  'http://h:80/',
  'http://h',
  'http://H/',
  'http:/',
  'ws://h/',
  '*',
  'h:80',
  '',
]
const ENDS = [
  '',
  '',
  '',
  '',
  '/',
  '//',
  '/.',
  '/..',
  '/../',
  '/%2e%2e',
  '/%2e',
  '/../..',
  '/x/../..',
  '.',
  '..',
  ';',
  ';x',
  '%3b',
  '?',
  '?a=b',
  '?#',
  '?a=b#/c',
  '#',
  '%23',
  '?\u00a0',
  '?\u00e9',
  '/*',
  '%20',
  '%0a',
  '%',
]

/** Targets around the given words, which are segments of the routes under attack. */
export function hostileTargets(words: readonly string[]): fc.Arbitrary<string> {
  const word = fc
    .constantFrom(...words, ...words, ...words, 'x', 'app', '')
    .chain((text) => fc.tuple(...[...text].map(spelled)).map((chars) => chars.join('')))
  const joint = fc.oneof(
    { weight: 3, arbitrary: fc.constant('/') },
    { weight: 2, arbitrary: fc.constantFrom(...JOINTS) },
  )
  const start = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...STARTS) },
    { weight: 1, arbitrary: fc.constantFrom(...ABSOLUTE) },
  )
  const middle = fc.array(fc.tuple(word, joint), { maxLength: 4 }).map((parts) => parts.flat().join(''))
  return fc.tuple(start, middle, word, fc.constantFrom(...ENDS)).map((parts) => parts.join(''))
}
