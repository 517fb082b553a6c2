/**
 * Session ids of the legacy eras, which are always ours: what has to be known of a
 * session is sealed into its id, so that any replica can serve it (B7), and an id is
 * worth nothing to another caller or on another server. With an upstream's id in it, it is
 * worth nothing once that server is somewhere else either.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import { SealError } from '../core/errors.ts'
import type { Sealer } from '../core/sealing.ts'
import { LEGACY_REVISIONS, type LegacyRevision } from './eras.ts'
import { isJsonObject } from './messages.ts'

/** What a session is. */
export interface Session {
  /** As `initialize` settled it. */
  readonly revision: LegacyRevision
  /** Whether the client takes `elicitation/create` in URL mode. */
  readonly urlElicitation: boolean
  /** The upstream's own id, where it has sessions. */
  readonly upstreamId: string | undefined
}

/** Whose session it is, and with which server. */
export interface SessionPlace {
  /** The configured name, `dev/github`. */
  readonly server: string
  /** The `id` of the caller's identity. */
  readonly identity: string
}

/** The same, and where the server is: the id of one upstream is none of another's business. */
export interface UpstreamPlace extends SessionPlace {
  /** Its URL. */
  readonly endpoint: string
}

/** Makes ids and opens them. */
export interface SessionIds {
  /**
   * An id for a session that begins: visible ASCII (2025-03-26 and later, Session Management), never the same twice.
   *
   * @returns `undefined` when the upstream's id is none: it is then no answer of an MCP server.
   */
  seal(session: Session, place: UpstreamPlace): Promise<string | undefined>
  /**
   * The session of an id, at once where it has been opened before; `undefined` for what does not open for this caller and
   * server, or is over: answer 404.
   */
  open(id: string, place: UpstreamPlace): Session | undefined | Promise<Session | undefined>
}

/** Settings of {@link createSessionIds}. */
export interface SessionIdSettings {
  readonly clock: Clock
  /** How long an id is good for, in milliseconds; a client then has to initialize again. */
  readonly lifetimeMs: number
  /** Ids that are kept open, which spares the decryption of each request. */
  readonly cached: number
}

/** An upstream's id becomes a part of ours and, there, of a header field: 0x21 to 0x7e, and not without end. */
const VISIBLE = /^[!-~]{1,2048}$/
/** What {@link Sealer.sealText} makes, of no more than an upstream's id needs. */
const SEALED = /^[\w.-]{1,4096}$/

const INDEX_LENGTH = 12

/** @param sealer - made for this purpose alone: `createSealer(keys, 'session-id')` */
export function createSessionIds(sealer: Sealer, { clock, lifetimeMs, cached }: SessionIdSettings): SessionIds {
  const opened = new LRUCache<string, Opened>({ max: cached })

  async function unsealed(id: string, place: UpstreamPlace): Promise<Session | undefined> {
    const sealed = await unseal(sealer, id, textOf(place))
    if (sealed === undefined || clock.now() >= sealed.e) return undefined
    if (sealed.i !== undefined && sealed.o !== digest(place.endpoint)) return undefined
    const session = { revision: sealed.r, urlElicitation: sealed.u === 1, upstreamId: sealed.i }
    opened.set(indexOf(id), { id, place, session, expiresAt: sealed.e })
    return session
  }

  return {
    async seal({ revision, urlElicitation, upstreamId }, place) {
      if (upstreamId !== undefined && !VISIBLE.test(upstreamId)) return undefined
      const sealed: Sealed = {
        r: revision,
        e: clock.now() + lifetimeMs,
        ...(urlElicitation ? { u: 1 } : {}),
        ...(upstreamId === undefined ? {} : { i: upstreamId, o: digest(place.endpoint) }),
      }
      return sealer.sealText(JSON.stringify(sealed), textOf(place))
    },
    open(id, place) {
      const known = opened.get(indexOf(id))
      if (known?.id !== id) return unsealed(id, place)
      return isGood(known, place) && clock.now() < known.expiresAt ? known.session : undefined
    },
  }
}

/** The end of an id, which differs from all others': V8 copies so short a text, and hashes no more than that with each request. */
function indexOf(id: string): string {
  return id.slice(-INDEX_LENGTH)
}

/** An id that has been opened. */
interface Opened {
  readonly id: string
  readonly place: UpstreamPlace
  readonly session: Session
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** What is inside; short, since it goes with every request. Server and caller are the place that it opens at. */
interface Sealed {
  readonly r: LegacyRevision
  /** Epoch milliseconds. */
  readonly e: number
  readonly u?: 1
  readonly i?: string
  /** Where `i` is from. */
  readonly o?: string
}

function textOf({ server, identity }: SessionPlace): string {
  return JSON.stringify([server, identity])
}

function isGood({ place, session }: Opened, { server, identity, endpoint }: UpstreamPlace): boolean {
  if (place.server !== server || place.identity !== identity) return false
  return session.upstreamId === undefined || place.endpoint === endpoint
}

/** Long enough to tell the places of one server from each other. */
function digest(endpoint: string): string {
  return createHash('sha256').update(endpoint).digest('base64url').slice(0, 16)
}

async function unseal(sealer: Sealer, id: string, place: string): Promise<Sealed | undefined> {
  if (!SEALED.test(id)) return undefined
  try {
    const value: unknown = JSON.parse((await sealer.openText(id, place)).plaintext)
    return isSealed(value) ? value : undefined
  } catch (error) {
    if (error instanceof SealError || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Ours, but perhaps of another version of this library, which may know other revisions. */
function isSealed(value: unknown): value is Sealed {
  return (
    isJsonObject(value) &&
    LEGACY_REVISIONS.some((revision) => revision === value.r) &&
    typeof value.e === 'number' &&
    (value.u === undefined || value.u === 1) &&
    (value.i === undefined || (typeof value.i === 'string' && typeof value.o === 'string'))
  )
}
