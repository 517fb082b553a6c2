/**
 * The last step of a refresh: tokens that have been redeemed are written, for as
 * long as it takes, since the old refresh token is worthless from now on. They
 * never overwrite a connection that was ended or made anew meanwhile.
 */
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import type { ConnectionCache } from './connection-cache.ts'
import { encodeRecord } from './connection-record.ts'
import type { RefreshEvent, RefreshSettings, RefreshTimes } from './refresh-settings.ts'
import { type Key, keyText } from './token-store.ts'

/** Tokens that have been redeemed and not been written. */
export interface Redeemed<Tokens> {
  readonly connection: string
  readonly attempt: string
  readonly tokens: Tokens
  /** Names those that they were redeemed for: {@link stampOfTokens}. */
  readonly before: string
  /** Of the record that the attempt wrote last. */
  readonly version: string
  /** Epoch milliseconds. */
  readonly obtainedAt: number
}

/** What landing works with. */
export interface LandingContext<Tokens> extends Pick<RefreshSettings<Tokens>, 'store'> {
  readonly times: RefreshTimes
  readonly cache: ConnectionCache<Tokens>
  now(): number
  report(key: Key, kind: RefreshEvent['kind'], detail?: string): void
  revoke(key: Key, tokens: Tokens): Promise<void>
}

/** See the top of the file. */
export interface Landings<Tokens> {
  /**
   * Writes the tokens until they are stored or superseded.
   *
   * @param onHeld - called when that takes time: callers get them from {@link Landings.held} meanwhile
   */
  start(key: Key, redeemed: Redeemed<Tokens>, onHeld: () => boolean): Promise<void>
  /** Tokens that wait to be written, where the store does not answer. */
  held(key: Key): Redeemed<Tokens> | undefined
  /** The connection was ended or made anew: nobody gets tokens that wait any more. */
  forget(key: Key): void
  /** Gives up what cannot be written within `drainMs`, and waits for that. */
  drain(): Promise<void>
}

/** Names tokens, whatever record they stand in. */
export function stampOfTokens(tokens: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(tokens) ?? '')
    .digest('base64url')
}

/** A store that has not answered for so long is taken to be away for the moment. */
const HOLD_AFTER_MS = 1_000

/** See {@link Landings}. */
export function createLandings<Tokens>(context: LandingContext<Tokens>): Landings<Tokens> {
  const { store, times, cache, now, report } = context
  const landings = new Set<Promise<void>>()
  const waiting = new Map<string, Redeemed<Tokens>>()
  let drainingSince = Number.POSITIVE_INFINITY

  async function land(key: Key, redeemed: Redeemed<Tokens>, hold: () => void): Promise<void> {
    const { connection, attempt, tokens, obtainedAt } = redeemed
    const value = encodeRecord<Tokens>({ state: 'connected', connection, tokens, obtainedAt })
    const began = performance.now()
    let { version } = redeemed
    let told = false
    for (let delay = 20; ; delay = Math.min(500, delay * 2)) {
      try {
        if ((await store.put(key, value, { ifVersion: version, ttlMs: 'keep' })) !== 'conflict')
          return report(key, 'refreshed')
        const current = await cache.read(key, true)
        const { record } = current ?? {}
        if (
          current === undefined ||
          record === undefined ||
          record.state === 'revoked' ||
          record.connection !== connection
        ) {
          // Some servers end the new connection with any token of the one before: what nobody gets is left to run out.
          if (record?.state === 'connected' || record?.state === 'refreshing')
            return report(key, 'superseded', 'connected again meanwhile: what was redeemed is left to run out')
          // The person has ended this connection: nobody must be left holding a token of it.
          report(key, 'revoked_late')
          return await context.revoke(key, tokens)
        }
        if (record.state === 'connected') {
          const stored = stampOfTokens(record.tokens)
          // The very tokens, where the answer to an earlier write got lost.
          if (stored === stampOfTokens(tokens)) return report(key, 'refreshed')
          if (stored !== redeemed.before) return report(key, 'superseded')
          // Worthless since we have redeemed them: a successor has failed, or the store has lost the attempt (a failover).
          version = current.version
          continue
        }
        // Ours, sealed anew meanwhile; or a successor has failed with the old refresh token, since we had redeemed it.
        // A successor that is still at it decides first.
        const others = record.state === 'refreshing' && record.attempt?.id !== attempt
        if (!others || (record.attempt?.deadline ?? 0) + times.graceMs < now()) {
          version = current.version
          continue
        }
      } catch (error) {
        // Whatever it is, giving up would lose the tokens.
        if (!told) report(key, 'unwritten', messageOf(error))
        told = true
        hold()
      }
      if (performance.now() >= Math.max(drainingSince, began) + times.drainMs) return report(key, 'lost')
      await pause(delay)
    }
  }

  return {
    start(key, redeemed, onHeld) {
      const text = keyText(key)
      let over = false
      const hold = () => {
        if (!over && onHeld()) waiting.set(text, redeemed)
      }
      const timer = setTimeout(hold, HOLD_AFTER_MS)
      const landing: Promise<void> = land(key, redeemed, hold).finally(() => {
        over = true
        clearTimeout(timer)
        if (waiting.get(text) === redeemed) waiting.delete(text)
        cache.forget(key)
        landings.delete(landing)
      })
      landings.add(landing)
      return landing
    },
    // Asked for every request, and nearly always there is nothing.
    held: (key) => (waiting.size === 0 ? undefined : waiting.get(keyText(key))),
    forget: (key) => void waiting.delete(keyText(key)),
    async drain() {
      drainingSince = Math.min(drainingSince, performance.now())
      await Promise.allSettled(landings)
    },
  }
}
