/**
 * A cookie of its own for each authorization request that is under way, named by its `state`, so that several tabs can be
 * at it at once. The name begins with the time, so that old ones can be told and cleared. That a browser has the cookie
 * is the proof that it began the attempt.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { readCookie } from './cookies.ts'
import type { OwnCookies } from './own-cookies.ts'
import { cookieNames, setCookie } from './set-cookie.ts'

/** What every attempt has. */
export interface Attempt {
  /** Random; the `state` of the authorization request (RFC 6749 §10.12). */
  readonly state: string
  /** Epoch milliseconds. */
  readonly at: number
}

/** What they are made of. */
export interface AttemptCookieSettings {
  readonly sealer: Sealer
  readonly cookies: OwnCookies
  /** What the names of the cookies begin with: `~sign-in-`. */
  readonly prefix: string
  readonly clock: Clock
}

/** See the top of the file. `kind` is what an attempt is for: a cookie opens for no other. */
export interface AttemptCookies {
  /**
   * Begins an attempt; its `Set-Cookie` lines clear the oldest where there are many.
   *
   * @param crossSitePost - the answer comes as a POST from another site (`form_post`), which takes `SameSite=None`
   */
  begin<Content extends object>(
    kind: string,
    content: Content,
    cookieHeader: string | undefined,
    crossSitePost: boolean,
  ): Promise<{ readonly attempt: Content & Attempt; readonly cookies: readonly string[] }>
  /** The attempt that `state` names, as it was sealed; `undefined` for one that this browser has not begun, or too long ago. */
  find(kind: string, state: string, cookieHeader: string | undefined): Promise<(Attempt & object) | undefined>
  /** The `Set-Cookie` line that ends the attempt. */
  end(state: string): string
}

/** People look for their phone, and some have to reset a password. */
export const ATTEMPT_MS = 30 * 60_000
const MAX_AT_ONCE = 5
/** What their cookies may come to in all: nginx takes lines of 8 KB, and a session has to fit in as well. */
const MAX_BYTES = 7_000
/** Cookies that one answer clears; proxies limit the header fields of answers too. */
const MAX_CLEARED = 10
/** What is behind the prefix in their names. Others that begin so are not ours, and perhaps cannot be cleared. */
const NAME_END = /^[0-9a-z]{9}[\w-]{8}$/
const STATE = /^[0-9a-z]{9}[\w-]{22}$/

/** See the top of the file. */
export function createAttemptCookies({ sealer, cookies, prefix, clock }: AttemptCookieSettings): AttemptCookies {
  const start = cookies.name(prefix)
  const cookieOf = (state: string) => `${start}${state.slice(0, 17)}`
  const sealedPlace = (kind: string, state: string) => `${kind} ${state}`

  /** Those that there is no room for beside one of `bytes`, the oldest first. */
  function crowdedOut(cookieHeader: string | undefined, bytes: number): string[] {
    const newestFirst = cookieNames(cookieHeader)
      .filter((name) => name.startsWith(start) && NAME_END.test(name.slice(start.length)))
      .sort()
      .reverse()
    let left = MAX_BYTES - bytes
    let kept = 0
    for (const name of newestFirst.slice(0, MAX_AT_ONCE - 1)) {
      left -= name.length + (readCookie(cookieHeader, name)?.length ?? 0)
      if (left < 0) break
      kept++
    }
    return newestFirst.slice(kept).reverse()
  }

  return {
    async begin(kind, content, cookieHeader, crossSitePost) {
      const at = clock.now()
      // Nine digits of base 36 are good until the year 5188.
      const state = at.toString(36).padStart(9, '0') + randomBytes(16).toString('base64url')
      const attempt = { ...content, state, at }
      const value = await sealer.sealText(JSON.stringify(attempt), sealedPlace(kind, state))
      const own = setCookie(cookieOf(state), value, {
        maxAgeSeconds: ATTEMPT_MS / 1000,
        secure: cookies.secure || crossSitePost,
        sameSite: crossSitePost ? 'None' : 'Lax',
      })
      const tooMany = crowdedOut(cookieHeader, value.length).slice(0, MAX_CLEARED)
      return { attempt, cookies: [own, ...tooMany.map(cookies.clear)] }
    },
    async find(kind, state, cookieHeader) {
      const value = STATE.test(state) ? readCookie(cookieHeader, cookieOf(state)) : undefined
      if (value === undefined) return undefined
      try {
        const { plaintext } = await sealer.openText(value, sealedPlace(kind, state))
        const attempt = asAttempt(JSON.parse(plaintext))
        return attempt?.state === state && clock.now() - attempt.at < ATTEMPT_MS ? attempt : undefined
      } catch {
        return undefined
      }
    },
    end: (state) => cookies.clear(cookieOf(STATE.test(state) ? state : '')),
  }
}

/** `undefined` for what another version of this has sealed. */
function asAttempt(value: unknown): (Attempt & object) | undefined {
  const { state, at } = (value ?? {}) as Partial<Attempt>
  return typeof state === 'string' && typeof at === 'number' ? (value as Attempt) : undefined
}
