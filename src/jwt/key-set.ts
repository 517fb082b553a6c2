/**
 * The keys of one identity provider, fetched when needed and kept in step: renewed
 * in the background before they go stale, kept past failures up to a hard ceiling,
 * one fetch at a time, with growing pauses after failures.
 *
 * Key ids that are not in the set lead to another fetch, since providers rotate.
 * Anybody can make up key ids, so these fetches are spaced out; whoever asks in
 * between waits for the next one instead of being turned away, so a flood of made-up
 * ids delays a real rotation by seconds and cannot hide it.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import { FetchError, messageOf } from '../core/errors.ts'
import { keyFits, type RefusedKey, readJwkSet, type VerificationKey } from './jwk.ts'

/** When keys are fetched. All in milliseconds. */
export interface KeySetTimes {
  /** Age at which the keys are renewed in the background. */
  readonly refreshMs: number
  /** Age at which a request waits for the renewal, unless the provider is known to be failing. */
  readonly staleMs: number
  /** Age at which keys are no longer used, whatever happens. */
  readonly ceilingMs: number
  /** Pause after the first failed fetch; doubles with each further one. */
  readonly backoffMs: number
  readonly maxBackoffMs: number
  /** Pause between two fetches for the sake of unknown key ids; doubles while they find nothing. */
  readonly lookMs: number
  readonly maxLookMs: number
}

/** What happened to a key set, for the operator. */
export type KeySetEvent =
  | { readonly kind: 'loaded'; readonly keys: number; readonly refused: readonly RefusedKey[] }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryInMs: number }

/** No usable keys at present; the answer is 503, never 401. */
export class KeysUnavailable extends Error {
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super('the keys of the identity provider are not available')
    this.name = 'KeysUnavailable'
    this.retryAfterMs = retryAfterMs
  }
}

/** See the top of the file. */
export interface KeySet {
  /** Another number once there are keys that were not there before. */
  readonly version: number
  /** Whether the keys at hand may be used at `now`; starts a renewal that is due. Runs on every request. */
  settled(now: number): boolean
  /** Waits for keys. Rejects with {@link KeysUnavailable}. */
  settle(): Promise<void>
  /** The keys that may have made a signature. */
  find(kid: string | undefined, alg: string): readonly VerificationKey[]
  /** Fetches again for a key that was not found; `false` when this was done only just now. Rejects with {@link KeysUnavailable}, at once while the provider is known to be failing. */
  lookAgain(kid: string | undefined): Promise<boolean>
  close(): void
}

/** A missing key id is not looked for again for so long. */
const MISSING_MS = 5_000
/** After so long without a look, the next ones start with the short pause again. */
const QUIET_MS = 60_000
const MAX_MISSING = 1_000
const MAX_WAITING = 1_000

/**
 * Fetches the JWK set document.
 *
 * @param looking - for a key id that is not in the set as it is known, so that the set may have moved
 */
export type LoadKeys = (looking: boolean) => Promise<unknown>

/** A key set over `load`. */
export function createKeySet(
  load: LoadKeys,
  clock: Clock,
  times: KeySetTimes,
  report: (event: KeySetEvent) => void,
): KeySet {
  let keys: readonly VerificationKey[] = []
  let loadedAt = Number.NEGATIVE_INFINITY
  let version = 0
  let failures = 0
  let failedAt = Number.NEGATIVE_INFINITY
  let pauseMs = 0
  let inFlight: Promise<void> | undefined
  let closed = false

  let look: Promise<void> | undefined
  let endLookPause: (() => void) | undefined
  let waiting = 0
  let lookPauseMs = times.lookMs
  let lastLookAt = Number.NEGATIVE_INFINITY
  /** By a digest: anybody makes them up, as long as a header can be. */
  const missing = new LRUCache<string, number>({ max: MAX_MISSING, ttl: MISSING_MS })

  /** Fetches, unless that is under way already. Resolves also when it fails; the state tells. */
  function refresh(looking = false): Promise<void> {
    inFlight ??= attempt(looking).finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  async function attempt(looking: boolean): Promise<void> {
    const startedAt = clock.now()
    try {
      const set = await readJwkSet(await load(looking))
      if (set === undefined) throw new FetchError('what the identity provider sent is not a JWK set')
      adopt(set.keys)
      loadedAt = startedAt
      failures = 0
      report({ kind: 'loaded', keys: keys.length, refused: set.refused })
    } catch (error) {
      const retryInMs = Math.min(times.maxBackoffMs, times.backoffMs * 2 ** failures) * (0.75 + Math.random() / 2)
      failures++
      failedAt = clock.now()
      pauseMs = retryInMs
      report({ kind: 'failed', reason: messageOf(error), retryInMs })
    }
  }

  /** Takes over a new set, keeping the objects of keys that stay; what they verified stays good. */
  function adopt(fetched: readonly VerificationKey[]): void {
    const before = new Map(keys.map((key) => [key.thumbprint, key]))
    const after = new Map(fetched.map((key) => [key.thumbprint, before.get(key.thumbprint) ?? key]))
    for (const [thumbprint, key] of before) if (!after.has(thumbprint)) key.removed = true
    if ([...after.keys()].some((thumbprint) => !before.has(thumbprint))) {
      version++
      lookPauseMs = times.lookMs
      missing.clear()
    }
    missing.purgeStale()
    keys = [...after.values()]
  }

  /** Whether the pause after a failure is over. In all of this a clock that is set back must not make anything last longer. */
  function attemptDue(now: number): boolean {
    return now < failedAt || now - failedAt >= pauseMs
  }

  function ageAt(now: number): number {
    if (now < loadedAt) loadedAt = now
    return now - loadedAt
  }

  function unavailable(): KeysUnavailable {
    const sinceFailure = Math.max(0, clock.now() - failedAt)
    return new KeysUnavailable(Math.max(times.backoffMs, pauseMs - sinceFailure))
  }

  /** One fetch for everybody who misses a key, after the pause since the last such fetch. */
  function scheduleLook(): Promise<void> {
    const sinceLast = Math.max(0, clock.now() - lastLookAt)
    if (sinceLast > QUIET_MS) lookPauseMs = times.lookMs
    look ??= new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, lookPauseMs - sinceLast)).unref()
      endLookPause = () => {
        clearTimeout(timer)
        resolve()
      }
    }).then(async () => {
      // A fetch that is under way may have begun before the key was published.
      if (inFlight !== undefined) await inFlight
      // And so may the one that begins now, for whoever asks from now on.
      look = undefined
      if (closed || !attemptDue(clock.now())) return
      lastLookAt = clock.now()
      lookPauseMs = Math.min(times.maxLookMs, lookPauseMs * 2)
      await refresh(true)
    })
    return look
  }

  return {
    get version() {
      return version
    },

    settled(now) {
      const age = ageAt(now)
      if (age < times.refreshMs) return true
      if (age >= times.ceilingMs) return false
      if (attemptDue(now) && !closed) void refresh()
      return age < times.staleMs || failures > 0
    },

    async settle() {
      if (closed) throw unavailable()
      if (inFlight !== undefined || attemptDue(clock.now())) await refresh()
      if (ageAt(clock.now()) >= times.ceilingMs) throw unavailable()
    },

    find(kid, alg) {
      return keys.filter((key) => (kid === undefined || key.kid === kid) && keyFits(key, alg))
    },

    async lookAgain(kid = '') {
      const now = clock.now()
      const id = digestOf(kid)
      const seenMissingAt = missing.get(id)
      if (seenMissingAt !== undefined && seenMissingAt <= now && now - seenMissingAt < MISSING_MS) return false
      if (closed || waiting >= MAX_WAITING || !attemptDue(now)) throw unavailable()
      waiting++
      try {
        await scheduleLook()
      } finally {
        waiting--
      }
      // A look that failed says nothing about the key.
      if (failures > 0 || closed) throw unavailable()
      // A token that names no key says nothing about the next one, which may be signed with a new one.
      if (kid !== '' && !keys.some((key) => key.kid === kid)) missing.set(id, clock.now())
      return true
    },

    close() {
      closed = true
      endLookPause?.()
    },
  }
}

function digestOf(kid: string): string {
  return createHash('sha256').update(kid).digest('base64url')
}
