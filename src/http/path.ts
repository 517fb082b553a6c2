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
/** A visible ASCII character that a target can also hold as itself, so that parsers that do not decode tell the two apart. */
const NEEDLESS_ENCODING = /%(?:2[1246-9a-e]|3[0-9a-e]|[46][0-9a-f]|5[0-9abd-f]|7[0-9a-e])/gi
/** To parsers that do not decode, `%c3%a9` is not `%C3%A9` (RFC 3986 §6.2.2.1 wants the latter). */
const UNUSUAL_ENCODING = /(?:%[89a-f][0-9a-f])+|%[0-7][0-9a-f]/gi
/** A dot segment as WHATWG URL knows it. */
const ENCODED_DOTS = /(?<=\/)(?:\.|%2e){1,2}(?=\/|$)/gi
/** Characters over all readings: more than any honest target has, and about a millisecond's work. */
const MAX_CHARACTERS = 65_536
/** What makes more than one reading possible. */
const SEVERAL_READINGS = /[%;]|\/(?:\/|\.{1,2}(?:\/|$))/

/**
 * Reads the path of an origin-form target (`/orders/42?x=1`).
 *
 * @returns `undefined` for a target that two parsers could read as different
 *   paths in a way that no route can settle: encoded slash or backslash, NUL, bad
 *   percent-encoding or UTF-8, a raw control or non-ASCII character, `#`, `..` past the root, or readings without end.
 */
export function readPath(target: string): PathReading | undefined {
  const plain = readPlainPath(target)
  if (plain !== undefined) return plain

  const query = target.indexOf('?')
  const raw = query === -1 ? target : target.slice(0, query)
  if (raw.charCodeAt(0) !== SLASH || REFUSED_RAW.test(raw) || REFUSED_ENCODED.test(raw) || BAD_PERCENT.test(raw)) {
    return undefined
  }
  if (!SEVERAL_READINGS.test(raw)) return { path: withoutTrailingSlash(raw), others: NO_OTHERS }
  const decoded = decode(raw)
  const resolved = decoded === undefined ? undefined : resolveDots(mergeSlashes(decoded))
  const readings = resolved === undefined ? undefined : everyReading(raw)
  if (resolved === undefined || readings === undefined) return undefined

  const path = withoutTrailingSlash(resolved)
  const others = new Set(readings.map(withoutTrailingSlash))
  others.delete(path)
  return { path, others: others.size === 0 ? NO_OTHERS : [...others] }
}

/** Whether every parser reads `path` in the same way, as a configured page's must be: at least one segment, no slash behind it. */
export function isPlainPath(path: string): boolean {
  const reading = readPath(path)
  return path.length > 1 && reading?.path === path && reading.others.length === 0 && /^[\w/.~-]+$/.test(path)
}

/** What a parser may do to a path, in whatever order; each returns `undefined` for `..` past the root. */
const STEPS: readonly ((path: string) => string | undefined)[] = [
  mergeSlashes,
  resolveDots,
  // `;` ends the path for find-my-way, and a segment for servers with path parameters (RFC 3986 §3.3).
  (path) => path.replace(/;.*$/s, ''),
  (path) => path.replace(/;[^/]*/g, ''),
  // Who decodes first finds a query where there is `%3F`.
  (path) => path.replace(/[?#].*$/s, ''),
]
const ENCODED_STEPS = [...STEPS, (path: string) => path.replace(ENCODED_DOTS, (dots) => dots.replace(/%2e/gi, '.'))]

/** The paths that some parser or other makes of `raw`, by decoding it before, between or after the other steps, or not at all. */
function everyReading(raw: string): string[] | undefined {
  // `//host/path` is an authority and a path to `new URL(target, base)`, with any number of slashes.
  const starts = raw.startsWith('//') ? [raw, raw.replace(/^\/+[^/]*/, '') || '/'] : [raw]
  const encoded = closure(starts, ENCODED_STEPS)
  const decoded =
    encoded &&
    closure(
      encoded.flatMap((path) => decode(path) ?? []),
      STEPS,
    )
  return decoded && [...encoded.map(decodeUsual), ...decoded]
}

/** Everything that `steps` make of `starts`; `undefined` when that is too much, or leaves the root. */
function closure(starts: readonly string[], steps: typeof STEPS): string[] | undefined {
  const found = new Set(starts)
  let characters = 0
  // Iteration over a set reaches what is added on the way.
  for (const path of found) {
    characters += path.length
    if (characters > MAX_CHARACTERS) return undefined
    for (const step of steps) {
      const next = step(path)
      if (next === undefined) return undefined
      found.add(next)
    }
  }
  return [...found]
}

/** The path as parsers see it that do not decode, in the spelling of decoded paths: only what has one usual encoding is decoded. */
function decodeUsual(path: string): string {
  if (!path.includes('%')) return path
  const kept = path
    .replace(UNUSUAL_ENCODING, (octets) => (octets === octets.toUpperCase() ? octets : octets.replaceAll('%', '%25')))
    .replace(NEEDLESS_ENCODING, (octet) => `%25${octet.slice(1)}`)
  return decode(kept) ?? path
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

function mergeSlashes(path: string): string {
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path
}

/** RFC 3986 §5.2.4, with `..` past the root refused; `undefined` then. */
function resolveDots(path: string): string | undefined {
  if (!path.includes('/.')) return path
  const kept: string[] = []
  for (const segment of path.slice(1).split('/')) {
    if (segment === '.') continue
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
