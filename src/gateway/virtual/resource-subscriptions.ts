/**
 * What legacy clients have subscribed to, kept with the session. Modern members have no `resources/subscribe`: the stream of the
 * session, on whichever replica that is, asks them for it by `subscriptions/listen` (B6, B7). Legacy members forget it when they
 * are restarted, and are asked for it again.
 */
import type { Clock } from '../../core/clock.ts'
import { isJsonObject } from '../../mcp/messages.ts'
import type { Key, TokenStore } from '../../store/token-store.ts'
import type { VirtualSession } from './context.ts'

/** URIs of one session at one member: from what the member calls them to what the client does. */
export type SubscribedUris = ReadonlyMap<string, string>

/** See the top of the file. */
export interface ResourceSubscriptions {
  of(session: VirtualSession, member: string): Promise<SubscribedUris>
  /** Resolves once a stream of this process asks for it too, if there is one. `false` where there are too many. */
  add(session: VirtualSession, member: string, original: string, uri: string): Promise<boolean>
  remove(session: VirtualSession, member: string, original: string): Promise<void>
  /** The same for several, which no stream asks for any more: none is told. */
  forget(session: VirtualSession, member: string, originals: readonly string[]): Promise<void>
  /**
   * Tells a stream of changes, also of those on other replicas, after a while.
   *
   * @param changed - resolves when the stream has taken it in
   * @returns what ends the watch
   */
  watch(session: VirtualSession, member: string, changed: () => Promise<void>): () => void
}

/** Changes what there is; `false` where that is not to be written. Asked again where somebody else was faster. */
type Edit = (uris: Map<string, string>) => boolean

/** Where sessions are, so that what is here ends with them. */
const SPACE = 'virtual-sessions'
const MAX_SUBSCRIBED = 1_000
/** Only other replicas are in the way. */
const MAX_TRIES = 50
/** How long a subscription waits for a stream to take it in. */
const TAKE_MS = 5_000
/** How long one that was made on another replica may take. */
const POLL_MS = 2_000

/** @param store - sealed */
export function createResourceSubscriptions(store: TokenStore, clock: Clock): ResourceSubscriptions {
  const changing = new Map<string, Promise<void>>()
  const watching = new Map<string, Set<() => Promise<void>>>()
  const nameOf = ({ key }: VirtualSession, member: string) => `${key} ${member}`
  const keyOf = ({ key }: VirtualSession, member: string): Key => ({
    space: SPACE,
    owner: key,
    id: `subscribed ${member}`,
  })

  async function read(session: VirtualSession, member: string) {
    const found = await store.get(keyOf(session, member))
    const value: unknown = found === undefined ? {} : JSON.parse(Buffer.from(found.value).toString('utf8'))
    const entries = Object.entries(isJsonObject(value) ? value : {})
    const uris = new Map(entries.flatMap(([key, uri]) => (typeof uri === 'string' ? [[key, uri] as const] : [])))
    return { version: found?.version ?? null, uris }
  }

  async function change(session: VirtualSession, member: string, edit: Edit): Promise<boolean> {
    const done = await inTurn(session, member, edit)
    // Behind it nobody else waits: it is the member that takes its time.
    if (done) await tell(session, member)
    return done
  }

  /** One after the other, since a client may well subscribe to many things at the same moment. */
  function inTurn(session: VirtualSession, member: string, edit: Edit): Promise<boolean> {
    const name = nameOf(session, member)
    const before = changing.get(name) ?? Promise.resolve()
    const done = before.then(() => changeNow(session, member, edit))
    const settled = done.then(
      () => {},
      () => {},
    )
    changing.set(name, settled)
    void settled.then(() => changing.get(name) === settled && changing.delete(name))
    return done
  }

  async function changeNow(session: VirtualSession, member: string, edit: Edit): Promise<boolean> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const { version, uris } = await read(session, member)
      if (!edit(uris)) return false
      const bytes = Buffer.from(JSON.stringify(Object.fromEntries(uris)))
      const ttlMs = Math.max(1, session.expiresAt - clock.now())
      const put = await store.put(keyOf(session, member), bytes, { ifVersion: version, ttlMs })
      if (put === 'conflict') continue
      return true
    }
    throw new Error('the subscriptions of a session could not be written: others are always faster')
  }

  async function tell(session: VirtualSession, member: string): Promise<void> {
    const streams = [...(watching.get(nameOf(session, member)) ?? [])]
    if (streams.length === 0) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, TAKE_MS)
    })
    await Promise.race([Promise.all(streams.map((changed) => changed())), late])
    clearTimeout(timer)
  }

  return {
    of: async (session, member) => (await read(session, member)).uris,
    add: (session, member, original, uri) =>
      change(session, member, (uris) => {
        uris.set(original, uri)
        return uris.size <= MAX_SUBSCRIBED
      }),
    async remove(session, member, original) {
      await change(session, member, (uris) => uris.delete(original))
    },
    async forget(session, member, originals) {
      await inTurn(session, member, (uris) => originals.map((each) => uris.delete(each)).includes(true))
    },
    watch(session, member, changed) {
      const name = nameOf(session, member)
      const streams = watching.get(name) ?? new Set()
      watching.set(name, streams.add(changed))
      let seen: string | null | undefined
      const look = () => {
        // A store that is down now may be there the next time.
        store.get(keyOf(session, member)).then(
          (found) => {
            const version = found?.version ?? null
            if (seen !== undefined && seen !== version) void changed()
            seen = version
          },
          () => {},
        )
      }
      // From now on: whoever watches reads what there is after this.
      look()
      const timer = setInterval(look, POLL_MS).unref()
      return () => {
        clearInterval(timer)
        streams.delete(changed)
        if (streams.size === 0 && watching.get(name) === streams) watching.delete(name)
      }
    },
  }
}
