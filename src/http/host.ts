/**
 * The host that a request is for, in one spelling: lower case, no port, no
 * trailing dot. A host that parsers could read differently is not one.
 */

/** RFC 9110 §7.2 with RFC 3986 §3.2.2: a registered name or IPv4 address, and a port. `_` occurs in container names. */
const HOST = /^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::\d{0,5})?$/i
const IPV6_HOST = /^(\[[0-9a-f:.]+\])(?::\d{0,5})?$/i
/** The last label of a host that WHATWG URL reads as an IPv4 address, however it is spelled (`127.1`, `0x7f.1`). */
const NUMERIC_LAST_LABEL = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/
const MAX_HOST_LENGTH = 255

/** The canonical host of a `Host` header's value; `''` for an empty value, `undefined` for an ambiguous or malformed one. */
export function canonicalHost(value: string): string | undefined {
  if (value === '') return ''
  if (value.length > MAX_HOST_LENGTH + 6) return undefined
  const name = HOST.exec(value)?.[1]?.toLowerCase()
  if (name !== undefined) return NUMERIC_LAST_LABEL.test(name) && urlHost(name) !== name ? undefined : name
  const ipv6 = IPV6_HOST.exec(value)?.[1]
  return ipv6 === undefined ? undefined : urlHost(ipv6)
}

/** The host as WHATWG URL spells it. */
function urlHost(host: string): string | undefined {
  return URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).hostname : undefined
}
