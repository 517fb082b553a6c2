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
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue
    const value = unquoted(pair.slice(equals + 1).trim())
    if (found !== undefined && found !== value) return undefined
    found = value
  }
  return found
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}
