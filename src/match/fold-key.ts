/**
 * When two keys of an object could be one to somebody: Go and .NET match without
 * regard to case, C ends a text at NUL, some drop what cannot be seen. A message
 * with two such keys says one thing to us and another to the server behind us.
 */

/** Keys that need no thought: visible ASCII. Upper case is put down by the caller. */
const ASCII = /^[!-~]*$/
/** Controls, formatting, what is not drawn at all, and half surrogate pairs, which many decoders replace or drop. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\ufffd]/gu
/** Left behind by the lower case of `İ`. */
const DOT_ABOVE = /i\u0307/g

/**
 * The same for keys that a reader could take for one another: simple and full case folding (U+212A is `k`, U+017F is
 * `s`, dotted and dotless `i`), compatibility forms, the end at a NUL, spaces around it, and characters that do not show.
 */
export function foldKey(key: string): string {
  if (isPlainKey(key)) return key.toLowerCase()
  const end = key.indexOf('\0')
  return (
    (end === -1 ? key : key.slice(0, end))
      .normalize('NFKC')
      .replace(UNSEEN, '')
      .trim()
      // By way of upper case, which takes ſ to S and ı to I; and before that lower case, since ẞ has no upper one.
      .toLowerCase()
      .toUpperCase()
      .toLowerCase()
      .replace(DOT_ABOVE, 'i')
      .normalize('NFKC')
  )
}

/** Whether a key is folded by putting it in lower case, which takes no longer than reading it. */
export function isPlainKey(key: string): boolean {
  return ASCII.test(key)
}
