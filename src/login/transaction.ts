/**
 * A sign-in under way: what must come back with the provider's answer is kept in a
 * cookie of its own for each attempt, so that several tabs can sign in at once.
 * Its name begins with the time, so that old ones can be told and cleared.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { readCookie } from '../http/cookies.ts'
import { clearCookie, cookieNames, setCookie } from '../http/set-cookie.ts'
import type { Places } from './places.ts'

/** What is remembered of an attempt. */
export interface Transaction {
  readonly integration: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  /** Where the person wanted to go: an absolute URL of ours. */
  readonly returnTo: string
  /** For another of our origins: the digest of what its browser keeps (see `hand-off.ts`). */
  readonly hop?: string
  /** Epoch milliseconds. */
  readonly at: number
}

/** Keeps transactions. */
export interface Transactions {
  /** Remembers an attempt; its `Set-Cookie` lines clear the oldest where there are many. */
  begin(
    attempt: Pick<Transaction, 'integration' | 'returnTo' | 'hop'>,
    cookieHeader: string | undefined,
    crossSitePost: boolean,
  ): Promise<{ readonly transaction: Transaction; readonly cookies: readonly string[] }>
  /** The attempt that `state` names; `undefined` for one that this browser has not begun, or too long ago. */
  find(state: string, integration: string, cookieHeader: string | undefined): Promise<Transaction | undefined>
  /** The `Set-Cookie` line that ends the attempt. */
  end(state: string): string
}

/** People look for their phone, and some have to reset a password. */
const LIFETIME_MS = 30 * 60_000
const MAX_AT_ONCE = 5
const STATE = /^[0-9a-z]{9}[\w-]{22}$/

/** See the top of the file. */
export function createTransactions(sealer: Sealer, places: Places, clock: Clock): Transactions {
  const prefix = places.cookie('~sign-in-')
  const cookieOf = (state: string) => `${prefix}${state.slice(0, 17)}`
  const sealedPlace = (state: string, integration: string) => `sign-in ${integration} ${state}`
  const clearing = (name: string) => clearCookie(name, { secure: places.secure, sameSite: 'Lax' })

  return {
    async begin(attempt, cookieHeader, crossSitePost) {
      const at = clock.now()
      // Nine digits of base 36 are good until the year 5188.
      const state = at.toString(36).padStart(9, '0') + randomBytes(16).toString('base64url')
      const random = () => randomBytes(32).toString('base64url')
      const transaction: Transaction = { ...attempt, state, nonce: random(), verifier: random(), at }
      const value = await sealer.sealText(JSON.stringify(transaction), sealedPlace(state, attempt.integration))
      const own = setCookie(cookieOf(state), value, {
        maxAgeSeconds: LIFETIME_MS / 1000,
        secure: places.secure || crossSitePost,
        sameSite: crossSitePost ? 'None' : 'Lax',
      })
      const older = cookieNames(cookieHeader).filter((name) => name.startsWith(prefix))
      const tooMany = older.sort().slice(0, Math.max(0, older.length + 1 - MAX_AT_ONCE))
      return { transaction, cookies: [own, ...tooMany.map(clearing)] }
    },
    async find(state, integration, cookieHeader) {
      const value = STATE.test(state) ? readCookie(cookieHeader, cookieOf(state)) : undefined
      if (value === undefined) return undefined
      try {
        const { plaintext } = await sealer.openText(value, sealedPlace(state, integration))
        const transaction: Transaction = JSON.parse(plaintext)
        return clock.now() - transaction.at < LIFETIME_MS ? transaction : undefined
      } catch {
        return undefined
      }
    },
    end: (state) => clearing(cookieOf(STATE.test(state) ? state : '')),
  }
}
