/**
 * The path of a request target in one spelling, and the other ways in which the
 * application behind the gate might read the same bytes.
 *
 * Frameworks differ: Express matches the path undecoded, find-my-way (Fastify)
 * decodes it and may end it at `;`, WHATWG URL resolves dot segments and drops
 * `//host`. A guard that looks at one reading only can be walked around. So the
 * plain case is decided at once, and anything else yields every reading, which
 * the route table must agree on.
 */

/** How a target's path can be read. */
export interface PathReading {
  /** Decoded once, no dot segments, no double slashes, no trailing slash save for `/` itself. */
  readonly path: string
  /** What other parsers make of it, where that differs. */
  readonly others: readonly string[]
}

const NO_OTHERS: readonly string[] = []
const ROOT: PathReading = { path: '/', others: NO_OTHERS }

/** Letters, digits and the marks that no parser gives a meaning of its own: `- _ ~ ! $ & ' ( ) * + , = : @`. */
const PLAIN = new Uint8Array(128)
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~!$&'()*+,=:@") {
  PLAIN[char.charCodeAt(0)] = 1
}
const SLASH = 0x2f
const DOT = 0x2e
const QUESTION = 0x3f

/** Never legal in a target (RFC 9112 §3.2), or read as a separator by some parsers and not by others. */
const REFUSED_RAW = /[^\x21-\x7e]|[\\#]/
/** An encoded slash, backslash or NUL: one segment to some parsers, two (or an end) to others. */
const REFUSED_ENCODED = /%(?:2f|5c|00)/i
const BAD_PERCENT = /%(?![0-9a-f]{2})/i
/** An octet whose encoding the URI grammar does not demand, so that parsers may or may not have decoded it. */
const NEEDLESS_ENCODING = /%(?:2[1-46-9a-e]|3[0-9abd]|4[0-9a-f]|5[0-9abdf]|6[1-9a-f]|7[0-9ae])/gi

/**
 * Reads the path of an origin-form target (`/orders/42?x=1`).
 *
 * @returns `undefined` for a target that two parsers could read as different
 *   paths in a way that no route can settle: encoded slash or backslash, NUL, bad
 *   percent-encoding or UTF-8, a raw control or non-ASCII character, `#`, or `..` past the root.
 */
export function readPath(target: string): PathReading | undefined {
  const plain = readPlainPath(target)
  if (plain !== undefined) return plain

  const query = target.indexOf('?')
  const raw = query === -1 ? target : target.slice(0, query)
  if (raw.charCodeAt(0) !== SLASH || REFUSED_RAW.test(raw) || REFUSED_ENCODED.test(raw) || BAD_PERCENT.test(raw)) {
    return undefined
  }
  const decoded = decode(raw)
  if (decoded === undefined) return undefined
  const path = resolve(decoded, true)
  if (path === undefined) return undefined

  const undecoded = decode(raw.replace(NEEDLESS_ENCODING, (octet) => `%25${octet.slice(1)}`)) ?? decoded
  const readings = [undecoded, decoded]
  for (const reading of [undecoded, decoded]) {
    const slashesKept = resolve(reading, false)
    const slashesMerged = resolve(reading, true)
    if (slashesKept !== undefined) readings.push(slashesKept)
    if (slashesMerged !== undefined) readings.push(slashesMerged)
  }
  // A target of `//host/path` is a whole authority to `new URL(target, base)`.
  if (raw.startsWith('//')) readings.push(`/${raw.slice(2).split('/').slice(1).join('/')}`)
  for (const reading of [...readings]) {
    const parameters = reading.indexOf(';')
    if (parameters !== -1) readings.push(reading.slice(0, parameters))
  }
  const others = new Set(readings.map(withoutTrailingSlash))
  others.delete(path)
  return { path, others: others.size === 0 ? NO_OTHERS : [...others] }
}

/** The path where every parser agrees on it at a glance, else `undefined`. Runs on every request: no regular expressions. */
function readPlainPath(target: string): PathReading | undefined {
  if (target.charCodeAt(0) !== SLASH) return undefined
  let end = target.length
  let previous = 0
  for (let index = 0; index < end; index++) {
    const code = target.charCodeAt(index)
    if (code === QUESTION) {
      end = index
      break
    }
    if (code < 128 && PLAIN[code] === 1) {
      previous = code
      continue
    }
    // A slash after a slash, a dot that begins a segment, or a character with a meaning.
    if (code === SLASH ? index > 0 && previous === SLASH : code !== DOT || previous === SLASH) return undefined
    previous = code
  }
  if (end === 1) return ROOT
  if (previous === SLASH) end--
  return { path: end === target.length ? target : target.slice(0, end), others: NO_OTHERS }
}

function decode(path: string): string | undefined {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined // not UTF-8
  }
}

/** RFC 3986 §5.2.4, with `..` past the root refused; `undefined` then. */
function resolve(path: string, mergeSlashes: boolean): string | undefined {
  const kept: string[] = []
  for (const segment of path.slice(1).split('/')) {
    if (segment === '.' || (mergeSlashes && segment === '')) continue
    if (segment !== '..') kept.push(segment)
    else if (kept.pop() === undefined) return undefined
  }
  return `/${kept.join('/')}`
}

function withoutTrailingSlash(path: string): string {
  let end = path.length
  while (end > 1 && path.charCodeAt(end - 1) === SLASH) end--
  return end === path.length ? path : path.slice(0, end)
}
