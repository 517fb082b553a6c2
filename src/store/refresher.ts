/**
 * Tokens that stay fresh: hands out a connection's tokens, refreshes them before
 * they expire, once however many callers and machines ask, and never loses what
 * has been redeemed.
 */
import { createHash, randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { withDefaults } from '../core/defaults.ts'
import { messageOf, SealError, StoreError } from '../core/errors.ts'
import { warnOfThrown } from '../core/warnings.ts'
import { createConnectionCache } from './connection-cache.ts'
import { type ConnectionRecord, decodeRecord, encodeRecord, type ReadConnection } from './connection-record.ts'
import { createLandings } from './landing.ts'
import { attemptRefresh, pauseOf } from './refresh-attempt.ts'
import { DEFAULT_TIMES, type RefreshEvent, type RefreshSettings } from './refresh-settings.ts'
import { type Key, keyText } from './token-store.ts'

/** What there is for a connection. */
export type FoundTokens<Tokens> =
  | {
      readonly kind: 'tokens'
      readonly tokens: Tokens
      /** Names these tokens; give it back as `rejected` when the resource refuses them. */
      readonly stamp: string
      /** Names the connection: the same when its tokens are refreshed, another when somebody connects anew. No secret. */
      readonly connection: string
    }
  /** There is no connection, or the person has ended it, or must consent again. */
  | { readonly kind: 'none' | 'revoked' | 'reauth_required' }
  /** The store or the authorization server does not answer, and no usable tokens are at hand: 503. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }

/** See the top of the file. */
export interface Refresher<Tokens> {
  /**
   * The tokens of a connection, refreshed if that is due. A caller who goes away does not stop a refresh.
   *
   * `rejected` is the `stamp` of tokens that the resource refused; they are refreshed if they are still the current ones.
   */
  tokens(key: Key, options?: { readonly rejected?: string }): Promise<FoundTokens<Tokens>>
  /** The tokens of a connection, where they are at hand and nothing is due. `undefined` says no more than: ask for `tokens`. */
  known(key: Key): FoundTokens<Tokens> | undefined
  /**
   * Stores a new connection in place of whatever was there, also where that cannot be opened any more. It is gone after
   * `ttlMs`, refreshed or not; by default it stays until it is ended.
   */
  connect(key: Key, tokens: Tokens, options?: { readonly ttlMs?: number }): Promise<void>
  /**
   * Ends a connection, here at once and at the authorization server where it offers that; whether there was one. The server is
   * waited for up to `revokeWaitMs` and asked on behind that. Where the store fails, it has to be done again.
   */
  disconnect(key: Key): Promise<boolean>
  /**
   * Begins nothing new and waits for redemptions under way (up to `maxRedeemMs`), then for redeemed tokens to be written
   * (up to `drainMs`), and for revocations. Does not close the store.
   */
  close(): Promise<void>
}

/** A refresh under way in this process. */
interface Running {
  readonly done: Promise<void>
  /** Resolves when there are new tokens that cannot be stored yet. */
  readonly held: Promise<void>
  /** The connection was ended or made anew meanwhile: the refresh has nothing for anybody. */
  ended: boolean
}

/** What became of a record. */
interface Replaced<Tokens> {
  readonly before: ConnectionRecord<Tokens> | undefined
  /** What the store failed with where it cannot be told whether the new record was written. */
  readonly unanswered?: unknown
}

const MAX_CONFLICTS = 50

/** A refresher over `settings.store`. Any number of processes may have one over the same store. */
export function createRefresher<Tokens>(settings: RefreshSettings<Tokens>): Refresher<Tokens> {
  const { store, clock = systemClock } = settings
  const times = withDefaults(DEFAULT_TIMES, settings.times)
  const cache = createConnectionCache<Tokens>(store, times.cacheMs)
  const running = new Map<string, Running>()
  const revocations = new Set<Promise<void>>()
  const stamps = new WeakMap<object, string>()
  const closing = new AbortController()
  // One for each connection that is waited for.
  setMaxListeners(0, closing.signal)
  const landings = createLandings<Tokens>({
    store,
    times,
    cache,
    now: () => clock.now(),
    report,
    revoke: revokeUpstream,
  })
  // Every caller spreads its early refresh differently, so that replicas do not all ask at once.
  const jitter = 1 - Math.random() / 10

  function report(key: Key, kind: RefreshEvent['kind'], detail?: string): void {
    try {
      settings.report?.(detail === undefined ? { key, kind } : { key, kind, detail })
    } catch (error) {
      // Never in the way of tokens that must be written.
      warnOfThrown(settings, 'SALLYPORT_LISTENER', 'report() of a refresher', error)
    }
  }

  /** `due`: should be refreshed; `expired`: cannot be used before. */
  function freshness(record: ConnectionRecord<Tokens>): 'fresh' | 'due' | 'expired' {
    if (record.tokens === undefined) return 'expired'
    const expiresAt = settings.expiresAt(record.tokens)
    if (expiresAt === undefined) return 'fresh'
    const now = clock.now()
    if (expiresAt <= now) return 'expired'
    // A fifth of the whole time: tokens for a minute would be due as soon as they are there, all the time.
    const early = Math.min(times.earlyMs, (expiresAt - (record.obtainedAt ?? now)) / 5) * jitter
    return expiresAt - now <= early && settings.canRefresh(record.tokens) ? 'due' : 'fresh'
  }

  /** Names a record's tokens; the same for the same tokens, also when the record was sealed anew. */
  function stampOf(record: ConnectionRecord<Tokens>): string {
    let stamp = stamps.get(record)
    if (stamp === undefined) {
      const text = JSON.stringify([record.connection, record.tokens])
      stamp = createHash('sha256').update(text).digest('base64url').slice(0, 22)
      stamps.set(record, stamp)
    }
    return stamp
  }

  function usable(record: ConnectionRecord<Tokens>, tokens: Tokens): FoundTokens<Tokens> {
    return { kind: 'tokens', tokens, stamp: stampOf(record), connection: record.connection }
  }

  function found(read: ReadConnection<Tokens> | undefined): FoundTokens<Tokens> {
    if (read === undefined) return { kind: 'none' }
    const { state, tokens } = read.record
    if (state === 'revoked' || state === 'reauth_required') return { kind: state }
    if (tokens === undefined) return { kind: 'reauth_required' }
    if (freshness(read.record) !== 'expired') return usable(read.record, tokens)
    if (!settings.canRefresh(tokens)) return { kind: 'reauth_required' }
    return { kind: 'unavailable', retryAfterMs: retryAfter(read.record) }
  }

  async function tokens(key: Key, { rejected }: { readonly rejected?: string } = {}): Promise<FoundTokens<Tokens>> {
    const wasRejected = ({ record }: ReadConnection<Tokens>) => rejected !== undefined && stampOf(record) === rejected
    /** What a caller gets without (further) refresh: anything but the tokens that it has seen refused. */
    const answer = (read: ReadConnection<Tokens> | undefined): FoundTokens<Tokens> =>
      read !== undefined && wasRejected(read) && refreshable(read.record)
        ? { kind: 'unavailable', retryAfterMs: retryAfter(read.record) }
        : found(read)

    const held = foundHeld(key)
    if (held !== undefined) return held
    try {
      // What was refused is perhaps only what is cached here.
      let current = await cache.read(key, rejected !== undefined)
      if (current === undefined || !needsRefresh(current, rejected)) return found(current)
      const usable = freshness(current.record) !== 'expired' && !wasRejected(current)
      if (!usable && isBackingOff(current.record)) current = await cache.read(key, true)
      if (current === undefined || !needsRefresh(current, rejected) || isBackingOff(current.record)) {
        return answer(current)
      }
      const refresh = refreshOnce(key, rejected)
      // Still good: nobody waits, and a failure shows up when it matters.
      if (usable) return found(current)
      await within(times.waitMs, Promise.race([refresh.done, refresh.held]))
      return foundHeld(key) ?? answer(await cache.read(key, true))
    } catch (error) {
      if (error instanceof StoreError || error instanceof WaitedTooLong)
        return { kind: 'unavailable', retryAfterMs: 1_000 }
      throw error
    }
  }

  function known(key: Key): FoundTokens<Tokens> | undefined {
    if (landings.held(key) !== undefined) return undefined
    const record = cache.known(key)?.record
    if (record?.state !== 'connected' || record.tokens === undefined || freshness(record) !== 'fresh') return undefined
    return usable(record, record.tokens)
  }

  function refreshable({ state, tokens: own }: ConnectionRecord<Tokens>): boolean {
    return own !== undefined && (state === 'connected' || state === 'refreshing') && settings.canRefresh(own)
  }

  function needsRefresh({ record }: ReadConnection<Tokens>, rejected: string | undefined): boolean {
    if (!refreshable(record)) return false
    return freshness(record) !== 'fresh' || (rejected !== undefined && stampOf(record) === rejected)
  }

  function isBackingOff(record: ConnectionRecord<Tokens>): boolean {
    return pauseOf(record, times, clock.now()) > 0
  }

  function retryAfter(record: ConnectionRecord<Tokens>): number {
    return Math.max(1_000, pauseOf(record, times, clock.now()))
  }

  /** Tokens that wait to be written, if they do, and not for so long that the connection may well have been ended elsewhere. */
  function foundHeld(key: Key): FoundTokens<Tokens> | undefined {
    const held = landings.held(key)
    if (held === undefined || clock.now() - held.obtainedAt > times.maxRedeemMs) return undefined
    const { connection, tokens: own } = held
    return found({ record: { state: 'connected', connection, tokens: own }, version: '' })
  }

  /** One refresh of a connection at a time in this process. */
  function refreshOnce(key: Key, rejected: string | undefined): Running {
    const text = keyText(key)
    const before = running.get(text)
    if (before !== undefined) return before
    let onHeld = (): void => {}
    const held = new Promise<void>((resolve) => {
      onHeld = resolve
    })
    const done = refreshNow(key, rejected, () => {
      if (refresh.ended) return false
      onHeld()
      return true
    }).finally(() => {
      running.delete(text)
      cache.forget(key)
    })
    // Whoever waits hears of it; with tokens that are still good nobody does.
    done.catch((error: unknown) => report(key, 'failed', messageOf(error)))
    const refresh: Running = { done, held, ended: false }
    running.set(text, refresh)
    return refresh
  }

  /** Refreshes, or waits for whoever is at it. */
  async function refreshNow(key: Key, rejected: string | undefined, onHeld: () => boolean): Promise<void> {
    const needed = (read: ReadConnection<Tokens>) => needsRefresh(read, rejected)
    const until = performance.now() + times.waitMs
    for (let delay = 20; performance.now() < until && !closing.signal.aborted; delay = Math.min(500, delay * 2)) {
      const startedAt = performance.now()
      const lease = await store.lease(key, times.leaseMs)
      if (lease !== undefined) {
        try {
          const ended = await attemptRefresh(key, lease, startedAt, {
            store,
            times,
            closing: closing.signal,
            redeem: settings.redeem,
            needed,
            spent: (record) =>
              freshness(record) === 'expired' || (rejected !== undefined && stampOf(record) === rejected),
            now: () => clock.now(),
            report: (kind, detail) => report(key, kind, detail),
            land: (redeemed) => landings.start(key, redeemed, onHeld),
          })
          // Also where the new tokens need a refresh already: one redemption for one question.
          if (ended) return
        } finally {
          await lease.release().catch(() => {}) // it runs out by itself
        }
      }
      const now = await cache.read(key, true)
      if (now === undefined || !needed(now) || isBackingOff(now.record)) return
      await pause(delay * (0.5 + Math.random()), undefined, { signal: closing.signal }).catch(() => {})
    }
  }

  async function revokeUpstream(key: Key, unwanted: Tokens): Promise<void> {
    try {
      await settings.revoke?.(unwanted)
    } catch (error) {
      report(key, 'revocation_failed', messageOf(error))
    }
  }

  /** It has ended here already: whoever ends it does not wait for a server that hangs. */
  async function revokeBehind(key: Key, unwanted: Tokens): Promise<void> {
    const revocation: Promise<void> = revokeUpstream(key, unwanted).finally(() => revocations.delete(revocation))
    revocations.add(revocation)
    await within(times.revokeWaitMs, revocation).catch(() => {}) // too late is all that it says
  }

  async function within(ms: number, work: Promise<void>): Promise<void> {
    const timer = new AbortController()
    const late = pause(ms, undefined, { signal: timer.signal, ref: false }).then(() => {
      throw new WaitedTooLong()
    })
    late.catch(() => {})
    try {
      await Promise.race([work, late])
    } finally {
      timer.abort()
    }
  }

  /** Replaces the record whatever it is at the moment. */
  async function replace(
    key: Key,
    next: (before: ConnectionRecord<Tokens> | undefined) => ConnectionRecord<Tokens> | undefined,
    ttlMs?: number,
  ): Promise<Replaced<Tokens>> {
    for (let tries = 0; tries < MAX_CONFLICTS; tries++) {
      const found = await readOrRemove(key)
      const before = found?.record
      const record = next(before)
      if (record === undefined) return { before }
      const options = { ifVersion: found?.version ?? null, ...(ttlMs === undefined ? {} : { ttlMs }) }
      try {
        const written = await store.put(key, encodeRecord(record), options)
        cache.forget(key)
        if (written !== 'conflict') return { before }
      } catch (error) {
        cache.forget(key)
        const written = await wasWritten(key, record)
        if (written === undefined) return { before, unanswered: error }
        if (!written) throw error
        return { before }
      }
      await pause(Math.random() * 20)
    }
    throw new StoreError(`the connection ${keyText(key)} keeps changing`)
  }

  /** Whether a record is there though the store has failed to say so; `undefined` where it cannot be asked either. */
  async function wasWritten(key: Key, { state, connection }: ConnectionRecord<Tokens>): Promise<boolean | undefined> {
    try {
      const found = await store.get(key)
      const now = found && decodeRecord<Tokens>(found.value)
      // What is new may have been refreshed or ended since.
      return now?.connection === connection && (state !== 'revoked' || now.state === 'revoked')
    } catch {
      return undefined
    }
  }

  /** The connection. One that cannot be opened or understood is removed, or its owner could never get rid of it. */
  async function readOrRemove(key: Key): Promise<ReadConnection<Tokens> | undefined> {
    try {
      return await cache.read(key, true)
    } catch (error) {
      if (!(error instanceof SealError || error instanceof SyntaxError)) throw error
      await store.delete(key)
      // Here it may have been read when it still opened.
      cache.forget(key)
      return undefined
    }
  }

  /** Whatever is under way is about a connection that is no more. */
  function endRefreshes(key: Key): void {
    const refresh = running.get(keyText(key))
    if (refresh !== undefined) refresh.ended = true
    landings.forget(key)
  }

  return {
    tokens,
    known,
    async connect(key, fresh, options) {
      const obtainedAt = Math.round(clock.now())
      const record = { state: 'connected', connection: randomUUID(), tokens: fresh, obtainedAt } as const
      const { unanswered } = await replace(key, () => record, options?.ttlMs)
      if (unanswered !== undefined) throw unanswered
      endRefreshes(key)
    },
    async disconnect(key) {
      const { before, unanswered } = await replace(
        key,
        (now) =>
          now === undefined || now.state === 'revoked' ? undefined : { state: 'revoked', connection: now.connection },
        times.tombstoneMs,
      )
      // What waits to be written is revoked by whoever finds that it cannot be.
      const held = landings.held(key) !== undefined
      endRefreshes(key)
      if (before === undefined || before.state === 'revoked') return false
      // Nobody may find them again, so this also happens where nobody knows whether the record is gone.
      if (before.tokens !== undefined && !held) await revokeBehind(key, before.tokens)
      if (unanswered !== undefined) throw new HalfEnded(messageOf(unanswered), { cause: unanswered })
      return true
    },
    async close() {
      closing.abort()
      const refreshes = [...running.values()].map(({ done }) => done)
      await Promise.allSettled([landings.drain(), ...refreshes, ...revocations])
      cache.close()
    },
  }
}

/** The tokens of a connection were revoked, and the store does not say whether its record is gone. */
export class HalfEnded extends StoreError {}

/** What others do takes longer than a caller can wait. */
class WaitedTooLong extends Error {}
