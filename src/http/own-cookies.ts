/** The names and attributes of our own cookies on one origin; several things of ours share it. */
import { clearCookie, setCookie } from './set-cookie.ts'

/** See the top of the file. */
export interface OwnCookies {
  /** Whether the origin is https. */
  readonly secure: boolean
  /** `__Host-sallyport.corp`, or on http, where cookies do not tell ports apart, `sallyport-3000.corp`. */
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
  const prefix = secure ? '__Host-sallyport' : `sallyport-${port === '' ? '80' : port}`
  return {
    secure,
    name: (name) => `${prefix}.${name}`,
    set: (cookie, value, maxAgeSeconds) => setCookie(cookie, value, { maxAgeSeconds, secure, sameSite: 'Lax' }),
    clear: (cookie) => clearCookie(cookie, { secure, sameSite: 'Lax' }),
  }
}
