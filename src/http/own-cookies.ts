/** The names and attributes of our own cookies on one origin; several things of ours share it. */
import { clearCookie, setCookie } from './set-cookie.ts'

/** See the top of the file. */
export interface OwnCookies {
  /** Whether the origin is https. */
  readonly secure: boolean
  /** `__Host-sallyport.corp`, `__Host-sallyport-8443.corp`, or on http `sallyport-3000.corp`. */
  name(name: string): string
  /** The `Set-Cookie` line of a cookie with such a name. */
  set(cookie: string, value: string, maxAgeSeconds: number): string
  /** The line that clears one. */
  clear(cookie: string): string
}

/** Our cookies on `origin`, `https://app.example.com`. */
export function ownCookies(origin: string): OwnCookies {
  const { protocol, port } = new URL(origin)
  const secure = protocol === 'https:'
  // Cookies do not tell ports apart (RFC 6265 §8.5): two applications on one host would end each other's sessions.
  const suffix = port === '' ? '' : `-${port}`
  const prefix = secure ? `__Host-sallyport${suffix}` : `sallyport${suffix || '-80'}`
  return {
    secure,
    name: (name) => `${prefix}.${name}`,
    set: (cookie, value, maxAgeSeconds) => setCookie(cookie, value, { maxAgeSeconds, secure, sameSite: 'Lax' }),
    clear: (cookie) => clearCookie(cookie, { secure, sameSite: 'Lax' }),
  }
}
