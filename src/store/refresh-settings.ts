/** What the fenced refresh works with: the store, the authorization server, and times. */
import type { Clock } from '../core/clock.ts'
import type { Key, TokenStore } from './token-store.ts'

/** All in milliseconds. */
export interface RefreshTimes {
  /**
   * Tokens are refreshed in the background so long before they expire (at most a fifth of the time that they are good in
   * all), less up to a tenth at random. 60,000 by default.
   */
  readonly earlyMs: number
  /** How long a lease lasts without renewal; a killed process holds others up for as long. 15,000 by default. */
  readonly leaseMs: number
  /** An attempt must be over by so much before its lease ends. 3,000 by default. */
  readonly marginMs: number
  /**
   * The longest redemption, over renewals of the lease; and how long tokens that were redeemed and cannot be written are
   * handed out. 60,000 by default.
   */
  readonly maxRedeemMs: number
  /** After a dead attempt's deadline, its process has so long to show that it was not dead. 2,000 by default. */
  readonly graceMs: number
  /** The longest that a caller waits for somebody else's refresh. 30,000 by default. */
  readonly waitMs: number
  /** Pause after the first failed refresh; doubles up to `maxBackoffMs`. 1,000 and 300,000 by default. */
  readonly backoffMs: number
  /** See `backoffMs`. */
  readonly maxBackoffMs: number
  /** How long a looked-up connection is believed without asking the store: the bound on staleness. 5,000 by default; 0 for never. */
  readonly cacheMs: number
  /** The longest that whoever ends a connection waits for the authorization server to hear of it. 2,000 by default. */
  readonly revokeWaitMs: number
  /** How long a connection that was ended is remembered as such. 30 days by default. */
  readonly tombstoneMs: number
  /** How long `close()` goes on trying to write redeemed tokens, once they are redeemed. 10,000 by default. */
  readonly drainMs: number
}

/** What the times are where nothing else is said. */
export const DEFAULT_TIMES: RefreshTimes = {
  earlyMs: 60_000,
  leaseMs: 15_000,
  marginMs: 3_000,
  maxRedeemMs: 60_000,
  graceMs: 2_000,
  waitMs: 30_000,
  backoffMs: 1_000,
  maxBackoffMs: 300_000,
  cacheMs: 5_000,
  revokeWaitMs: 2_000,
  tombstoneMs: 30 * 24 * 3_600_000,
  drainMs: 10_000,
}

/** What happened, for the operator. Never holds a token. */
export interface RefreshEvent {
  /** Of the connection. */
  readonly key: Key
  /** What happened. */
  readonly kind: /** New tokens are stored. */
    | 'refreshed'
    /** The refresh token is dead; the person must consent again. */
    | 'reauth_required'
    /** Not redeemed; see `detail`. */
    | 'failed'
    /** An attempt of a process that is gone was taken over. */
    | 'taken_over'
    /** Tokens redeemed too late: others have been stored, or the person has connected again, and that stays. */
    | 'superseded'
    /** Tokens redeemed for a connection that was ended meanwhile; they were revoked. */
    | 'revoked_late'
    /** Redeemed tokens cannot be written yet; this process serves them from memory meanwhile. */
    | 'unwritten'
    /** Redeemed tokens could not be written before `close()` gave up. */
    | 'lost'
    /** The authorization server did not take a revocation. */
    | 'revocation_failed'
  /** Why, in one line, of failures. */
  readonly detail?: string
}

/** What a refresher needs. `Tokens` is plain data that survives JSON. */
export interface RefreshSettings<Tokens> {
  /** Where connections are kept; sealed, since tokens are in them. */
  readonly store: TokenStore
  /**
   * Redeems the refresh token at the authorization server. Must give up when `signal` aborts. Returns all tokens, with
   * the old refresh token where the server sent no new one.
   *
   * @throws RedeemError saying what kind of failure it was; anything else counts as `transient`.
   */
  redeem(tokens: Tokens, signal: AbortSignal): Promise<Tokens>
  /**
   * Revokes tokens at the authorization server (RFC 7009), where it offers that: those of a connection that was ended. Where it was
   * made anew meanwhile, nothing is revoked, since some servers would end the new one too.
   */
  revoke?(tokens: Tokens): Promise<void>
  /** When the access token expires, in epoch milliseconds; `undefined` when the server did not say. */
  expiresAt(tokens: Tokens): number | undefined
  /** Whether there is anything to redeem. */
  canRefresh(tokens: Tokens): boolean
  /** Those that are to differ from the defaults. */
  readonly times?: Partial<RefreshTimes>
  /** The system's by default. */
  readonly clock?: Clock
  /** Told of what happens. What it throws is a warning of the process. */
  report?(event: RefreshEvent): void
}
