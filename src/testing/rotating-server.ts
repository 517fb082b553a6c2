/**
 * An authorization server in a few lines: rotates refresh tokens and revokes the
 * whole family when one is used twice (RFC 9700 §4.14.2), and counts both.
 */
import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '../core/clock.ts'
import { RedeemError } from '../store/redeem-error.ts'

/** What the server hands out. */
export interface TestTokens {
  readonly access: string
  readonly refresh: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** How the server behaves. */
export interface RotatingServerOptions {
  /** Says from when on; the machine's by default. */
  readonly clock?: Clock
  /** How long access tokens from a redemption are good; an hour by default. */
  readonly lifetimeMs?: number
  /** Awaited before a refresh token is looked at. Throw to fail. */
  onRequest?(tokens: TestTokens, signal?: AbortSignal): Promise<void> | void
  /** Awaited after the token has been redeemed, before the answer. Throw to lose the answer. */
  onAnswer?(tokens: TestTokens): Promise<void> | void
}

/** See the top of the file. Tokens that come from one consent are a family. */
export interface RotatingServer {
  /** New tokens, as after consent. Expired ones (`expiresInMs: 0`) are refreshed at once. */
  issue(options?: { readonly expiresInMs?: number }): TestTokens
  /**
   * Redeems the refresh token.
   *
   * @throws RedeemError `dead` for one that was redeemed or revoked before; using one twice revokes the family.
   */
  redeem(tokens: TestTokens, signal?: AbortSignal): Promise<TestTokens>
  /** Revokes the family. */
  revoke(tokens: TestTokens): Promise<void>
  /** Whether these are the last tokens of their family, and it is not revoked. */
  isGood(tokens: TestTokens): boolean
  /** How often refresh tokens were redeemed, of the family of `tokens` or of all. */
  redemptions(tokens?: TestTokens): number
  /** How often a refresh token was used again, of the family of `tokens` or of all. */
  reuse(tokens?: TestTokens): number
}

interface Family {
  current: string
  revoked: boolean
  redemptions: number
  reuse: number
}

/** Makes one; see the top of the file. */
export function rotatingServer(options: RotatingServerOptions = {}): RotatingServer {
  const { clock = systemClock } = options
  const families = new Map<string, Family>()

  function familyOf(tokens: TestTokens): Family | undefined {
    return families.get(nameOf(tokens))
  }

  function next(name: string, family: Family, lifetimeMs: number): TestTokens {
    family.current = `${name}.${randomUUID()}`
    return { access: `access-${randomUUID()}`, refresh: family.current, expiresAt: clock.now() + lifetimeMs }
  }

  function count(what: 'redemptions' | 'reuse', tokens: TestTokens | undefined): number {
    if (tokens !== undefined) return familyOf(tokens)?.[what] ?? 0
    return [...families.values()].reduce((sum, family) => sum + family[what], 0)
  }

  return {
    issue({ expiresInMs = 3_600_000 } = {}) {
      const family = { current: '', revoked: false, redemptions: 0, reuse: 0 }
      const name = randomUUID()
      families.set(name, family)
      return next(name, family, expiresInMs)
    },
    async redeem(tokens, signal) {
      await options.onRequest?.(tokens, signal)
      signal?.throwIfAborted()
      const family = familyOf(tokens)
      if (family !== undefined && family.current !== tokens.refresh) {
        family.reuse++
        family.revoked = true
      }
      if (family === undefined || family.revoked) throw new RedeemError('dead', 'invalid_grant')
      family.redemptions++
      const redeemed = next(nameOf(tokens), family, options.lifetimeMs ?? 3_600_000)
      await options.onAnswer?.(tokens)
      return redeemed
    },
    async revoke(tokens) {
      const family = familyOf(tokens)
      if (family !== undefined) family.revoked = true
    },
    isGood(tokens) {
      const family = familyOf(tokens)
      return family !== undefined && !family.revoked && family.current === tokens.refresh
    },
    redemptions: (tokens) => count('redemptions', tokens),
    reuse: (tokens) => count('reuse', tokens),
  }
}

function nameOf({ refresh }: TestTokens): string {
  return refresh.slice(0, refresh.indexOf('.'))
}
