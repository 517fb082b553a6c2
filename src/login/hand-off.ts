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
import { clearCookie, setCookie } from '../http/set-cookie.ts'
import type { TokenStore } from '../store/token-store.ts'
import type { Places } from './places.ts'

/** What goes over. */
export interface HandOff {
  readonly integration: string
  /** An absolute URL on the origin that the ticket is for. */
  readonly returnTo: string
  /** See `Sessions.adopt`. */
  readonly handle: string
}

/** See the top of the file. */
export interface HandOffs {
  /** For the origin that wants a session: what to send along (`hop`), and the cookie that keeps the secret of it. */
  ask(cookieHeader: string | undefined): { readonly hop: string; readonly cookies: readonly string[] }
  /** For the login's origin: a ticket. */
  give(handOff: HandOff, hop: string): Promise<string>
  /** Takes a ticket, once; `undefined` for one that is not for this browser and origin, used, or late. */
  take(ticket: string, origin: string, cookieHeader: string | undefined): Promise<HandOff | undefined>
  /** The line that clears the cookie. */
  clear(): string
}

const TICKET_MS = 60_000
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
      const cookie = setCookie(name, secret, { maxAgeSeconds: SECRET_SECONDS, secure: places.secure, sameSite: 'Lax' })
      return { hop: digest(secret), cookies: [cookie] }
    },
    async give(handOff, hop) {
      const origin = new URL(handOff.returnTo).origin
      const content = JSON.stringify({ ...handOff, at: clock.now() })
      if (store === undefined) return sealer.sealText(content, `hand-off ${origin} ${hop}`)
      const id = randomBytes(32).toString('base64url')
      const key = { space: SPACE, owner: digest(id), id: 'ticket' }
      const value = Buffer.from(JSON.stringify({ hop, origin, content }))
      await store.put(key, value, { ifVersion: null, ttlMs: TICKET_MS })
      return id
    },
    async take(ticket, origin, cookieHeader) {
      const secret = readCookie(cookieHeader, name)
      if (secret === undefined || !SECRET.test(secret)) return undefined
      const hop = digest(secret)
      const content = await (store === undefined ? open(ticket, origin, hop) : takeRecord(store, ticket, origin, hop))
      if (content === undefined) return undefined
      const { at, ...handOff }: HandOff & { readonly at: number } = JSON.parse(content)
      return clock.now() - at < TICKET_MS ? handOff : undefined
    },
    clear: () => clearCookie(name, { secure: places.secure, sameSite: 'Lax' }),
  }

  async function open(ticket: string, origin: string, hop: string): Promise<string | undefined> {
    const mark = digest(ticket)
    if (used.has(mark)) return undefined
    try {
      const { plaintext } = await sealer.openText(ticket, `hand-off ${origin} ${hop}`)
      used.set(mark, true)
      return plaintext
    } catch {
      return undefined
    }
  }

  async function takeRecord(from: TokenStore, ticket: string, origin: string, hop: string) {
    if (!/^[\w-]{43}$/.test(ticket)) return undefined
    const found = await from.take({ space: SPACE, owner: digest(ticket), id: 'ticket' })
    if (found === undefined) return undefined
    const record: { hop: string; origin: string; content: string } = JSON.parse(
      Buffer.from(found.value).toString('utf8'),
    )
    return record.hop === hop && record.origin === origin ? record.content : undefined
  }
}
