/**
 * Sessions of virtual servers, and the sessions that go with them at members. The client's id names records in the store, so that
 * any replica serves any request (B7): one of the session, one for each member that has been shaken hands with.
 */
import { createHash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/clock.ts'
import type { UpstreamLink } from '../../mcp/upstream-peer.ts'
import { everyRecord } from '../../store/every-record.ts'
import type { Key, TokenStore } from '../../store/token-store.ts'
import type { VirtualSession } from './context.ts'

/** See the top of the file. */
export interface VirtualSessions {
  /** Begins one; the id for the client. */
  begin(session: Omit<VirtualSession, 'key' | 'expiresAt'>): Promise<string>
  /** The session of an id; `undefined` for one that is over, or another caller's or server's: 404. */
  open(id: string, place: Pick<VirtualSession, 'server' | 'identity'>): Promise<VirtualSession | undefined>
  setLogLevel(session: VirtualSession, level: string): Promise<void>
  link(session: VirtualSession, place: LinkPlace): Promise<UpstreamLink | undefined>
  /** Keeps what has been settled with a member, unless somebody else was faster: then theirs. */
  keep(session: VirtualSession, place: LinkPlace, link: UpstreamLink, instead?: UpstreamLink): Promise<UpstreamLink>
  /** Forgets what has been settled with a member, with whichever credential. */
  drop(session: VirtualSession, place: LinkPlace): Promise<void>
  /** All that has been settled with members, by member and by what the credential came from. */
  links(session: VirtualSession): Promise<ReadonlyMap<string, ReadonlyMap<string, UpstreamLink>>>
  end(session: VirtualSession): Promise<void>
  /** Whether it has been ended, by whichever replica. */
  isOver(session: VirtualSession): Promise<boolean>
}

/** Whose session at a member it is: it is for no other credential than the one that it was begun with. */
export interface LinkPlace {
  readonly member: string
  /** See `sourceOf`. */
  readonly source: string
}

/** By source, the latest at the end. */
type Links = Readonly<Record<string, UpstreamLink>>

const SPACE = 'virtual-sessions'
/** Of one member in one session. Clients may send credentials of their own, and others with each request. */
const MAX_SOURCES = 8
const SESSION = 'session'
/** How long a record is believed without asking the store: another replica may end a session. */
const BELIEVED_MS = 2_000
const MAX_CACHED = 20_000
/** Only other requests of the same session are in the way. */
const MAX_TRIES = 50
const ID = /^[\w-]{43}$/

/** Whether an id that a client sends looks like one of these; ids of plain servers are sealed, and longer. */
export function isVirtualSessionId(id: unknown): id is string {
  return typeof id === 'string' && ID.test(id)
}

/** Sessions that last `lifetimeMs`. `store` should seal: members' session ids are in it. */
export function createVirtualSessions(store: TokenStore, clock: Clock, lifetimeMs: number): VirtualSessions {
  const sessions = new LRUCache<string, VirtualSession>({ max: MAX_CACHED, ttl: BELIEVED_MS })
  const links = new LRUCache<string, UpstreamLink>({ max: MAX_CACHED, ttl: BELIEVED_MS })
  /** Digests of the ids of sessions that there are. */
  const digests = new LRUCache<string, string>({ max: MAX_CACHED })
  const keyOf = (owner: string, id: string): Key => ({ space: SPACE, owner, id })
  const cacheKey = ({ key }: VirtualSession, { member, source }: LinkPlace) => `${key} ${member} ${source}`
  const left = ({ expiresAt }: VirtualSession) => Math.max(1, expiresAt - clock.now())

  async function read(key: string): Promise<VirtualSession | undefined> {
    const known = sessions.get(key)
    if (known !== undefined) return known
    const found = await store.get(keyOf(key, SESSION))
    if (found === undefined) return undefined
    const session = { ...(parse(found.value) as Omit<VirtualSession, 'key'>), key }
    sessions.set(key, session)
    return session
  }

  async function link(session: VirtualSession, place: LinkPlace): Promise<UpstreamLink | undefined> {
    const known = links.get(cacheKey(session, place))
    if (known !== undefined) return known
    const found = await store.get(keyOf(session.key, `member ${place.member}`))
    const kept = found && (parse(found.value) as Links)[place.source]
    if (kept !== undefined) links.set(cacheKey(session, place), kept)
    return kept
  }

  return {
    async begin(given) {
      const id = randomBytes(32).toString('base64url')
      const key = digest(id)
      const session = { ...given, expiresAt: clock.now() + lifetimeMs }
      await store.put(keyOf(key, SESSION), print(session), { ifVersion: null, ttlMs: lifetimeMs })
      sessions.set(key, { ...session, key })
      return id
    },
    async open(id, { server, identity }) {
      if (!isVirtualSessionId(id)) return undefined
      const key = digests.get(id) ?? digest(id)
      const session = await read(key)
      if (session === undefined || clock.now() >= session.expiresAt) return undefined
      digests.set(id, key)
      return session.server === server && session.identity === identity ? session : undefined
    },
    async setLogLevel(session, logLevel) {
      const key = keyOf(session.key, SESSION)
      const found = await store.get(key)
      if (found === undefined) return
      const { key: _, ...changed } = { ...session, logLevel }
      // Of two levels at the same moment either may be the one.
      await store.put(key, print(changed), { ifVersion: found.version, ttlMs: 'keep' })
      sessions.delete(session.key)
    },
    link,
    async keep(session, place, made, instead) {
      const key = keyOf(session.key, `member ${place.member}`)
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const before = await store.get(key)
        const { [place.source]: current, ...others } = before === undefined ? {} : (parse(before.value) as Links)
        if (current !== undefined && current.sessionId !== instead?.sessionId) break
        // Whoever was faster may have kept one of another source beside it.
        const options = { ifVersion: before?.version ?? null, ttlMs: left(session) }
        const latest = Object.entries(others).slice(1 - MAX_SOURCES)
        const all = Object.fromEntries([...latest, [place.source, made]])
        if ((await store.put(key, print(all), options)) !== 'conflict') {
          links.set(cacheKey(session, place), made)
          return made
        }
      }
      links.delete(cacheKey(session, place))
      return (await link(session, place)) ?? made
    },
    async drop(session, place) {
      links.delete(cacheKey(session, place))
      await store.delete(keyOf(session.key, `member ${place.member}`))
    },
    async links({ key }) {
      const found = new Map<string, ReadonlyMap<string, UpstreamLink>>()
      for await (const record of everyRecord((page) => store.list(SPACE, key, page))) {
        const [, member] = /^member (.+)$/.exec(record.key.id) ?? []
        if (member !== undefined) found.set(member, new Map(Object.entries(parse(record.value) as Links)))
      }
      return found
    },
    async end({ key }) {
      sessions.delete(key)
      // First what makes it one: nothing is begun any more then.
      await store.delete(keyOf(key, SESSION))
      const ids: string[] = []
      for await (const record of everyRecord((page) => store.list(SPACE, key, page))) ids.push(record.key.id)
      for (const id of ids) await store.delete(keyOf(key, id))
    },
    isOver: async ({ key }) => (await store.get(keyOf(key, SESSION))) === undefined,
  }
}

function digest(id: string): string {
  return createHash('sha256').update(`virtual session ${id}`).digest('base64url')
}

function print(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function parse(value: Uint8Array): unknown {
  return JSON.parse(Buffer.from(value).toString('utf8'))
}
