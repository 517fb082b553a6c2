/**
 * Sessions in a token store. The cookie holds no more than a sealed reference and
 * when the session was last used; tokens stay in the store, and the fenced refresh
 * keeps them good. A session can be ended from afar.
 */
import { createHash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import { SealError } from '../core/errors.ts'
import type { Sealer } from '../core/sealing.ts'
import { readCookie } from '../http/cookies.ts'
import type { FoundTokens, Refresher } from '../store/refresher.ts'
import { type Key, keyText, type TokenStore } from '../store/token-store.ts'
import { everyKey, readReplaceable } from '../store/unopened.ts'
import { createEndings } from './endings.ts'
import type { Places } from './places.ts'
import { type FoundSession, jsonOf, type SessionPlace, type Sessions, type SessionTokens } from './session.ts'

/** What the store sessions work with. */
export interface StoredSessionSettings {
  readonly store: TokenStore
  readonly refresher: Refresher<SessionTokens>
  readonly sealer: Sealer
  readonly places: Places
  readonly clock: Clock
  readonly idleMs: number
  readonly absoluteMs: number
  /** `undefined` for what is no session (any more). */
  readTokens(value: unknown): SessionTokens | undefined
  /** The issuer of the tenant that a session is of, where its integration has several. */
  tenantOf(tokens: SessionTokens): string | undefined
}

/** The sealed content of a cookie. */
interface Reference {
  /** Owner and id of the record. */
  readonly owner: string
  readonly id: string
  /** When the session began and when the cookie was made, in epoch milliseconds. */
  readonly began: number
  readonly seen: number
}

const SESSIONS = 'login-sessions'
/** Sessions by the provider's `sid`: the owner is that, the id the session's (or its owner, for any of theirs), the value its owner. */
const BY_PROVIDER_SESSION = 'login-provider-sessions'
/** The clocks of one provider's machines may differ by so much. */
const LEEWAY_SECONDS = 5
/** Cookies opened lately; opening one takes a tenth of a millisecond. */
const OPENED = 10_000
/** A cookie is renewed after this share of the idle time. */
const RENEW_SHARE = 10
/** Several sessions of one person may get the same name at once. */
const MAX_TRIES = 5
/** Sessions that are ended from afar at one time: a person's may be many, and others need the store as well. */
const ENDED_AT_ONCE = 16

/** See the top of the file. */
export function createStoredSessions(settings: StoredSessionSettings): Sessions {
  const { store, refresher, sealer, places, clock, idleMs, absoluteMs, readTokens, tenantOf } = settings
  const endings = createEndings(store)
  const opened = new LRUCache<string, Reference>({ max: OPENED })

  const nameFor = ({ integration }: SessionPlace) => places.cookie(integration)
  const sealedPlace = ({ origin, integration }: SessionPlace) => `session ${integration} ${origin}`

  async function cookieFor(reference: Reference, place: SessionPlace): Promise<string> {
    const left = Math.min(idleMs, reference.began + absoluteMs - clock.now())
    const value = await sealer.sealText(JSON.stringify(reference), sealedPlace(place))
    return places.setCookie(nameFor(place), value, Math.max(1, Math.ceil(left / 1000)))
  }

  function clearing(place: SessionPlace): string {
    return places.clearCookie(nameFor(place))
  }

  /** The reference in a cookie, whatever has become of the session; `undefined` for none, or one that does not open. */
  async function read(cookieHeader: string | undefined, place: SessionPlace): Promise<Reference | undefined> {
    const value = readCookie(cookieHeader, nameFor(place))
    if (value === undefined) return undefined
    const memo = `${sealedPlace(place)}\n${value}`
    const known = opened.get(memo)
    if (known !== undefined) return known
    try {
      const reference = parse((await sealer.openText(value, sealedPlace(place))).plaintext)
      if (reference !== undefined) opened.set(memo, reference)
      return reference
    } catch {
      // Truncated, forged, of another origin, or of a key that is gone: no session, and not the person's fault.
      return undefined
    }
  }

  function isOver({ began, seen }: Reference): boolean {
    const now = clock.now()
    return now - seen >= idleMs || now - began >= absoluteMs
  }

  async function find(cookieHeader: string | undefined, place: SessionPlace): Promise<FoundSession> {
    const present = readCookie(cookieHeader, nameFor(place)) !== undefined
    const reference = await read(cookieHeader, place)
    if (reference === undefined || isOver(reference)) {
      return { kind: 'none', ended: present, cookies: present ? [clearing(place)] : [] }
    }
    const found = await tokensOf(reference)
    if (found.kind === 'unavailable') return found
    if (found.kind !== 'tokens' || found.tokens.integration !== place.integration) {
      return { kind: 'none', ended: true, cookies: [clearing(place)] }
    }
    const now = clock.now()
    const renew = now - reference.seen >= idleMs / RENEW_SHARE
    return {
      kind: 'session',
      tokens: found.tokens,
      cookies: renew ? [await cookieFor({ ...reference, seen: now }, place)] : [],
    }
  }

  async function tokensOf(reference: Reference): Promise<FoundTokens<SessionTokens>> {
    try {
      return await refresher.tokens(keyOf(reference))
    } catch (error) {
      // A record that another version of this has written. Whoever signs in again gets one that is understood.
      if (error instanceof SyntaxError) return { kind: 'none' }
      throw error
    }
  }

  /** The tokens as they are: who signs out needs no fresh ones, and does not wait for them. */
  async function lastTokens(key: Key): Promise<SessionTokens | undefined> {
    const found = await store.get(key).catch((error: unknown) => {
      // What cannot be opened can be ended all the same.
      if (error instanceof SealError) return undefined
      throw error
    })
    const { tokens } =
      (found && (jsonOf(Buffer.from(found.value).toString('utf8')) as { tokens?: unknown } | null)) ?? {}
    return readTokens(tokens)
  }

  /** Keys of a person's sessions that are meant, and of what does not open: it may be any of them, and is no good to anybody. */
  async function* keysOf(owner: string, isMeant: (record: SessionRecord, id: string) => boolean): AsyncGenerator<Key> {
    for await (const { key, value } of everyKey((page) => store.list(SESSIONS, owner, page))) {
      const record = value && recordOf(value)
      if (record === undefined || (!record.isEnded && isMeant(record, key.id))) yield key
    }
  }

  /** Keys of the sessions that the provider knows as `session`. */
  async function* keysNamed(
    { space, owner }: Key,
    session: string,
    isTheirs: (record: SessionRecord) => boolean,
  ): AsyncGenerator<Key> {
    const isMeant = (record: SessionRecord) => record.providerSession === session && isTheirs(record)
    const named = new Map<string, Set<string>>()
    const unopened = new Set<string>()
    for await (const { key, value } of everyKey((page) => store.list(space, owner, page))) {
      const sessionOwner = value && Buffer.from(value).toString('utf8')
      if (sessionOwner === undefined) unopened.add(key.id)
      else named.set(sessionOwner, (named.get(sessionOwner) ?? new Set()).add(key.id))
    }
    for (const [sessionOwner, ids] of named) {
      const hasAny = ids.has(sessionOwner)
      yield* keysOf(sessionOwner, (own, id) => (ids.has(id) && isTheirs(own)) || (hasAny && isMeant(own)))
    }
    if (unopened.size === 0) return
    // Of such a row no more is known than the id of a session or of an owner, and then all there are have to be looked at.
    for (const id of unopened) yield* keysOf(id, isMeant)
    for await (const { key, value } of everyKey((page) => store.scan(SESSIONS, page))) {
      if (unopened.has(key.id) && (value === undefined || isTheirs(recordOf(value)))) yield key
    }
  }

  /** Ends sessions; how many there were. One that fails does not keep the rest from ending. */
  async function endEach(keys: IterableIterator<Key>): Promise<number> {
    let ended = 0
    const failures: unknown[] = []
    const work = async () => {
      for (const key of keys) {
        try {
          if (await refresher.disconnect(key)) ended++
        } catch (error) {
          failures.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: ENDED_AT_ONCE }, work))
    if (failures.length > 0) throw failures[0]
    return ended
  }

  /** Whether the provider has ended what `tokens` are of since it made them. */
  async function hasEnded(tokens: SessionTokens): Promise<boolean> {
    const { integration, providerSubject, providerSession, issuedAt } = tokens
    const session =
      providerSession === undefined
        ? unnamedOwner(integration, providerSubject)
        : providerSessionKey(integration, providerSession, 'any').owner
    const tenant = tenantOf(tokens)
    const names = [ownerOf(integration, providerSubject), session].map((name) => endingOf(name, tenant))
    return issuedAt !== undefined && endings.has(names, issuedAt)
  }

  return {
    find,
    async begin(tokens, place) {
      const began = clock.now()
      const owner = ownerOf(tokens.integration, tokens.providerSubject)
      const reference: Reference = { owner, id: randomBytes(24).toString('base64url'), began, seen: began }
      const key = keyOf(reference)
      if (tokens.providerSession !== undefined) {
        const index = providerSessionKey(tokens.integration, tokens.providerSession, key.id)
        await store.put(index, Buffer.from(owner), { ifVersion: null, ttlMs: absoluteMs })
      }
      await refresher.connect(key, tokens, { ttlMs: absoluteMs })
      // Said in between: whoever said it has found nothing to end, or this finds what was said.
      if (await hasEnded(tokens)) {
        await refresher.disconnect(key)
        return undefined
      }
      return { cookies: [await cookieFor(reference, place)], handle: JSON.stringify(reference) }
    },
    async nameOf(cookieHeader, place) {
      return (await read(cookieHeader, place))?.id
    },
    async handleOf(cookieHeader, place) {
      const found = await find(cookieHeader, place)
      const reference = found.kind === 'session' ? await read(cookieHeader, place) : undefined
      return reference === undefined ? undefined : JSON.stringify(reference)
    },
    async adopt(handle, place) {
      const known = parse(handle)
      if (known === undefined) return undefined
      const reference = { ...known, seen: clock.now() }
      const found = isOver(reference) ? undefined : await tokensOf(reference)
      if (found?.kind !== 'tokens' || found.tokens.integration !== place.integration) return undefined
      return { cookies: [await cookieFor(reference, place)], tokens: found.tokens }
    },
    async end(cookieHeader, place) {
      const reference = await read(cookieHeader, place)
      const cookies = readCookie(cookieHeader, nameFor(place)) === undefined ? [] : [clearing(place)]
      if (reference === undefined) return { cookies, tokens: undefined }
      const tokens = await lastTokens(keyOf(reference))
      await refresher.disconnect(keyOf(reference))
      return { cookies, tokens }
    },
    async endAll({ integration, subject, session, tenant, at }) {
      // Keys have no tenant in them: what is stored says whose it is.
      const isTheirs = ({ issuer = tenant }: SessionRecord) => tenant === undefined || issuer === tenant
      const keys = new Map<string, Key>()
      const add = (key: Key) => keys.set(keyText(key), key)
      if (session !== undefined) {
        const index = providerSessionKey(integration, session, 'any')
        await endings.note(endingOf(index.owner, tenant), at)
        for await (const key of keysNamed(index, session, isTheirs)) add(key)
      }
      if (subject !== undefined) {
        const owner = ownerOf(integration, subject)
        const ended = session === undefined ? owner : unnamedOwner(integration, subject)
        await endings.note(endingOf(ended, tenant), at)
        const theirs = keysOf(owner, (record) => {
          const { isThere, issuedAt, providerSession = session } = record
          // A token that was caught and is sent again does not end what began since.
          const isMeant = session === undefined || (isThere && providerSession === session)
          return isMeant && isTheirs(record) && issuedAt <= at + LEEWAY_SECONDS
        })
        for await (const key of theirs) add(key)
      }
      return endEach(keys.values())
    },
    async ready() {
      // Whether the store answers, and what is in it opens.
      await store.get({ space: SESSIONS, owner: 'nobody', id: 'nothing' })
    },
    close: () => refresher.close(),
  }
}

const PART = /^[\w-]{1,64}$/

/** `undefined` for what another version of this has sealed. */
function parse(text: string): Reference | undefined {
  const { owner, id, began, seen } = (jsonOf(text) ?? {}) as Partial<Reference>
  if (typeof owner !== 'string' || typeof id !== 'string' || !PART.test(owner) || !PART.test(id)) return undefined
  return typeof began === 'number' && typeof seen === 'number' ? { owner, id, began, seen } : undefined
}

function keyOf({ owner, id }: Reference): Key {
  return { space: SESSIONS, owner, id }
}

/** Says nothing about the person, and holds whatever the provider calls them. */
function ownerOf(integration: string, subject: string): string {
  return digest(['subject', integration, subject])
}

function providerSessionKey(integration: string, session: string, id: string): Key {
  return { space: BY_PROVIDER_SESSION, owner: digest(['session', integration, session]), id }
}

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

/** What is noted as ended: of one tenant, where there are several. */
function endingOf(name: string, tenant: string | undefined): string {
  return tenant === undefined ? name : digest([name, tenant])
}

/** Of somebody's sessions those that the provider has no name for here: any of its own may be theirs. */
function unnamedOwner(integration: string, subject: string): string {
  return digest(['subject without a session', integration, subject])
}

/** A session as it is stored. */
interface SessionRecord {
  /** Somebody has ended it. One that merely cannot be refreshed may still get tokens from a late writer. */
  readonly isEnded: boolean
  /** Whether there are tokens; none are left of what is over. */
  readonly isThere: boolean
  /** When the sign-in was; long ago where that is not known. */
  readonly issuedAt: number
  readonly providerSession?: string
  /** Whose word the claims are. */
  readonly issuer?: string
}

function recordOf(value: Uint8Array): SessionRecord {
  const { state, tokens } = (jsonOf(Buffer.from(value).toString('utf8')) ?? {}) as {
    state?: unknown
    tokens?: Partial<SessionTokens>
  }
  const { issuedAt, providerSession, claims } = tokens ?? {}
  const issuer = claims?.iss
  return {
    isEnded: state === 'revoked',
    isThere: tokens !== undefined,
    issuedAt: typeof issuedAt === 'number' ? issuedAt : 0,
    ...(providerSession === undefined ? {} : { providerSession }),
    ...(typeof issuer === 'string' ? { issuer } : {}),
  }
}

/**
 * Notes under which name (`sid`) the provider knows a session that was refreshed, if that is another than before: by its owner,
 * since a refresh does not know which session it is for. Where it cannot be noted, the session counts as one without a name.
 */
export async function noteProviderSession(
  store: TokenStore,
  fresh: SessionTokens,
  before: SessionTokens,
  ttlMs: number,
): Promise<SessionTokens> {
  const { providerSession, ...unnamed } = fresh
  if (providerSession === undefined || providerSession === before.providerSession) return fresh
  const owner = ownerOf(fresh.integration, fresh.providerSubject)
  const index = providerSessionKey(fresh.integration, providerSession, owner)
  try {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      // There already where another session of theirs has got it: it must last as long as this one, too.
      const ifVersion = (await readReplaceable(store, index, (value) => value))?.version ?? null
      if ((await store.put(index, Buffer.from(owner), { ifVersion, ttlMs })) !== 'conflict') return fresh
    }
    return unnamed
  } catch {
    return unnamed
  }
}
