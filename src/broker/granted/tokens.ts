/**
 * The tokens of one server that an authorization server gives by itself, in memory: one for each caller's token, asked for once by
 * all who wait for it. What was refused is not asked for again at once, so that an agent that keeps trying is nobody's flood.
 */
import { createHash, randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/clock.ts'
import { readBearerChallenge } from '../../oauth/challenge-parameters.ts'
import { unlessAborted } from '../../oauth/reporting.ts'
import type { CredentialResult } from '../credential.ts'
import { grantFailure } from './failure.ts'
import type { Grant, Granter } from './grants.ts'

/** Who wants one. */
export interface GrantedTokenRequest {
  /** The caller's JWT, and when it ends in epoch milliseconds; `undefined` for a token that is the same for all. */
  readonly subject: { readonly token: string; readonly expiresAt: number } | undefined
  /** See `CredentialRequest`. */
  readonly rejected?: string | undefined
  readonly challenge?: string | undefined
}

/** What came of it. */
export type FoundGrant =
  | { readonly kind: 'token'; readonly token: string; readonly stamp: string }
  | Extract<CredentialResult, { kind: 'refused' | 'unavailable' | 'misconfigured' }>

/** See the top of the file. */
export interface GrantedTokens {
  /** At once where there is one. Never rejects for a request's sake. */
  token(request: GrantedTokenRequest): FoundGrant | Promise<FoundGrant>
  /** Looks up secrets. @throws SecretError (`ERR_SECRET`) */
  ready(): Promise<void>
}

/** What they are made of. */
export interface GrantedTokenSettings {
  /** The server's name, for people. */
  readonly server: string
  readonly granter: Granter
  /** Whether scopes that the server wants may be asked for: they are not where they are configured. */
  readonly widens: boolean
  readonly clock: Clock
}

type Failure = Exclude<FoundGrant, { kind: 'token' }>

interface Held {
  readonly token: string
  readonly stamp: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly freshMs: number
  readonly asked: readonly string[]
}

/** Of one caller's token; nothing of that is in it. */
interface Entry {
  held: Held | undefined
  failure: { readonly result: Failure; readonly at: number; readonly forMs: number } | undefined
  asking: Promise<FoundGrant> | undefined
  /** Scopes that the server has wanted since. */
  more: readonly string[]
  widened: number
  /** When one was asked for last because the server did not take the one before. */
  renewedAt: number
}

const MAX_ENTRIES = 5_000
/** For all requests that one token takes. */
const GRANT_MS = 25_000
/** A token whose end nobody knows is kept for so long. */
const UNKNOWN_MS = 5 * 60_000
/** On its way a token must not end: this much is left, or a tenth of its time where that is less. */
const MARGIN_MS = 30_000
/** A server that does not take a token is believed to mean it. */
const RENEWAL_MS = 60_000
const MAX_WIDENINGS = 5
const MAX_SCOPES = 100

/** See the top of the file. */
export function createGrantedTokens({ server, granter, widens, clock }: GrantedTokenSettings): GrantedTokens {
  const entries = new LRUCache<string, Entry>({ max: MAX_ENTRIES })

  function entryOf({ subject }: GrantedTokenRequest): Entry {
    const key = subject === undefined ? '' : createHash('sha256').update(subject.token).digest('base64url')
    const known = entries.get(key)
    if (known !== undefined) return known
    const entry: Entry = {
      held: undefined,
      failure: undefined,
      asking: undefined,
      more: [],
      widened: 0,
      renewedAt: Number.NEGATIVE_INFINITY,
    }
    entries.set(key, entry)
    return entry
  }

  function holding({ token, expiresInSeconds, asked }: Grant, expiresAt: number): Held {
    const now = clock.now()
    const lifeMs = expiresInSeconds === undefined ? UNKNOWN_MS : expiresInSeconds * 1000
    const freshMs = Math.min(lifeMs - Math.min(MARGIN_MS, lifeMs / 10), expiresAt - now)
    return { token, stamp: randomUUID(), at: now, freshMs, asked }
  }

  /** Asks, once for everybody who wants the same. */
  function ask(entry: Entry, { subject }: GrantedTokenRequest, more: readonly string[]): Promise<FoundGrant> {
    async function askNow(): Promise<FoundGrant> {
      try {
        const signal = AbortSignal.timeout(GRANT_MS)
        const grant = await unlessAborted(signal, granter.grant({ subject: subject?.token, more, signal }))
        const held = holding(grant, subject?.expiresAt ?? Number.POSITIVE_INFINITY)
        entry.held = held
        entry.failure = undefined
        entry.more = more
        return found(held)
      } catch (error) {
        const { result, forMs } = grantFailure(error, server, subject !== undefined)
        entry.failure = { result, at: clock.now(), forMs }
        return result
      }
    }
    entry.asking ??= askNow().finally(() => {
      entry.asking = undefined
    })
    return entry.asking
  }

  function current(entry: Entry, request: GrantedTokenRequest): FoundGrant | Promise<FoundGrant> {
    const { held, failure, asking } = entry
    const now = clock.now()
    if (held !== undefined && isWithin(now - held.at, held.freshMs)) return found(held)
    if (asking !== undefined) return asking
    if (failure !== undefined && isWithin(now - failure.at, failure.forMs)) return failure.result
    return ask(entry, request, entry.more)
  }

  /** Another one than the one that the server did not take, unless that would be the same again. */
  async function renewed(entry: Entry, request: GrantedTokenRequest): Promise<FoundGrant> {
    const { held } = entry
    if (held === undefined || held.stamp !== request.rejected) return entry.asking ?? current(entry, request)
    const { error, scopes = [] } = readBearerChallenge(request.challenge) ?? {}
    const wanted = widens ? scopes.filter((each) => !held.asked.includes(each)) : []
    const more = [...entry.more, ...wanted]
    const canWiden = wanted.length > 0 && entry.widened < MAX_WIDENINGS && more.length <= MAX_SCOPES
    const isTooLittle = error === 'insufficient_scope'
    const now = clock.now()
    if (entry.asking === undefined) {
      if (isTooLittle ? !canWiden : isWithin(now - entry.renewedAt, RENEWAL_MS)) return found(held)
      if (isTooLittle) entry.widened += 1
      else {
        entry.renewedAt = now
        entry.held = undefined
      }
    }
    const next = await ask(entry, request, canWiden ? more : entry.more)
    if (!isTooLittle || next.kind === 'token') return next
    // The one that there is goes on to be good for what it is good for.
    if (entry.held === held) entry.failure = undefined
    return found(held)
  }

  return {
    token(request) {
      const entry = entryOf(request)
      return request.rejected === undefined ? current(entry, request) : renewed(entry, request)
    },
    ready: () => granter.ready(),
  }
}

/** A clock that is set back prolongs nothing. */
function isWithin(ageMs: number, ms: number): boolean {
  return ageMs >= 0 && ageMs < ms
}

function found({ token, stamp }: Held): FoundGrant {
  return { kind: 'token', token, stamp }
}
