/** The compact form of a JWS (RFC 7515 §7.1), taken apart without believing a word of it. */

/** A token's parts; nothing is verified yet. */
export interface CompactJwt {
  readonly header: JwtHeader
  readonly payload: Readonly<Record<string, unknown>>
  /** Length of the payload's JSON text in bytes. */
  readonly payloadBytes: number
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

/** Parses a token; `undefined` for what is not a JWS in compact form with a JSON object as its payload. */
export function parseCompactJwt(token: string): CompactJwt | undefined {
  if (token.length > MAX_LENGTH || !COMPACT.test(token)) return undefined
  const headerEnd = token.indexOf('.')
  const payloadEnd = token.indexOf('.', headerEnd + 1)
  const header = parseHeader(token.slice(0, headerEnd))
  if (header === undefined) return undefined
  const text = decode(token.slice(headerEnd + 1, payloadEnd))
  const payload = parseObject(text)
  return payload === undefined ? undefined : { header, payload, payloadBytes: text.length }
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
