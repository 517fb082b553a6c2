/** Header fields (RFC 9110 §5): what may be a name, and what may be a value, so that nothing can end a field or begin another. */

/** A token (RFC 9110 §5.6.2) that begins with a letter or digit. */
const NAME = /^[A-Za-z\d][!#$%&'*+.^_`|~\w-]*$/

/**
 * Whether a text can be the name of a field (RFC 9110 §5.1). Stricter than a token: it begins with a letter or digit, as all
 * names in use do, which keeps out pseudo-headers and `__proto__`.
 */
export function isFieldName(text: string): boolean {
  return NAME.test(text)
}

/**
 * Why a text cannot be the value of a field as it is, or `undefined` where it can; never repeats it. Stricter than RFC 9110
 * §5.5: visible ASCII and spaces only, since parsers differ on everything else.
 */
export function fieldValueProblem(text: string): string | undefined {
  if (text === '') return 'is empty'
  if (/[\r\n\0]/.test(text)) return 'has a line break or NUL in it, which no header can have'
  if (/[^ -~]/.test(text)) return 'has characters in it that are neither visible ASCII nor spaces'
  // Parsers take that away, so that what arrives would be another value.
  return text.startsWith(' ') || text.endsWith(' ') ? 'begins or ends with a space' : undefined
}
