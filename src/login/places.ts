/**
 * Where login lives: its origins as browsers see them, its paths, and the names
 * of its cookies. An origin is never taken from the request's scheme or port,
 * which a proxy may have changed: the configuration says what people see.
 */
import { type OwnCookies, ownCookies } from '../http/own-cookies.ts'
import { liesOn } from '../match/domains.ts'
import type { HostPattern } from '../match/host-pattern.ts'
import { type ReturnOrigins, returnOrigins } from '../match/return-to.ts'
import type { LoginConfig } from './config.ts'

/** The pages of login, under its path. */
export const PAGES = {
  signIn: '/sign-in',
  callback: '/callback/',
  handOff: '/hand-off',
  signOut: '/sign-out',
  signedOut: '/signed-out',
  backChannel: '/back-channel/',
} as const

/** See the top of the file. */
export interface Places {
  /** The origin of the callback. */
  readonly login: string
  readonly path: string
  readonly secure: boolean
  readonly cookies: OwnCookies
  readonly origins: ReturnOrigins
  /**
   * The origin of a request to `host` (lower case, without port). `known` is whether the configuration names the host;
   * any other is taken to be a proxy's name for the login's own.
   */
  originOf(host: string): { readonly origin: string; readonly known: boolean }
  /** A URL of one of the {@link PAGES}. */
  url(page: string, parameters?: Readonly<Record<string, string | undefined>>, origin?: string): string
  callbackUrl(integration: string): string
  /** Where people of an origin begin: at `/`, if that is theirs to sign in for, else at the first such path in the configuration. */
  homeOf(origin: string): string
  /**
   * The cookie of an integration's sessions, or with a `~` in front, which no integration has, one of login's own:
   * `__Host-sallyport.corp`, with a port `__Host-sallyport-8443.corp`, on http `sallyport-3000.corp`.
   */
  cookie(name: string): string
  /** The `Set-Cookie` line of such a cookie. */
  setCookie(name: string, value: string, maxAgeSeconds: number): string
  /** The line that clears one. */
  clearCookie(name: string): string
}

/** A route with login. */
export interface Entrance {
  /** `undefined` for any host. */
  readonly host: HostPattern | undefined
  /** `/app`, without a slash at the end. */
  readonly path: string
}

/** The places of a sound configuration with these routes. */
export function createPlaces(config: LoginConfig, entrances: readonly Entrance[]): Places {
  const { origin: login, protocol, port, hostname } = new URL(config.url)
  const path = config.path ?? '/.sallyport'
  const origins = returnOrigins(
    login,
    entrances.flatMap(({ host }) => host ?? []),
  )
  const cookies = ownCookies(login)
  const suffix = port === '' ? '' : `:${port}`
  return {
    login,
    path,
    secure: cookies.secure,
    cookies,
    origins,
    originOf(host) {
      if (host === hostname) return { origin: login, known: true }
      const origin = `${protocol}//${host}${suffix}`
      return host !== '' && origins.has(origin) ? { origin, known: true } : { origin: login, known: false }
    },
    url(page, parameters = {}, origin = login) {
      const url = new URL(`${path}${page}`, origin)
      for (const [name, value] of Object.entries(parameters)) {
        if (value !== undefined) url.searchParams.set(name, value)
      }
      return url.href
    },
    homeOf(origin) {
      const { hostname: name } = new URL(origin)
      const paths = entrances
        .filter((entrance) => entrance.host === undefined || liesOn(entrance.host, { name, wildcard: false }))
        .map((entrance) => entrance.path)
      const [first = '/'] = paths
      return `${origin}${paths.includes('/') || first === '/' ? '/' : `${encodeURI(first)}/`}`
    },
    callbackUrl: (integration) => `${login}${path}${PAGES.callback}${integration}`,
    cookie: cookies.name,
    setCookie: cookies.set,
    clearCookie: cookies.clear,
  }
}
