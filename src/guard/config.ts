/** The guard's configuration: plain data that also reads well in JSON or YAML, functions only where a user plugs in code. */
import type { Clock } from '../core/clock.ts'
import type { Secret, SecretResolver } from '../core/secrets.ts'
import type { Integration } from '../identity/integration.ts'
import type { ClaimRules } from '../jwt/claim-rules.ts'
import type { LoginConfig } from '../login/config.ts'
import type { Fetch } from '../net/fetch.ts'

/** What {@link createGuard} takes. */
export interface GuardConfig {
  /** What is protected, and how. The order does not matter; see {@link Route}. */
  readonly routes: readonly Route[]
  /** Identity providers by name, for routes with `auth: { type: 'jwt' }`. */
  readonly integrations?: Readonly<Record<string, Integration>>
  /** The domains that services may be published on: `*.apps.example.com`, `example.com`. A route elsewhere is an error. */
  readonly domains?: readonly string[]
  /** Networks that may call routes with `exposed: false`: CIDR blocks, or `loopback`, `private`, `link-local`. */
  readonly internalNetworks?: readonly string[]
  /** Reverse proxies whose `X-Forwarded-*` headers are believed, by network. None by default. */
  readonly trustProxy?: readonly string[]
  /** Whether paths differ by case. Off by default, since Express and `@koa/router` match paths without regard to case; only for routers that do not. */
  readonly caseSensitive?: boolean
  /** What happens to a request that no route matches: `deny` (404, the default), or `skip` (the application gets it as it is). */
  readonly unmatched?: 'deny' | 'skip'
  /** The status for a JWT route without credentials: 403 (the default) or 401. A route can say otherwise. */
  readonly unauthenticated?: 401 | 403
  /** Browser login, for routes with `login: true`. */
  readonly login?: LoginConfig
  /** Looks up secrets that are neither `env:` nor `file:`. */
  readonly secrets?: SecretResolver
  /** Bounds of the cache of verified signatures. By default 20,000 tokens and 64 MiB. */
  readonly tokenCache?: { readonly maxEntries?: number; readonly maxBytes?: number }
  /** Used for all fetching in place of `globalThis.fetch`, say to go through a proxy. */
  readonly fetch?: Fetch
  /** Used in place of the machine's clock. */
  readonly clock?: Clock
}

/**
 * One protected place. A request belongs to the route with the best host (exact over wildcard over none), then a given
 * port over none, then the longest path prefix on segment boundaries, then given methods over none.
 */
export interface Route {
  /** Shown in events, endpoints and `authOf`. By default methods, host, port and path, as far as given. */
  readonly name?: string
  /** `s1.example.com`, `*.apps.example.com` (one label), or with a path behind it, `example.com/s1`. Any host by default. */
  readonly host?: string
  /** A path prefix, `/app/`; `/` by default. It is not stripped: the application sees the whole path. */
  readonly path?: string
  /** The port that the service listens on, for a process that listens on several. */
  readonly port?: number
  /** Methods, `['GET', 'POST']`; all by default. `GET` includes `HEAD`. */
  readonly methods?: readonly string[]
  /** `false`: answers only on its `host` and only to callers inside `internalNetworks`; 404 to everybody else. */
  readonly exposed?: boolean
  /** Who may come in; `{ type: 'none' }`, typed out, for everybody. */
  readonly auth: RouteAuth
}

/** How a route is protected. */
export type RouteAuth = NoAuth | BasicAuth | JwtAuth

/** Open to everybody, typed out. */
export interface NoAuth {
  readonly type: 'none'
}

/** A user of basic authentication; exactly one of `password` and `passwordHash`. */
export interface BasicUser {
  /** Any text without a colon (RFC 7617 §2). */
  readonly username: string
  /** As it is, mostly as `{ secret: 'env:NAME' }`. */
  readonly password?: Secret
  /** bcrypt (`$2b$…`), scrypt (`$scrypt$…`) or argon2 (`$argon2id$…`). */
  readonly passwordHash?: Secret
}

/**
 * Basic authentication (RFC 7617). Who may come in is said in exactly one way: `username` with `password` or
 * `passwordHash`, `users`, `htpasswd`, or `verify`.
 */
export interface BasicAuth {
  readonly type: 'basic'
  /** The only user; any text without a colon (RFC 7617 §2). */
  readonly username?: string
  /** Theirs as it is, mostly as `{ secret: 'env:NAME' }`. */
  readonly password?: Secret
  /** Or its hash: bcrypt (`$2b$…`), scrypt (`$scrypt$…`) or argon2 (`$argon2id$…`). */
  readonly passwordHash?: Secret
  /** Several users, each with a password of their own. */
  readonly users?: readonly BasicUser[]
  /** The text of an htpasswd file with bcrypt entries (`htpasswd -B`), mostly as `{ secret: 'file:…' }`. */
  readonly htpasswd?: Secret
  /** Decides itself. What it throws is answered 503. */
  readonly verify?: (username: string, password: string) => boolean | Promise<boolean>
  /** What browsers show in their prompt; the route's name by default. */
  readonly realm?: string
  /** How long a correct password is remembered instead of hashing it again, in seconds: 60 by default, at most 600, 0 for never. */
  readonly cacheSeconds?: number
}

/** A JWT of an identity provider (RFC 7519, RFC 6750). */
export interface JwtAuth {
  readonly type: 'jwt'
  /** The name of an integration, or several of which one must accept the token. */
  readonly integration: string | readonly string[]
  /** Accepted values by claim; every claim must match, any value is enough. `*` stands for any run of characters. */
  readonly claims?: ClaimRules
  /** Scopes that the token must have, all of them (claims `scope` or `scp`). */
  readonly scopes?: readonly string[]
  /** A cookie to take the token from where there is no `Authorization: Bearer`. Unsafe methods and upgrades must then be same-origin. */
  readonly cookie?: string
  /**
   * Whether browsers sign in: one that comes without a session is sent to the provider, and comes back with one. Anything
   * that is no page load gets the status. Needs `login` in the configuration and `oauth2` on an integration.
   */
  readonly login?: boolean
  /** The status without credentials, for this route. */
  readonly unauthenticated?: 401 | 403
}
