/**
 * What has been settled with members for clients that have no sessions of their own (2026-07-28): their requests share one session of
 * a legacy member. Such clients never say that they are done. So a session is ended an hour after its last use, as the oldest of too
 * many, and when the gateway is closed; not before the answers that still come in it are over.
 */
import { LRUCache } from 'lru-cache'
import { Abort } from '../../http/abort.ts'
import { pause } from '../../http/pause.ts'
import type { UpstreamLink, UpstreamPeer, UpstreamSessions } from '../../mcp/upstream-peer.ts'

/** See the top of the file. */
export interface MemberLinks {
  get(key: string): UpstreamLink | undefined
  /** `owner` is one caller at one member, and has only so many. In place of one that the member has forgotten. */
  set(key: string, owner: string, peer: UpstreamPeer, link: UpstreamLink): void
  /** It is of no use any more. */
  delete(key: string): void
  /** Something goes on in it until what is returned is called, once; `undefined` where it is no session that is ended here. */
  use(link: UpstreamLink): (() => void) | undefined
  /** Ends them all, as far as members answer soon. Resolves in any case. */
  close(): Promise<void>
}

const MAX_LINKS = 20_000
/** As many as `callsPerCaller` is by default. Each other credential makes another one, and callers may send their own. */
const MAX_EACH = 64
const LINK_MS = 60 * 60 * 1000
const PURGE_MS = 60 * 1000
const CLOSE_MS = 2_000

interface Kept {
  readonly link: UpstreamLink
  readonly peer: UpstreamPeer
  readonly owner: string
  uses: number
  isOver: boolean
}

/** Has none at first. */
export function createMemberLinks(sessions: Pick<UpstreamSessions, 'end'>): MemberLinks {
  const links = new LRUCache<string, Kept>({
    max: MAX_LINKS,
    ttl: LINK_MS,
    updateAgeOnGet: true,
    dispose(kept, key, reason) {
      leave(kept, key)
      // What is replaced the member has forgotten itself.
      if (reason !== 'set') drop(kept)
    },
  })
  const byLink = new WeakMap<UpstreamLink, Kept>()
  /** The keys of each owner, the one that was used last at the end. */
  const owners = new Map<string, Set<string>>()
  const ending = new Set<Promise<void>>()
  let purgeAt = 0
  let isClosed = false

  function leave({ owner }: Kept, key: string): void {
    const own = owners.get(owner)
    own?.delete(key)
    if (own?.size === 0) owners.delete(owner)
  }

  function drop(kept: Kept): void {
    kept.isOver = true
    if (kept.uses === 0 || isClosed) end(kept)
  }

  function end({ peer, link }: Kept): void {
    const ended: Promise<void> = sessions.end(peer, link).finally(() => ending.delete(ended))
    ending.add(ended)
  }

  return {
    get(key) {
      const kept = links.get(key)
      if (kept === undefined) return undefined
      const own = owners.get(kept.owner)
      own?.delete(key)
      own?.add(key)
      return kept.link
    },
    set(key, owner, peer, link) {
      const now = performance.now()
      // By itself the cache finds out about one only when that is asked for again.
      if (now >= purgeAt) {
        links.purgeStale()
        purgeAt = now + PURGE_MS
      }
      const kept = { link, peer: { ...peer, headers: {} }, owner, uses: 0, isOver: false }
      links.set(key, kept)
      byLink.set(link, kept)
      const own = owners.get(owner) ?? new Set()
      owners.set(owner, own.add(key))
      const [oldest] = own
      if (oldest !== undefined && own.size > MAX_EACH) links.delete(oldest)
    },
    delete: (key) => void links.delete(key),
    use(link) {
      const kept = byLink.get(link)
      if (kept === undefined || link.sessionId === undefined) return undefined
      kept.uses++
      return () => {
        kept.uses--
        if (kept.isOver && kept.uses === 0) end(kept)
      }
    },
    async close() {
      isClosed = true
      links.clear()
      const ended = new Abort()
      void Promise.allSettled(ending).then(() => ended.abort())
      await pause(CLOSE_MS, ended)
    },
  }
}
