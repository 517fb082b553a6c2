/** The compact form of a JWS (RFC 7515 §7.1), taken apart without believing a word of it. */

/** A token's parts; nothing is verified yet. */
export interface CompactJwt {
  readonly header: JwtHeader
  /** Parsed when it is first asked for; `undefined` when it is not a JSON object. */
  readonly body: JwtBody | undefined
}

/** The payload of a token. */
export interface JwtBody {
  readonly claims: Record<string, unknown>
  /** Length of its JSON text in bytes. */
  readonly bytes: number
}

/** The header parameters that are used (RFC 7515 §4.1). `jku`, `x5u` and `jwk` are not among them. */
export interface JwtHeader {
  readonly alg: string
  readonly kid: string | undefined
  /** Lower case, without `application/`. */
  readonly typ: string | undefined
}

const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/
/** Longer than any header field that Node accepts unless told to. */
const MAX_LENGTH = 65_536

/** Headers by their encoded form: all tokens of one key have the same. Bounded by {@link parseCompactJwt}. */
export type HeaderCache = Map<string, JwtHeader>

const MAX_CACHED_HEADERS = 100
const MAX_CACHED_HEADER_LENGTH = 512

/** Takes a token apart; `undefined` for what is not a JWS in compact form with a header that can be used. */
export function parseCompactJwt(token: string, headers: HeaderCache): CompactJwt | undefined {
  if (token.length > MAX_LENGTH || !COMPACT.test(token)) return undefined
  const headerEnd = token.indexOf('.')
  const encoded = token.slice(0, headerEnd)
  const header = headers.get(encoded) ?? parseHeader(encoded)
  if (header === undefined) return undefined
  if (encoded.length <= MAX_CACHED_HEADER_LENGTH) {
    if (headers.size >= MAX_CACHED_HEADERS) headers.clear()
    headers.set(encoded, header)
  }
  let body: JwtBody | undefined | null = null
  return {
    header,
    get body() {
      if (body === null) body = parseBody(token.slice(headerEnd + 1, token.indexOf('.', headerEnd + 1)))
      return body
    },
  }
}

function parseBody(encoded: string): JwtBody | undefined {
  const text = decode(encoded)
  const claims = parseObject(text)
  return claims && { claims, bytes: text.length }
}

function parseHeader(encoded: string): JwtHeader | undefined {
  const header = parseObject(decode(encoded))
  if (header === undefined) return undefined
  const { alg, kid, typ, crit, b64 } = header
  // No extension is understood here, so none may be critical (RFC 7515 §4.1.11, RFC 7797 §6).
  if (typeof alg !== 'string' || crit !== undefined || b64 !== undefined) return undefined
  if ((kid !== undefined && typeof kid !== 'string') || (typ !== undefined && typeof typ !== 'string')) return undefined
  return { alg, kid, typ: typ?.toLowerCase().replace(/^application\//, '') }
}

function decode(encoded: string): string {
  return Buffer.from(encoded, 'base64url').toString('utf8')
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
