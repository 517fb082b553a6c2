/**
 * What members tell without having been asked, on one stream (G5): a GET up to 2025-11-25, `subscriptions/listen` from 2026-07-28 on,
 * towards the client and towards each member as that has it. A member whose stream ends or fails is listened to again, the others go on.
 */
import { Abort } from '../../http/abort.ts'
import type { AbortSource } from '../../http/gate.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { spliceJson } from '../../mcp/json-splice.ts'
import { errorResponse, type RequestId, type RequestMessage, resultResponse } from '../../mcp/messages.ts'
import { clientIdOf, ownId } from '../../mcp/request-ids.ts'
import { acknowledged, EVERYTHING, filterOf, tagged, withoutSubscription } from '../../mcp/subscription-filter.ts'
import type { UpstreamSessions } from '../../mcp/upstream-peer.ts'
import type { Permissions } from '../permissions.ts'
import { relyOn, type VirtualContext, type VirtualSession } from './context.ts'
import { notificationForLegacy } from './crossing.ts'
import { goneOf } from './giving-up.ts'
import { judgeSubscriptions } from './judge-subscriptions.ts'
import { type Listening, noteProblem } from './listening.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember } from './live.ts'
import { fromMember, type MemberStream, whileItChanges } from './member-stream.ts'
import { isSame, type ReachedMember, type VirtualMembers } from './members.ts'
import { mergedStream, StreamOver, type VirtualStream } from './merged-stream.ts'
import type { ResourceSubscriptions } from './resource-subscriptions.ts'
import type { ResourceUpdates } from './resource-updates.ts'
import { routesOf } from './routes.ts'
import type { VirtualSessions } from './sessions.ts'

/** See the top of the file. */
export interface VirtualStreams {
  /** For a GET. */
  open(context: VirtualContext): VirtualStream
  /** Ends those of a session that is over, in this process. */
  end(session: VirtualSession): void
  /** For `subscriptions/listen`. */
  listen(context: VirtualContext, request: RequestMessage): VirtualStream
}

/** What streams are made of. */
export interface VirtualStreamParts {
  readonly members: VirtualMembers
  readonly lists: VirtualLists
  readonly sessions: UpstreamSessions
  readonly kept: Pick<VirtualSessions, 'isOver'>
  readonly subscriptions: ResourceSubscriptions
  readonly updates: ResourceUpdates
  readonly permissions: Pick<Permissions, 'ask'>
}

/** Puts it together. */
export function createVirtualStreams(parts: VirtualStreamParts): VirtualStreams {
  const { members, lists, sessions, kept, subscriptions, updates, permissions } = parts

  /** What ends the streams of each session. */
  const ofSessions = new Map<string, Set<Abort>>()

  /** What a member tells; what is known of its lists is forgotten when they change, or may have changed while nobody listened. */
  async function* heard({ server }: LiveMember, messages: MemberStream, again: unknown): MemberStream {
    if (again !== undefined) lists.changed(server.name)
    for await (const message of messages) {
      if (message.kind === 'notification' && CHANGED.test(message.method)) lists.changed(server.name)
      yield message
    }
  }

  /** For a client of an era with sessions. */
  function forSession(
    session: VirtualSession,
    { server }: LiveMember,
    reached: ReachedMember,
    signal: AbortSource,
    listening: Listening,
  ): MemberStream {
    if (reached.link.era === 'legacy') return inSession(session, server.name, reached, signal, listening)
    const open = async (until: AbortSource) => {
      const uris = [...(await subscriptions.of(session, server.name)).keys()]
      return fromMember(sessions, reached, { ...EVERYTHING, uris }, until, listening)
    }
    return whileItChanges(open, (changed) => subscriptions.watch(session, server.name, changed), signal)
  }

  /** A legacy member knows what is subscribed to in the session that it was asked in, and forgets it with that. */
  async function* inSession(
    session: VirtualSession,
    member: string,
    reached: ReachedMember,
    signal: AbortSource,
    listening: Listening,
  ): MemberStream {
    if (!isSame(reached.link, listening.heard)) {
      await subscribe(reached, [...(await subscriptions.of(session, member)).keys()], signal)
    }
    yield* fromMember(sessions, reached, EVERYTHING, signal, listening)
  }

  /** Until what is returned is called, `over` is told of the end of the session. */
  function enter({ key }: VirtualSession, over: Abort): () => void {
    const streams = ofSessions.get(key) ?? new Set()
    ofSessions.set(key, streams.add(over))
    return () => {
      streams.delete(over)
      if (streams.size === 0 && ofSessions.get(key) === streams) ofSessions.delete(key)
    }
  }

  function ofSession(context: VirtualContext, over: AbortSource): VirtualStream {
    const { session } = context
    /** What has been forgotten of each, until the member is told of it. */
    const judged = new Map<LiveMember, readonly string[]>()
    return mergedStream(
      context,
      async function* (member, signal, listening) {
        const { heard: again, refused, rejected } = listening
        // A member ends its streams with its session: to go on would be to open another, which nobody ends.
        if (session !== undefined && (await kept.isOver(session))) throw new StreamOver()
        if (session !== undefined && !judged.has(member)) {
          judged.set(member, await judgeSubscriptions(context, session, member, subscriptions, permissions))
        }
        // What was never listened to may have no streams at all: its session is not given up for that.
        const reached = await members.reach(context, member, { instead: again && refused, rejected })
        if (reached.kind !== 'reached') return noteProblem(listening, reached)
        // Until a call has found that it is over.
        if (session === undefined || isSame(reached.link, refused)) return
        relyOn(context, member, reached.credential)
        if (reached.link.era === 'legacy') {
          const forgotten = judged.get(member) ?? []
          judged.set(member, [])
          // Nothing waits for it: what the member tells all the same does not go on.
          subscribe(reached, forgotten, signal, 'resources/unsubscribe').catch(() => {})
        }
        for await (const message of heard(member, forSession(session, member, reached, signal, listening), again)) {
          if (message.kind === 'notification') {
            const told = notificationForLegacy(member, message)
            const ours = told && (await updates(context, member, message, told))
            if (ours !== undefined) yield withoutSubscription(ours)
          } else if (message.kind === 'request') {
            const id = clientIdOf(member.server.name, message.id)
            if (message.method === 'ping') await pong(reached, message.id)
            else yield spliceJson(message.bytes, [{ path: ['id'], json: JSON.stringify(id) }])
          }
        }
      },
      over,
    )
  }

  return {
    async *open(context) {
      const over = new Abort()
      const leave = context.session === undefined ? undefined : enter(context.session, over)
      try {
        yield* ofSession(context, over)
      } finally {
        leave?.()
      }
    },
    end({ key }) {
      for (const over of [...(ofSessions.get(key) ?? [])]) over.abort()
    },
    async *listen(context, request) {
      const filter = filterOf(request)
      yield acknowledged(request.id, filter)
      // Resources by member, with what they are called there.
      const routes = new Map<string, Map<string, string>>()
      const gone = goneOf(context)
      for (const [uri, { member, original }] of await routesOf(context, lists, filter.uris, gone)) {
        const { name } = member.server
        routes.set(name, (routes.get(name) ?? new Map()).set(original, uri))
      }
      if (gone.aborted) return
      yield* mergedStream(context, async function* (member, signal, listening) {
        const { heard: again, rejected } = listening
        const uris = routes.get(member.server.name) ?? new Map<string, string>()
        // A stream of its own has a session of its own: two of one user would not get on at the member.
        const reached = await members.reach(context, member, { fresh: true, rejected })
        if (reached.kind !== 'reached') return noteProblem(listening, reached)
        relyOn(context, member, reached.credential)
        try {
          if (reached.link.era === 'legacy') await subscribe(reached, [...uris.keys()], signal)
          const wanted = { ...filter, uris: [...uris.keys()] }
          for await (const message of heard(member, fromMember(sessions, reached, wanted, signal, listening), again)) {
            if (message.kind === 'request') {
              if (message.method === 'ping') await pong(reached, message.id)
              else await refuse(reached, message.id)
            }
            const told = message.kind === 'notification' ? tagged(message, filter, uris, request.id) : undefined
            if (told !== undefined) yield told
          }
        } finally {
          // One that was made a moment ago: there are no streams.
          if (listening.refused !== undefined && again === undefined) listening.over = true
          void sessions.end(reached.peer, reached.link)
        }
      })
    },
  }

  async function subscribe(
    { peer, link }: ReachedMember,
    uris: readonly string[],
    signal: AbortSource,
    method: 'resources/subscribe' | 'resources/unsubscribe' = 'resources/subscribe',
  ): Promise<void> {
    for (const uri of uris) {
      if (signal.aborted) return
      const id = ownId()
      const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params: { uri } }))
      const message = { kind: 'request', id, method, params: { uri }, bytes } as const
      const sent = await sessions.send(peer, link, message, signal)
      if (sent.kind === 'messages') for await (const _ of sent.messages);
    }
  }

  function pong(reached: ReachedMember, id: RequestId): Promise<void> {
    return respond(reached, resultResponse(id, {}))
  }

  /** Outside of a call there is no way to ask a client of 2026-07-28 for anything. */
  function refuse(reached: ReachedMember, id: RequestId): Promise<void> {
    const words = 'Method not found: the client can be asked only while it waits for the answer to a call'
    return respond(reached, errorResponse(id, JsonRpcCode.METHOD_NOT_FOUND, words))
  }

  async function respond({ peer, link }: ReachedMember, response: object): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(response))
    await sessions.send(peer, link, { kind: 'other', method: undefined, bytes }, AbortSignal.timeout(RESPOND_MS))
  }
}

const RESPOND_MS = 10_000
const CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/
