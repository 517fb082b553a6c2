/**
 * `x-tfy-mcp-headers`: headers that a caller sends to an upstream through the gateway, as a flat JSON object of texts.
 * For a virtual server it is an object of such objects, by member. Whatever is not entirely right is refused, and said, rather
 * than left out: it may be a credential.
 */
import { fieldValueProblem, isFieldName } from '../http/field.ts'
import { compileGlob } from '../match/glob.ts'
import { presentableText } from '../oauth/presentable.ts'
import { foldFieldName, isClosedToCallers } from './reserved-fields.ts'

/** The field's name. */
export const CALLER_HEADERS_FIELD = 'x-tfy-mcp-headers'

/** What callers may send. */
export interface CallerHeaderRules {
  /**
   * Names, or patterns with `*`, case not counting; any name that does no harm by default. `cookie` has to be named here as it is:
   * no pattern stands for it.
   */
  readonly allow?: readonly string[]
  /** Of the whole field, in bytes; 8,192 by default. */
  readonly maxBytes?: number
}

/** What a caller has sent. */
export type CallerHeadersResult =
  /** Names in lower case; none where the field is absent. Every value is visible ASCII and spaces. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string>> }
  /** 400. `message` is for the caller, and repeats no value. */
  | { readonly kind: 'refused'; readonly message: string }

/** Whose headers are wanted: of a virtual server, those for one of its members. */
export interface CallerHeadersMember {
  /** The configured name, `dev/github`. */
  readonly server: string
  /** The names of all members. */
  readonly members: readonly string[]
}

/** Reads the lines of the field, one value for each, none where it is absent; a character of a line is a byte. */
export type ReadCallerHeaders = (lines: readonly string[], member?: CallerHeadersMember) => CallerHeadersResult

/**
 * Makes the function that reads the field.
 *
 * @param rules - `false` where callers may send nothing: the field is then refused
 */
export function createCallerHeaders(rules: CallerHeaderRules | false = {}): ReadCallerHeaders {
  if (rules === false) return (lines) => (lines.length === 0 ? NONE : refuse('is not taken by this gateway'))
  const { allow, maxBytes = 8_192 } = rules
  const allowed = allow && compileAllowed(allow)

  /** What is wrong with one header, or `undefined`. */
  function headerProblem(name: string, value: string): string | undefined {
    if (!isFieldName(name)) return `${quoted(name)} is not the name of a header`
    if (isClosedToCallers(name)) return `${quoted(name)} is not for callers to set`
    const lower = name.toLowerCase()
    if (foldFieldName(name) === 'cookie' ? !allow?.some(isCookie) : allowed?.(lower) === false) {
      return `${quoted(name)} is not among the headers that this gateway passes on`
    }
    const problem = fieldValueProblem(value)
    return problem && `the value of ${quoted(name)} ${problem}`
  }

  /** The headers in a flat object, or what is wrong with it. */
  function flat(parsed: object): Readonly<Record<string, string>> | string {
    const headers: Record<string, string> = {}
    const folded = new Set<string>()
    for (const [name, value] of Object.entries(parsed as Record<string, unknown>)) {
      const problem = typeof value === 'string' ? headerProblem(name, value) : `${quoted(name)} is ${kindOf(value)}`
      if (problem !== undefined) return `is not right: ${problem}`
      if (folded.has(foldFieldName(name))) return `has ${quoted(name)} twice, in different spellings`
      folded.add(foldFieldName(name))
      headers[name.toLowerCase()] = value as string
    }
    return headers
  }

  return (lines, member) => {
    const [text] = lines
    if (text === undefined) return NONE
    if (lines.length > 1) return refuse('is there more than once')
    if (text.length > maxBytes) return refuse(`has more than ${maxBytes} bytes`)
    const parsed = parse(text)
    if (parsed === undefined) return refuse('is not JSON')
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return refuse(`is ${kindOf(parsed)}`)
    const strings = text.match(JSON_STRING)?.length ?? 0
    if (member === undefined) {
      const headers = flat(parsed)
      if (typeof headers === 'string') return refuse(headers)
      // All values that are left are texts: any other text, or anything nested, was under a name that came again.
      if (strings !== 2 * Object.keys(headers).length) return refuse('has a name twice')
      return { kind: 'headers', headers }
    }
    let found: Readonly<Record<string, string>> = {}
    let expected = 0
    for (const [server, value] of Object.entries(parsed as Record<string, unknown>)) {
      const problem = memberProblem(server, value, member.members)
      if (problem !== undefined) return refuse(problem, EXPECTED_BY_SERVER)
      const headers = flat(value as object)
      if (typeof headers === 'string') return refuse(`for ${quoted(server)} ${headers}`, EXPECTED_BY_SERVER)
      expected += 1 + 2 * Object.keys(headers).length
      if (server === member.server) found = headers
    }
    return strings === expected ? { kind: 'headers', headers: found } : refuse('has a name twice', EXPECTED_BY_SERVER)
  }
}

function memberProblem(server: string, value: unknown, members: readonly string[]): string | undefined {
  if (typeof value === 'string') {
    return 'is a flat object of headers, which is for one server, and this is a virtual one'
  }
  if (!members.includes(server)) return `names ${quoted(server)}, which is no member of this virtual server`
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return undefined
  return `has something else than an object for ${quoted(server)}`
}

const NONE: CallerHeadersResult = Object.freeze({ kind: 'headers', headers: Object.freeze({}) })
/** In what `JSON.parse` takes, quotes are at both ends of a string or behind a backslash. */
const JSON_STRING = /"(?:[^"\\]|\\.)*"/g
const EXPECTED = 'expected a JSON object with a text for each header, such as {"authorization": "Bearer ..."}'

const EXPECTED_BY_SERVER = 'expected a JSON object by server, such as {"dev/github": {"authorization": "Bearer ..."}}'

function refuse(what: string, expected = EXPECTED): CallerHeadersResult {
  return { kind: 'refused', message: `${CALLER_HEADERS_FIELD} ${what}; ${expected}` }
}

/** The parser's own message is left out: it quotes. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function compileAllowed(allow: readonly string[]): (lowerCaseName: string) => boolean {
  const globs = allow.map((glob) => compileGlob(glob.toLowerCase()))
  return (name) => globs.some((fits) => fits(name))
}

function isCookie(glob: string): boolean {
  return glob.toLowerCase() === 'cookie'
}

/** A name without what may be a value in the wrong place. */
function quoted(name: string): string {
  return JSON.stringify(presentableText(name, []))
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object: headers by server are for virtual servers, and this is one server'
  return `a ${typeof value === 'string' ? 'text' : typeof value}`
}
