/**
 * A cookie of its own for each authorization request that is under way, so that several tabs can be at it at once. There are
 * a few names for them, and `state` begins with which: answers that cross, which know nothing of each other, overwrite an
 * attempt rather than add up to more than servers take. The value begins with the time, so that old ones can be told and
 * cleared. That a browser has the cookie is the proof that it began the attempt.
 */
import { randomBytes, randomInt } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { readCookie } from './cookies.ts'
import type { OwnCookies } from './own-cookies.ts'
import { setCookie } from './set-cookie.ts'

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

/** How an attempt begins. */
export interface Beginning {
  readonly cookieHeader: string | undefined
  /** The answer comes as a POST from another site (`form_post`), which takes `SameSite=None`. */
  readonly crossSitePost: boolean
  /** What comes back sealed with `state`, whatever becomes of the cookie. Left out where it is long. */
  readonly carried?: string
}

/** See the top of the file. `kind` is what an attempt is for: a cookie opens for no other. */
export interface AttemptCookies {
  /** Begins an attempt; its `Set-Cookie` lines clear the oldest where there are many. */
  begin<Content extends object>(
    kind: string,
    content: Content,
    how: Beginning,
  ): Promise<{ readonly attempt: Content & Attempt; readonly cookies: readonly string[] }>
  /** The attempt that `state` names, as it was sealed; `undefined` for one that this browser has not begun, or too long ago. */
  find(kind: string, state: string, cookieHeader: string | undefined): Promise<(Attempt & object) | undefined>
  /** What `state` carries, where {@link AttemptCookies.find} finds nothing. It proves nothing of the browser, only that it was sealed here. */
  recall(kind: string, state: string): Promise<string | undefined>
  /** The `Set-Cookie` line that ends the attempt. */
  end(state: string): string
}

/** People look for their phone, and some have to reset a password. */
export const ATTEMPT_MS = 30 * 60_000
/** Those that a browser keeps which begins them one after the other. */
const MAX_AT_ONCE = 5
/** More of them, so that tabs which begin at the same time mostly find different ones. */
const SLOTS = 8
/** What their cookies may come to in all: nginx takes lines of 8 KB, and a session has to fit in as well. */
const MAX_BYTES = 5_600
/** What name, time and sealing add to an attempt, about. */
const ADDED_BYTES = 150
/** Of {@link timeOf}. */
const TIME_LENGTH = 10
/** The longest text that goes along: some providers and firewalls count the characters of a query. */
const MAX_CARRIED = 400
/** The slot, what is random, and what is carried. */
const STATE = /^[0-7][\w-]{32}(?:\.[\w.-]{1,800})?$/
const HEAD_LENGTH = 33

/** See the top of the file. */
export function createAttemptCookies({ sealer, cookies, prefix, clock }: AttemptCookieSettings): AttemptCookies {
  const start = cookies.name(prefix)
  const cookieOf = (state: string) => `${start}${state.slice(0, 1)}`
  const sealedPlace = (kind: string, state: string) => `${kind} ${state}`
  const carriedPlace = (kind: string, head: string) => `${kind} carried ${head}`

  /** The slot for one of `bytes`, and those that there is no room for beside it. */
  function place(cookieHeader: string | undefined, bytes: number): { slot: number; crowdedOut: number[] } {
    const values = Array.from({ length: SLOTS }, (_, slot) => readCookie(cookieHeader, `${start}${slot}`))
    const newestFirst = [...values.keys()]
      .filter((slot) => values[slot] !== undefined)
      .sort((one, two) => (String(values[one]) < String(values[two]) ? 1 : -1))
    let left = MAX_BYTES - bytes
    let count = 0
    for (const slot of newestFirst.slice(0, MAX_AT_ONCE - 1)) {
      left -= start.length + 1 + (values[slot]?.length ?? 0)
      if (left < 0) break
      count++
    }
    const kept = newestFirst.slice(0, count)
    // The longer, the fewer: also those that nobody sees coming may not add up to more.
    const fitting = Math.min(SLOTS, Math.max(1, Math.floor(MAX_BYTES / bytes)))
    const free = [...values.keys()].filter((slot) => slot < fitting && !kept.includes(slot))
    const slot = free[free.length === 0 ? 0 : randomInt(free.length)] ?? kept.findLast((each) => each < fitting) ?? 0
    return { slot, crowdedOut: newestFirst.slice(count).filter((each) => each !== slot) }
  }

  return {
    async begin(kind, content, { cookieHeader, crossSitePost, carried = '' }) {
      const at = clock.now()
      const bytes = Math.ceil((JSON.stringify({ ...content, at }).length * 4) / 3) + ADDED_BYTES
      const { slot, crowdedOut } = place(cookieHeader, bytes)
      const head = `${slot}${randomBytes(24).toString('base64url')}`
      const goesAlong = carried !== '' && carried.length <= MAX_CARRIED
      const state = goesAlong ? `${head}.${await sealer.sealText(carried, carriedPlace(kind, head))}` : head
      const value = timeOf(at) + (await sealer.sealText(JSON.stringify({ ...content, at }), sealedPlace(kind, state)))
      const own = setCookie(cookieOf(state), value, {
        maxAgeSeconds: ATTEMPT_MS / 1000,
        secure: cookies.secure || crossSitePost,
        sameSite: crossSitePost ? 'None' : 'Lax',
      })
      return {
        attempt: { ...content, state, at },
        cookies: [own, ...crowdedOut.map((each) => cookies.clear(`${start}${each}`))],
      }
    },
    async find(kind, state, cookieHeader) {
      const value = STATE.test(state) ? readCookie(cookieHeader, cookieOf(state)) : undefined
      if (value === undefined) return undefined
      try {
        const { plaintext } = await sealer.openText(value.slice(TIME_LENGTH), sealedPlace(kind, state))
        const content: unknown = JSON.parse(plaintext)
        const { at } = (content ?? {}) as Partial<Attempt>
        if (typeof at !== 'number' || !value.startsWith(timeOf(at))) return undefined
        return clock.now() - at < ATTEMPT_MS ? { ...(content as object), state, at } : undefined
      } catch {
        return undefined
      }
    },
    async recall(kind, state) {
      if (!STATE.test(state) || state.length === HEAD_LENGTH) return undefined
      const head = state.slice(0, HEAD_LENGTH)
      try {
        const { plaintext } = await sealer.openText(state.slice(HEAD_LENGTH + 1), carriedPlace(kind, head))
        return plaintext
      } catch {
        return undefined
      }
    },
    end: (state) => cookies.clear(cookieOf(STATE.test(state) ? state : '')),
  }
}

/** Sorts as a text: nine digits of base 36 are good until the year 5188. */
function timeOf(at: number): string {
  return `${at.toString(36).padStart(TIME_LENGTH - 1, '0')}.`
}
