/**
 * A sign-in under way: what must come back with the provider's answer is kept in a
 * cookie of its own for each attempt, so that several tabs can sign in at once.
 * Its name begins with the time, so that old ones can be told and cleared.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { readCookie } from '../http/cookies.ts'
import { cookieNames, setCookie } from '../http/set-cookie.ts'
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
/** What their cookies may come to in all: nginx takes lines of 8 KB, and a session has to fit in as well. */
const MAX_BYTES = 7_000
/** Cookies that one answer clears; proxies limit the header fields of answers too. */
const MAX_CLEARED = 10
/** What is behind the prefix in their names. Others that begin so are not ours, and perhaps cannot be cleared. */
const NAME_END = /^[0-9a-z]{9}[\w-]{8}$/
const STATE = /^[0-9a-z]{9}[\w-]{22}$/

/** See the top of the file. */
export function createTransactions(sealer: Sealer, places: Places, clock: Clock): Transactions {
  const prefix = places.cookie('~sign-in-')
  const cookieOf = (state: string) => `${prefix}${state.slice(0, 17)}`
  const sealedPlace = (state: string, integration: string) => `sign-in ${integration} ${state}`

  /** Those that there is no room for beside one of `bytes`, the oldest first. */
  function crowdedOut(cookieHeader: string | undefined, bytes: number): string[] {
    const names = cookieNames(cookieHeader).filter((name) => name.startsWith(prefix))
    const newestFirst = names
      .filter((name) => NAME_END.test(name.slice(prefix.length)))
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
      const tooMany = crowdedOut(cookieHeader, value.length).slice(0, MAX_CLEARED)
      return { transaction, cookies: [own, ...tooMany.map(places.clearCookie)] }
    },
    async find(state, integration, cookieHeader) {
      const value = STATE.test(state) ? readCookie(cookieHeader, cookieOf(state)) : undefined
      if (value === undefined) return undefined
      try {
        const { plaintext } = await sealer.openText(value, sealedPlace(state, integration))
        const transaction = asTransaction(JSON.parse(plaintext))
        if (transaction?.state !== state || transaction.integration !== integration) return undefined
        return clock.now() - transaction.at < LIFETIME_MS ? transaction : undefined
      } catch {
        return undefined
      }
    },
    end: (state) => places.clearCookie(cookieOf(STATE.test(state) ? state : '')),
  }
}

/** `undefined` for what another version of this has sealed. */
function asTransaction(value: unknown): Transaction | undefined {
  const { integration, state, nonce, verifier, returnTo, hop, at } = (value ?? {}) as Partial<Transaction>
  const texts = [integration, state, nonce, verifier, returnTo, hop ?? ''].every((text) => typeof text === 'string')
  return texts && typeof at === 'number' && URL.canParse(returnTo ?? '') ? (value as Transaction) : undefined
}
