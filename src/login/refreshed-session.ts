/**
 * The refresh of a session: redeems, checks what has come, and reads it. What has been redeemed is never thrown away: where
 * it cannot be checked right now it is kept, and for a moment the session goes on with what was known before.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import type { TokenSet } from '../oauth/oauth-client.ts'
import { failureOf, isOfTheClient, RedeemError } from '../store/redeem-error.ts'
import type { LoginEvent } from './events.ts'
import type { Provider } from './provider.ts'
import type { SessionTokens } from './session.ts'
import { type MadeSession, makeSession } from './session-tokens.ts'

/** What a refresh works with. */
export interface RefreshParts {
  readonly verify: TokenVerifier
  readonly clock: Clock
  tell(event: Pick<LoginEvent, 'kind' | 'integration'> & Partial<LoginEvent>): void
}

/** How far what was checked may be outlived, and how long it takes at most until new tokens are looked at again. */
const UNCHECKED_MS = 300_000

/**
 * New tokens in place of `before`. Nothing is sent once `signal` has aborted.
 *
 * @throws RedeemError
 */
export async function refreshSession(
  provider: Provider,
  before: SessionTokens,
  signal: AbortSignal,
  { verify, clock, tell }: RefreshParts,
): Promise<SessionTokens> {
  const check = (set: TokenSet, cameAt = clock.now()): Promise<MadeSession> =>
    makeSession(provider, set, { verify, clock, refreshes: true, cameAt }, before).catch((error: unknown) => ({
      kind: 'unavailable',
      detail: messageOf(error),
    }))

  const kept = keptSet(before, clock.now())
  const looked = kept && (await check(kept, cameAtOf(before)))
  if (looked?.kind === 'session') return looked.tokens
  // Another redemption would bring nothing that can be checked either.
  if (looked?.kind === 'unavailable') throw new RedeemError('transient', looked.detail)

  const set = await provider.client
    .refresh(before.refreshToken ?? '', signal)
    .catch((error: unknown) => Promise.reject(asEnd(error, before, clock.now())))
  const made = await check(set)
  if (made.kind === 'bad') throw new RedeemError('dead', made.detail)
  const detail = made.kind === 'session' ? made.unchecked : made.detail
  if (detail !== undefined) {
    tell({ kind: 'refresh_failed', integration: provider.name, reason: 'unchecked', detail })
  }
  return made.kind === 'session' ? made.tokens : keeping(set, before, clock.now())
}

/** Whatever the words of a refusal mean, a session that is over can begin anew, and nothing is lost. */
function asEnd(error: unknown, { expiresAt }: SessionTokens, now: number): unknown {
  const isRefused = failureOf(error) === 'rejected' && !isOfTheClient(error)
  return isRefused && expiresAt <= now ? new RedeemError('dead', messageOf(error)) : error
}

/** The session of before with the tokens of `set`, which nobody could check. */
function keeping(set: TokenSet, before: SessionTokens, now: number): SessionTokens {
  const { accessToken, refreshToken = '', idToken, expiresInSeconds = Number.POSITIVE_INFINITY } = set
  const until = now + Math.min(expiresInSeconds * 1000, UNCHECKED_MS)
  const goesOnUntil = before.unchecked?.goesOnUntil ?? before.expiresAt + UNCHECKED_MS
  return {
    ...before,
    accessToken,
    refreshToken,
    expiresAt: Math.min(until, goesOnUntil),
    unchecked: { until, goesOnUntil, cameAt: now, ...(idToken === undefined ? {} : { idToken }) },
  }
}

/** When what was kept unchecked came: its groups are as old as that. At the earliest, where that was not kept. */
function cameAtOf({ unchecked }: SessionTokens): number | undefined {
  return unchecked && (unchecked.cameAt ?? unchecked.until - UNCHECKED_MS)
}

/** What was kept unchecked, where it is still worth a look. After a clock that was wrong it is not. */
function keptSet({ unchecked, accessToken, refreshToken }: SessionTokens, now: number): TokenSet | undefined {
  const left = (unchecked?.until ?? now) - now
  if (unchecked === undefined || accessToken === undefined || left <= 0 || left > UNCHECKED_MS) return undefined
  const { idToken } = unchecked
  return {
    accessToken,
    expiresInSeconds: left / 1000,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(idToken === undefined ? {} : { idToken }),
  }
}
