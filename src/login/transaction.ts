/**
 * A sign-in under way: what must come back with the provider's answer is kept in a
 * cookie of its own for each attempt, so that several tabs can sign in at once.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { type Attempt, createAttemptCookies } from '../http/attempt-cookies.ts'
import { safeReturnTo } from '../match/return-to.ts'
import type { Places } from './places.ts'
import { jsonOf } from './session.ts'

/** What is remembered of an attempt. */
export interface Transaction extends Attempt {
  readonly integration: string
  readonly nonce: string
  readonly verifier: string
  /** Where the person wanted to go: an absolute URL of ours. */
  readonly returnTo: string
  /** For another of our origins: the digest of what its browser keeps (see `hand-off.ts`). */
  readonly hop?: string
}

/** What is wished of an attempt. */
export interface SignInWish extends Pick<Transaction, 'returnTo' | 'hop'> {
  /** OpenID Connect Core §3.1.2.1 */
  readonly prompt?: string
  /** How often it has been begun anew. */
  readonly renewals?: number
}

/** Keeps transactions. */
export interface Transactions {
  /** Remembers an attempt; its `Set-Cookie` lines clear the oldest where there are many. */
  begin(
    integration: string,
    wish: SignInWish,
    cookieHeader: string | undefined,
    crossSitePost: boolean,
  ): Promise<{ readonly transaction: Transaction; readonly cookies: readonly string[] }>
  /** The attempt that `state` names; `undefined` for one that this browser has not begun, or too long ago. */
  find(state: string, integration: string, cookieHeader: string | undefined): Promise<Transaction | undefined>
  /** What `state` says of one that is not found; `undefined` where it says nothing, as where the address was long. */
  recall(state: string, integration: string): Promise<SignInWish | undefined>
  /** The `Set-Cookie` line that ends the attempt. */
  end(state: string): string
}

/** See the top of the file. */
export function createTransactions(sealer: Sealer, places: Places, clock: Clock): Transactions {
  const attempts = createAttemptCookies({ sealer, cookies: places.cookies, prefix: '~sign-in-', clock })
  const kindOf = (integration: string) => `sign-in ${integration}`

  return {
    async begin(integration, wish, cookieHeader, crossSitePost) {
      const random = () => randomBytes(32).toString('base64url')
      const { returnTo, hop } = wish
      const content = { integration, returnTo, ...(hop && { hop }), nonce: random(), verifier: random() }
      const how = { cookieHeader, crossSitePost, carried: JSON.stringify(wish) }
      const { attempt, cookies } = await attempts.begin(kindOf(integration), content, how)
      return { transaction: attempt, cookies }
    },
    async find(state, integration, cookieHeader) {
      const found = asTransaction(await attempts.find(kindOf(integration), state, cookieHeader))
      return found?.integration === integration ? found : undefined
    },
    async recall(state, integration) {
      const carried = await attempts.recall(kindOf(integration), state)
      return carried === undefined ? undefined : asWish(jsonOf(carried), places)
    },
    end: attempts.end,
  }
}

/** `undefined` for what another version of this has sealed. */
function asTransaction(attempt: Attempt | undefined): Transaction | undefined {
  const { integration, nonce, verifier, returnTo, hop } = (attempt ?? {}) as Partial<Transaction>
  const texts = [integration, nonce, verifier, returnTo, hop ?? ''].every((text) => typeof text === 'string')
  return texts && URL.canParse(returnTo ?? '') ? (attempt as Transaction) : undefined
}

/** `undefined` for what another version or configuration has sealed. */
function asWish(value: unknown, { login, origins }: Places): SignInWish | undefined {
  const { returnTo, hop, prompt, renewals } = (value ?? {}) as Partial<SignInWish>
  const target = typeof returnTo === 'string' ? safeReturnTo(returnTo, login, origins) : undefined
  if (target === undefined) return undefined
  return {
    returnTo: target,
    ...(typeof hop === 'string' ? { hop } : {}),
    ...(typeof prompt === 'string' ? { prompt } : {}),
    ...(typeof renewals === 'number' ? { renewals } : {}),
  }
}
