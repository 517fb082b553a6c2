/** Texts that try to become markup. */
import fc from 'fast-check'

const PIECES = [
  ...'<>"\'&/=`\\\0\n\t ',
  '<!--',
  '-->',
  '<script>',
  '</script>',
  '</style>',
  '</title>',
  '<img src=x onerror=alert(1)>',
  '" onfocus="alert(1)',
  '&lt;',
  '&#60;',
  '&quot',
  'javascript:',
  '<![CDATA[',
  ']]>',
  '${',
  '\u202e',
  '\ud800',
  '\u2028',
]

/** Any text, with a leaning towards what has a meaning in HTML. */
export const hostileText = fc.string({
  unit: fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...PIECES) }, fc.string({ unit: 'binary', maxLength: 3 })),
})

/** One of each at once, for tests with a single try. */
export const WORST = `">'><script>alert(1)</script><img src=x onerror=alert(1)> &lt; javascript:alert(1) --> </title></style>`

/** A page without anything that a value can stand in: its tags and the names of their attributes. */
export function skeleton(markup: string): string[] {
  return (markup.match(/<[^>]*>/g) ?? []).map((tag) => tag.replaceAll(/="[^"]*"/g, '='))
}

/** What a browser makes of escaped text. */
export function unescaped(text: string): string {
  const characters: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return text.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => characters[name] ?? '')
}
