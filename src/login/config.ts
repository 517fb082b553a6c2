/** The configuration of browser login. */
import type { Secret } from '../core/secrets.ts'
import type { Brand } from '../pages/layout.ts'
import type { TokenStore } from '../store/token-store.ts'

/** Browser login: where people sign in, and how their sessions are kept. */
export interface LoginConfig {
  /**
   * The origin at which people sign in, as they see it: `https://app.example.com`. The provider sends them back there,
   * whichever host they wanted; `guard.redirectUrls()` says where exactly. `http:` only on this machine.
   */
  readonly url: string
  /** Keys that seal cookies and stored sessions, made by `generateKey()`. The first seals, all open: put a new one first. */
  readonly keys: readonly Secret[]
  /**
   * `store` (the default): sessions live in `store`, cookies only name them; tokens are refreshed and people can be
   * signed out from afar. `cookie`: the session is in the cookie, needs no store, and ends when its token does.
   */
  readonly session?: 'store' | 'cookie'
  /** Any token store. Its values are sealed with `keys`, unless it is a `sealed()` one already. */
  readonly store?: TokenStore
  /** Where login's own pages live on every host that it serves; `/.sallyport` by default. */
  readonly path?: string
  /** A session nobody uses ends after so long, in seconds; 86,400 (a day) by default. */
  readonly idleSeconds?: number
  /** A session ends after so long in any case, in seconds; 604,800 (a week) by default. */
  readonly absoluteSeconds?: number
  /** `provider` (the default): signing out ends the session at the provider too, where it offers that. `local`: only here. */
  readonly signOut?: 'provider' | 'local'
  /** Where people go after signing out, on one of the login's own origins; a page that says so by default. */
  readonly afterSignOut?: string
  /** Name, logo and colour on the pages that people see. */
  readonly brand?: Brand
}
