/**
 * One fenced attempt at redeeming a refresh token, by the holder of the lease (B1).
 *
 * The steps and their order are the point: read again, write `refreshing` by
 * version, redeem, write the tokens by version. Before the first write nothing has
 * happened; after it, others leave the token alone until the deadline; what has
 * been redeemed is written until it lands. Deadlines count on the monotonic clock
 * from before the lease was asked for, so they are over before it is.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import { type ConnectionRecord, decodeRecord, encodeRecord, type ReadConnection } from './connection-record.ts'
import { type Redeemed, stampOfTokens } from './landing.ts'
import { failureOf, isRefusal, RedeemError } from './redeem-error.ts'
import type { RefreshEvent, RefreshSettings, RefreshTimes } from './refresh-settings.ts'
import type { Key, Lease } from './token-store.ts'

/** The longest that a server's wish to be left alone is obeyed: some write a time where seconds belong. */
const MAX_ASKED_MS = 3_600_000
/** Pauses are up to a quarter longer or shorter. */
const MAX_SPREAD = 1.25
/** A server that refuses a token so often, over so long, means it. In between, whoever runs it may have made a mistake. */
const REFUSED_TIMES = 3
const REFUSED_MS = 6 * 3_600_000

/** How long nobody may try again. A time further away than anybody waits was written by a clock that is wrong: there is no pause. */
export function pauseOf(
  { retryAt = 0 }: ConnectionRecord<unknown>,
  { maxBackoffMs }: RefreshTimes,
  now: number,
): number {
  const left = retryAt - now
  return left > 0 && left <= Math.max(MAX_ASKED_MS, maxBackoffMs * MAX_SPREAD) ? left : 0
}

/** What an attempt works with. */
export interface AttemptContext<Tokens> extends Pick<RefreshSettings<Tokens>, 'store' | 'redeem'> {
  readonly times: RefreshTimes
  /** Aborts when nothing new is to be begun. */
  readonly closing: AbortSignal
  now(): number
  report(kind: RefreshEvent['kind'], detail?: string): void
  /** Whether the connection, as just read, still needs this refresh. */
  needed(current: ReadConnection<Tokens>): boolean
  /** Whether its tokens are of no use as they are. */
  spent(record: ConnectionRecord<Tokens>): boolean
  /** Writes redeemed tokens until they are stored or superseded. */
  land(redeemed: Redeemed<Tokens>): Promise<void>
}

/**
 * Runs an attempt under `lease`, which was asked for at `startedAt` (`performance.now()`). Whether it has come to an end,
 * with new tokens or with a failure that is on record; otherwise it is worth looking again.
 */
export async function attemptRefresh<Tokens>(
  key: Key,
  lease: Lease,
  startedAt: number,
  context: AttemptContext<Tokens>,
): Promise<boolean> {
  const { store, times } = context
  const budgetMs = times.leaseMs - times.marginMs
  let leasedAt = startedAt

  async function read(): Promise<ReadConnection<Tokens> | undefined> {
    const found = await store.get(key)
    return found && { record: decodeRecord<Tokens>(found.value), version: found.version }
  }

  async function renew(): Promise<boolean> {
    const askedAt = performance.now()
    if (!(await lease.renew(times.leaseMs))) return false
    leasedAt = askedAt
    return true
  }

  let current = await read()
  if (current !== undefined && current.record.state === 'refreshing' && context.needed(current)) {
    current = await outwaitDeadAttempt(current, read, renew, context)
  }
  if (current === undefined || !context.needed(current)) return false
  const { record } = current
  const { tokens, connection } = record
  if (tokens === undefined || pauseOf(record, times, context.now()) > 0) return false

  const attempt = randomUUID()
  const deadlineOf = () => Math.round(context.now() + budgetMs - (performance.now() - leasedAt))
  const refreshing = (): ConnectionRecord<Tokens> => ({
    ...record,
    state: 'refreshing',
    attempt: { id: attempt, deadline: deadlineOf() },
  })
  const marked = await store.put(key, encodeRecord(refreshing()), { ifVersion: current.version, ttlMs: 'keep' })
  if (marked === 'conflict') return false
  let version = marked

  const stop = new AbortController()
  const over = () => performance.now() - leasedAt >= budgetMs
  // No lease, no redemption: a process that was stopped here finds its time gone.
  if (over()) return false
  const keeper = keepLease()
  let redeemed: Tokens
  try {
    redeemed = await context.redeem(tokens, stop.signal)
  } catch (error) {
    await keeper.end()
    await writeFailure(error)
    return true
  }
  await keeper.end()
  const obtainedAt = Math.round(context.now())
  const before = stampOfTokens(tokens)
  await context.land({ connection, attempt, tokens: redeemed, before, version, obtainedAt })
  return true

  /** Renews the lease, and the deadline in the record, for as long as the authorization server takes its time. */
  function keepLease(): { end(): Promise<void> } {
    const ended = new AbortController()
    const began = performance.now()
    const running = (async () => {
      try {
        while (!over() && performance.now() - began < times.maxRedeemMs) {
          await pause(Math.max(10, budgetMs / 3), undefined, { signal: ended.signal })
          if (over() || !(await renew())) break
          if (!(await extend())) break
        }
      } catch {
        // Ended, or the store is away: the lease cannot be renewed and runs out.
      }
      try {
        const left = Math.min(budgetMs - (performance.now() - leasedAt), began + times.maxRedeemMs - performance.now())
        await pause(Math.max(0, left), undefined, { signal: ended.signal })
        stop.abort(new RedeemError('transient', 'the authorization server took too long'))
      } catch {
        // Ended before the deadline.
      }
    })()
    return {
      async end() {
        ended.abort()
        await running
      },
    }
  }

  /** Writes the new deadline, over the record of this attempt only. */
  async function extend(): Promise<boolean> {
    let written = await store.put(key, encodeRecord(refreshing()), { ifVersion: version, ttlMs: 'keep' })
    if (written === 'conflict') {
      // Sealed anew, perhaps.
      const now = await read()
      if (now?.record.attempt?.id !== attempt) return false
      version = now.version
      written = await store.put(key, encodeRecord(refreshing()), { ifVersion: version, ttlMs: 'keep' })
    }
    if (written === 'conflict') return false
    version = written
    return true
  }

  /** A dead refresh token ends the connection; anything else leaves it as it was, with a pause before the next try. */
  async function writeFailure(error: unknown): Promise<void> {
    const now = context.now()
    const refused = isRefusal(error) ? refusedOnceMore(record, now) : record.refused
    const dead = failureOf(error) === 'dead' || (isRefusal(error) && isMeant(refused, now) && context.spent(record))
    const failures = (record.failures ?? 0) + 1
    const asked = error instanceof RedeemError ? Math.min(error.retryAfterMs ?? 0, MAX_ASKED_MS) : 0
    const backoff =
      Math.min(times.maxBackoffMs, times.backoffMs * 2 ** Math.min(failures - 1, 20)) * (MAX_SPREAD - Math.random() / 2)
    const { attempt: _, ...before } = record
    const retryAt = Math.round(now + Math.max(asked, backoff))
    const next: ConnectionRecord<Tokens> = dead
      ? { state: 'reauth_required', connection }
      : { ...before, state: 'connected', failures, retryAt, ...(refused === undefined ? {} : { refused }) }
    let written = await store.put(key, encodeRecord(next), { ifVersion: version, ttlMs: 'keep' })
    for (let tries = 0; written === 'conflict' && tries < 5; tries++) {
      // Sealed anew, perhaps. Only while the attempt is still ours: a late loser must not end a winner's connection.
      const found = await read()
      if (found?.record.attempt?.id !== attempt) return
      written = await store.put(key, encodeRecord(next), { ifVersion: found.version, ttlMs: 'keep' })
    }
    context.report(dead ? 'reauth_required' : 'failed', messageOf(error))
  }
}

/** A time that is still to come was written by a clock that is wrong: it begins again. */
function refusedOnceMore({ refused }: ConnectionRecord<unknown>, now: number): ConnectionRecord<unknown>['refused'] {
  return refused === undefined || refused.since > now
    ? { times: 1, since: Math.floor(now) }
    : { times: refused.times + 1, since: refused.since }
}

function isMeant(refused: ConnectionRecord<unknown>['refused'], now: number): boolean {
  return refused !== undefined && refused.times >= REFUSED_TIMES && now - refused.since >= REFUSED_MS
}

/** Waits until an attempt that nobody holds a lease for is over, so that its token is not redeemed twice at once. */
async function outwaitDeadAttempt<Tokens>(
  first: ReadConnection<Tokens>,
  read: () => Promise<ReadConnection<Tokens> | undefined>,
  renew: () => Promise<boolean>,
  { times, now, report, closing }: AttemptContext<Tokens>,
): Promise<ReadConnection<Tokens> | undefined> {
  // Clocks of machines differ; nobody's deadline is further away than this.
  const longest = times.leaseMs + times.graceMs
  const began = performance.now()
  let current: ReadConnection<Tokens> | undefined = first
  for (;;) {
    const waited = performance.now() - began
    // At least the grace itself: after an outage of the store, whoever has redeemed comes back to write no sooner than we do.
    const left = Math.max((current.record.attempt?.deadline ?? 0) + times.graceMs - now(), times.graceMs - waited)
    if (left <= 0 || waited >= longest) {
      report('taken_over')
      return (await renew()) ? current : undefined
    }
    const wait = Math.min(left, times.leaseMs / 4, 250, longest - waited)
    await pause(wait, undefined, { signal: closing }).catch(() => {})
    if (closing.aborted || !(await renew())) return undefined
    current = await read()
    if (current === undefined || current.record.state !== 'refreshing') return current
  }
}
