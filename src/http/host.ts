/**
 * The host that a request is for, in one spelling: lower case, no port, no
 * trailing dot. A host that parsers could read differently is not one.
 */

/** RFC 9110 §7.2 with RFC 3986 §3.2.2: a registered name or IPv4 address, and a port. `_` occurs in container names. */
const HOST = /^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::(\d{0,5}))?$/i
const IPV6_HOST = /^(\[[0-9a-f:.]+\])(?::(\d{0,5}))?$/i
/**
 * A host on which WHATWG URL has an opinion: the last label makes it an IPv4 address, however that is spelled (`127.1`,
 * `0x7f.1`), or a label is Punycode.
 */
const NOT_JUST_LETTERS = /(?:^|\.)(?:(?:\d+|0x[0-9a-f]*)$|xn--)/
const MAX_HOST_LENGTH = 255

/** The canonical host of a `Host` header's value; `''` for an empty value, `undefined` for an ambiguous or malformed one. */
export function canonicalHost(value: string): string | undefined {
  if (value === '') return ''
  if (value.length > MAX_HOST_LENGTH + 6) return undefined
  const [, host, port] = HOST.exec(value) ?? IPV6_HOST.exec(value) ?? []
  if (host === undefined || Number(port ?? 0) > 65_535) return undefined
  if (host.startsWith('[')) return urlHost(host)
  const name = host.toLowerCase()
  return NOT_JUST_LETTERS.test(name) && urlHost(name) !== name ? undefined : name
}

/** The host as WHATWG URL spells it. */
function urlHost(host: string): string | undefined {
  return URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).hostname : undefined
}
