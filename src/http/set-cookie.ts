/**
 * Writing the `Set-Cookie` field (RFC 6265 §4.1, with the name prefixes of RFC 6265bis §4.1.3). What a browser would
 * drop without a word is thrown back at the programmer here.
 */
import { trimmed } from './cookies.ts'

/** How a cookie is kept. There is no `Domain`: with one, every subdomain gets the cookie. */
export interface CookieAttributes {
  /** Seconds until the browser forgets it; absent, when it ends its session. Browsers cut it off at 400 days. */
  readonly maxAgeSeconds?: number
  /** The paths it is sent to; default `/`. */
  readonly path?: string
  /** Only over https (and, in most browsers, to localhost). */
  readonly secure: boolean
  /** Whether requests that other sites start carry it. `None` needs `secure`. */
  readonly sameSite: 'Lax' | 'None' | 'Strict'
  /** Out of reach of scripts; default `true`. */
  readonly httpOnly?: boolean
}

/** RFC 9110 §5.6.2 */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
/** `cookie-octet` (RFC 6265 §4.1.1), without the form in quotes: readers differ on whether they are part of the value. */
const OCTETS = /^[!#-+\--:<-[\]-~]*$/
/**
 * RFC 6265 §4.1.1, less the comma, at which some take joined `Set-Cookie` lines apart. Without the leading slash,
 * browsers would take the path of the request.
 */
const PATH = /^\/[!-+\--:<-~]*$/
/** Browsers drop a cookie that is larger (RFC 6265bis §5.6). */
const MAX_NAME_AND_VALUE_BYTES = 4096
/** Browsers ignore an attribute that is larger, and take the path of the request (RFC 6265bis §5.6). */
const MAX_PATH_BYTES = 1024

/**
 * The value of a `Set-Cookie` field.
 *
 * ```ts
 * setCookie('__Host-id', 'x', { maxAgeSeconds: 600, secure: true, sameSite: 'Lax' })
 * // __Host-id=x; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax
 * ```
 *
 * @throws TypeError when browsers or servers would not understand the cookie: octets that may not stand there, a
 *   `__Host-` name without `secure` or with another path, a `__Secure-` name or `SameSite=None` without `secure`.
 * @throws RangeError when name and value together have more than 4,096 bytes.
 */
export function setCookie(name: string, value: string, attributes: CookieAttributes): string {
  if (!OCTETS.test(value)) throw new TypeError(`the value of the cookie "${name}" has octets that no cookie may have`)
  const bytes = name.length + value.length
  if (bytes > MAX_NAME_AND_VALUE_BYTES) {
    throw new RangeError(`the cookie "${name}" has ${bytes} bytes; browsers keep ${MAX_NAME_AND_VALUE_BYTES} at most`)
  }
  const { maxAgeSeconds } = attributes
  if (maxAgeSeconds === undefined) return line(name, value, '', attributes)
  if (!Number.isSafeInteger(maxAgeSeconds) || maxAgeSeconds < 0) {
    throw new TypeError(`the cookie "${name}": maxAgeSeconds must be a whole number, not ${maxAgeSeconds}`)
  }
  return line(name, value, `; Max-Age=${maxAgeSeconds}`, attributes)
}

/**
 * The `Set-Cookie` line that makes a browser forget the cookie. The attributes must be those it was set with: another
 * path is another cookie, and browsers ignore a `__Host-` or `__Secure-` name without `Secure`.
 *
 * @throws TypeError as {@link setCookie} does.
 */
export function clearCookie(name: string, attributes: Omit<CookieAttributes, 'maxAgeSeconds'>): string {
  // RFC 6265 §4.1.1 has no Max-Age of 0; §3.1 removes a cookie with a date in the past.
  return line(name, '', '; Expires=Thu, 01 Jan 1970 00:00:00 GMT', attributes)
}

/**
 * The names in a `Cookie` field, in order, each once. As for `readCookie`, a pair without an equals sign has none.
 */
export function cookieNames(header: string | undefined): string[] {
  const names = new Set<string>()
  for (const pair of header?.split(';') ?? []) {
    const name = trimmed(pair.slice(0, Math.max(0, pair.indexOf('='))))
    if (name !== '') names.add(name)
  }
  return [...names]
}

function line(name: string, value: string, lifetime: string, attributes: CookieAttributes): string {
  const { path = '/', secure, sameSite, httpOnly = true } = attributes
  if (!TOKEN.test(name)) throw new TypeError(`${JSON.stringify(name)} cannot be the name of a cookie`)
  if (!PATH.test(path) || path.length > MAX_PATH_BYTES) {
    throw new TypeError(`${JSON.stringify(path)} cannot be the path of the cookie "${name}"`)
  }
  // Browsers compare prefixes without regard to case (RFC 6265bis §5.4).
  const prefix = /^__(?:host|secure)-/.exec(name.toLowerCase())?.[0]
  if (prefix !== undefined && !secure) throw new TypeError(`the cookie "${name}" must be secure, as its name says`)
  if (prefix === '__host-' && path !== '/') {
    throw new TypeError(`the cookie "${name}" must have the path "/", as its name says, not "${path}"`)
  }
  if (sameSite === 'None' && !secure) throw new TypeError(`the cookie "${name}" is SameSite=None, so it must be secure`)
  const flags = `${httpOnly ? '; HttpOnly' : ''}${secure ? '; Secure' : ''}`
  return `${name}=${value}; Path=${path}${lifetime}${flags}; SameSite=${sameSite}`
}
