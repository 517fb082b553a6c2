/**
 * Where a browser may be sent after sign-in or sign-out. The value comes from outside, so a strict pattern
 * and WHATWG URL must both say that it stays on one of our origins, also for a server that decodes it again.
 */
import type { HostPattern } from './host-pattern.ts'

/** Whether an origin (`https://app.example.com`, as WHATWG URL spells it) is one of ours. A `Set` of origins is one. */
export interface ReturnOrigins {
  has(origin: string): boolean
}

/** Longer ones get cut off or refused on their way; it also bounds the work, and the cookie that carries the URL. */
const MAX_LENGTH = 2048
/**
 * Visible ASCII without the backslash, which browsers take for a slash. They drop tabs and line ends, so that
 * `/<tab>/evil` is `//evil`.
 */
const PLAIN = /^[\x21-\x5b\x5d-\x7e]+$/
/** An absolute-path reference (RFC 3986 §4.2), not a network-path reference. */
const RELATIVE = /^\/(?!\/)/
/** Scheme and authority: a host in lower case, no user information. */
const ABSOLUTE = /^(https?:\/\/(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?)(?=[/?#]|$)/
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': ':80', 'https:': ':443' }

/**
 * The URL to send a browser to, absolute and in normal form.
 *
 * ```ts
 * safeReturnTo('/orders?page=2#top', 'https://app.example.com', origins)   // https://app.example.com/orders?page=2#top
 * safeReturnTo('//evil.example', 'https://app.example.com', origins)       // undefined
 * ```
 *
 * @param value - a path with query and fragment, or an `http` or `https` URL; at most 2,048 characters of visible ASCII
 * @param base - the origin of the request, for values without one; it must be one of `origins` too
 * @returns `undefined` for everything that is not certainly one of ours
 */
export function safeReturnTo(value: string | undefined, base: string, origins: ReturnOrigins): string | undefined {
  if (value === undefined || value.length > MAX_LENGTH || !PLAIN.test(value)) return undefined
  const claimed = RELATIVE.test(value) ? base : ABSOLUTE.exec(value)?.[1]
  if (claimed === undefined || !URL.canParse(value, base)) return undefined
  const url = new URL(value, base)
  if (claimed !== url.origin && claimed !== `${url.origin}${DEFAULT_PORTS[url.protocol]}`) return undefined
  if (!origins.has(url.origin) || !staysWhenDecoded(url.pathname)) return undefined
  return url.href.length > MAX_LENGTH ? undefined : url.href
}

/**
 * Our own origins: that of `login`, and with its scheme and port the hosts that `patterns` name. A wildcard stands for
 * exactly one label. The ports of the patterns do not count: they are those that connections come in on, and a
 * browser may see another.
 *
 * @param login - an origin, `https://app.example.com`
 */
export function returnOrigins(login: string, patterns: readonly HostPattern[]): ReturnOrigins {
  const { protocol, port, origin: own } = new URL(login)
  const scheme = `${protocol}//`
  const tails = { exact: new Set<string>(), wildcard: new Set<string>() }
  for (const { name, wildcard } of patterns) {
    tails[wildcard ? 'wildcard' : 'exact'].add(port === '' ? name : `${name}:${port}`)
  }
  return {
    has(origin) {
      if (origin === own) return true
      if (!origin.startsWith(scheme)) return false
      const authority = origin.slice(scheme.length)
      if (tails.exact.has(authority)) return true
      const dot = authority.indexOf('.')
      return dot > 0 && tails.wildcard.has(authority.slice(dot + 1))
    },
  }
}

/** Servers and proxies decode once, some twice. A path that goes on changing after three times was made for that. */
const MAX_DECODINGS = 3
/** A line end in a decoded `Location` begins the next field, and browsers drop tabs. */
const CONTROL = /\p{Cc}/u

/**
 * Whether a path of ours is still one for whoever decodes it and uses it as a `Location` or a reference of its own:
 * `/%2fevil.example`, `/%09/evil.example` and `/x/..//evil.example` are `//evil.example` to one or the other. Some take
 * `;parameters` off in between.
 */
function staysWhenDecoded(path: string): boolean {
  let readings = new Set([path, withoutParameters(path)])
  for (let round = 0; round <= MAX_DECODINGS; round++) {
    const next = new Set<string>()
    for (const reading of readings) {
      if (CONTROL.test(reading) || opensWithTwoSlashes(reading)) return false
      const decoded = decode(reading)
      if (decoded !== reading) next.add(decoded).add(withoutParameters(decoded))
    }
    if (next.size === 0) return true
    readings = next
  }
  return false
}

/** Decodes once, as leniently as the worst decoder: what is no UTF-8 becomes U+FFFD, what is no escape stays. */
function decode(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString())
}

/** What may become a slash: look-alikes, with or without a compatibility form, and broken UTF-8 (`%c0%af` is an overlong slash). */
const LIKE_A_SLASH = /[\\\u2044\u2215\u2216\u29f5\u29f8\ufffd]/
/** What may vanish on the way: white space, controls, formatting characters. */
const VANISHING = /[\p{Z}\p{C}]/gu
/** `;parameters` of a segment, to the next slash that is one for everybody; with the forms that may become a semicolon. */
const PARAMETERS = /[;\u037e\ufe14\ufe54\uff1b][^/]*/g

function withoutParameters(path: string): string {
  return path.replace(PARAMETERS, '')
}

/**
 * Whether some reader could find an empty first segment, hence a network-path reference (RFC 3986 §4.2). All that
 * readers may do is done at once: compatibility forms, parameters off, dot segments out. What is a slash for some only
 * may part segments here, and there it does not: so dots and nothing count on both of its sides, and names on one.
 */
function opensWithTwoSlashes(path: string): boolean {
  const segments = compatible(path).replace(VANISHING, '').split('/').slice(1)
  let depth = 0
  for (const [index, segment] of segments.entries()) {
    let isNamed = false
    for (const part of segment.split(LIKE_A_SLASH)) {
      const name = part.split(';', 1)[0]
      if (name === '' && depth === 0 && (index < segments.length - 1 || part !== segment)) return true
      if (name === '..') depth = Math.max(0, depth - 1)
      else if (name !== '' && name !== '.' && !isNamed) {
        depth++
        isNamed = true
      }
    }
  }
  return false
}

/** Compatibility forms (NFKC), but that a slash that comes of one is no slash for everybody. */
function compatible(path: string): string {
  return path.replace(/[^\0-\x7f]+/gu, (text) => text.normalize('NFKC').replaceAll('/', '\u2044'))
}
