/**
 * A session for another of our origins. `__Host-` cookies do not cross hosts, so the
 * login's origin sends the browser over with a ticket: good once, for a minute, and
 * only in the browser that asked for it, which keeps a secret in a cookie meanwhile.
 * Somebody else's ticket is worthless, so nobody can be signed in as another.
 */
import { createHash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { readCookie } from '../http/cookies.ts'
import type { Key, TokenStore } from '../store/token-store.ts'
import type { Places } from './places.ts'
import { jsonOf } from './session.ts'

/** What goes over. */
export interface HandOff {
  readonly integration: string
  /** An absolute URL on the origin that the ticket is for. */
  readonly returnTo: string
  /** See `Sessions.adopt`. */
  readonly handle: string
}

/** What a ticket stands for. */
interface Ticket extends HandOff {
  /** The digest of what the browser keeps that it is for. */
  readonly hop: string
  /** Epoch milliseconds. */
  readonly at: number
}

/** See the top of the file. */
export interface HandOffs {
  /** For the origin that wants a session: what to send along (`hop`), and the cookie that keeps the secret of it. */
  ask(cookieHeader: string | undefined): { readonly hop: string; readonly cookies: readonly string[] }
  /**
   * For the login's origin: a ticket.
   *
   * @throws RangeError for a session that is too long to go along in a URL, where there is no store
   */
  give(handOff: HandOff, hop: string): Promise<string>
  /** Takes a ticket, once; `undefined` for one that is not for this origin, used, or late, or for a browser without a secret. */
  take(ticket: string, origin: string, cookieHeader: string | undefined): Promise<TakenHandOff | undefined>
}

/** A ticket that has been taken. */
export interface TakenHandOff extends HandOff {
  /** Whether it is for the secret that the browser has. If not, the handle is not for it. */
  readonly fits: boolean
}

const TICKET_MS = 60_000
/** nginx takes request lines of 8 KB by default, and Node 16 KB with all header fields; the path fits in beside it. */
const MAX_TICKET = 7_000
const SECRET_SECONDS = 30 * 60
const SPACE = 'login-hand-offs'
const SECRET = /^[\w-]{43}$/
/** A digest as `ask` makes them. */
export const HOP = /^[\w-]{43}$/

/** See the top of the file. Without a store, tickets carry their content, and that they are good once is up to each process. */
export function createHandOffs(sealer: Sealer, places: Places, clock: Clock, store: TokenStore | undefined): HandOffs {
  const name = places.cookie('~hand-off')
  const used = new LRUCache<string, true>({ max: 10_000, ttl: TICKET_MS * 2 })
  const digest = (secret: string) => createHash('sha256').update(`hand-off ${secret}`).digest('base64url')

  return {
    ask(cookieHeader) {
      // Tabs share the secret: the last one to begin would lock the others out.
      const present = readCookie(cookieHeader, name)
      const secret = present !== undefined && SECRET.test(present) ? present : randomBytes(32).toString('base64url')
      return { hop: digest(secret), cookies: [places.setCookie(name, secret, SECRET_SECONDS)] }
    },
    async give(handOff, hop) {
      const origin = new URL(handOff.returnTo).origin
      const ticket: Ticket = { ...handOff, hop, at: clock.now() }
      if (store === undefined) {
        const text = await sealer.sealText(JSON.stringify(ticket), `hand-off ${origin}`)
        if (text.length <= MAX_TICKET) return text
        throw new RangeError(
          `the session is too long to go over to ${origin}: the ticket has ${text.length} characters, ${MAX_TICKET} at ` +
            "most may be, since servers limit request lines; with session: 'store' it is short",
        )
      }
      const id = randomBytes(32).toString('base64url')
      await store.put(keyOf(id), Buffer.from(JSON.stringify(ticket)), { ifVersion: null, ttlMs: TICKET_MS })
      return id
    },
    async take(text, origin, cookieHeader) {
      // Used up by whoever brings it: what a browser has brought in vain stands in logs, and must be worth nothing there.
      const ticket = await (store === undefined ? open(text, origin) : takeRecord(store, text))
      const secret = readCookie(cookieHeader, name)
      if (ticket === undefined || secret === undefined || !SECRET.test(secret)) return undefined
      const { hop, at, ...handOff } = ticket
      const isGood = new URL(handOff.returnTo).origin === origin && clock.now() - at < TICKET_MS
      return isGood ? { ...handOff, fits: hop === digest(secret) } : undefined
    },
  }

  async function open(text: string, origin: string): Promise<Ticket | undefined> {
    try {
      const { plaintext } = await sealer.openText(text, `hand-off ${origin}`)
      // Not of the text, of which base64url has several spellings.
      const mark = digest(plaintext)
      if (used.has(mark)) return undefined
      used.set(mark, true)
      return readTicket(plaintext)
    } catch {
      return undefined
    }
  }

  async function takeRecord(from: TokenStore, id: string): Promise<Ticket | undefined> {
    if (!/^[\w-]{43}$/.test(id)) return undefined
    const found = await from.take(keyOf(id))
    return found && readTicket(Buffer.from(found.value).toString('utf8'))
  }

  function keyOf(id: string): Key {
    return { space: SPACE, owner: digest(id), id: 'ticket' }
  }
}

/** `undefined` for one that another version of this has made. */
function readTicket(text: string): Ticket | undefined {
  const { integration, returnTo, handle, hop, at } = (jsonOf(text) ?? {}) as Partial<Ticket>
  if (typeof integration !== 'string' || typeof handle !== 'string' || typeof hop !== 'string') return undefined
  if (typeof at !== 'number' || typeof returnTo !== 'string' || !URL.canParse(returnTo)) return undefined
  return { integration, returnTo, handle, hop, at }
}
