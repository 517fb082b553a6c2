/** Reading the `Cookie` field (RFC 6265 §5.4). */

/**
 * The value of the cookie `name`.
 *
 * @returns `undefined` when it is absent, and also when it comes twice with different values: a sibling
 *   subdomain can set a second cookie of the same name, and nothing tells which is ours.
 */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined
  let found: string | undefined
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals === -1 || trimmed(pair.slice(0, equals)) !== name) continue
    const value = unquoted(trimmed(pair.slice(equals + 1)))
    if (found !== undefined && found !== value) return undefined
    found = value
  }
  return found
}

/** Without the white space of RFC 9110 §5.6.3. `trim()` would make `__Host-id` of `\xa0__Host-id`, which every subdomain can set. */
export function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}
