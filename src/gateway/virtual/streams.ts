/**
 * What members tell without having been asked, on one stream (G5): a GET up to 2025-11-25, `subscriptions/listen` from 2026-07-28 on,
 * towards the client and towards each member as that has it. A member whose stream ends or fails is left out, the others go on.
 */
import { Readable } from 'node:stream'
import type { AbortSource } from '../../http/gate.ts'
import { META } from '../../mcp/eras.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { spliceJson } from '../../mcp/json-splice.ts'
import {
  isJsonObject,
  type JsonObject,
  type RequestId,
  type RequestMessage,
  resultResponse,
} from '../../mcp/messages.ts'
import { clientIdOf, ownId } from '../../mcp/request-ids.ts'
import type { UpstreamMessage } from '../../mcp/upstream-messages.ts'
import type { SendResult, UpstreamSessions } from '../../mcp/upstream-peer.ts'
import { toMember } from '../../mcp/virtual/crossing.ts'
import type { VirtualContext } from './context.ts'
import { notificationForLegacy } from './crossing.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember } from './live.ts'
import type { ReachedMember, VirtualMembers } from './members.ts'
import { routeOf } from './routes.ts'

/** Messages as they are sent on; an empty one keeps the connection open. */
export type VirtualStream = AsyncGenerator<Uint8Array>

/** See the top of the file. */
export interface VirtualStreams {
  /** For a GET. */
  open(context: VirtualContext): VirtualStream
  /** For `subscriptions/listen`. */
  listen(context: VirtualContext, request: RequestMessage): VirtualStream
}

/** What streams are made of. */
export interface VirtualStreamParts {
  readonly members: VirtualMembers
  readonly lists: VirtualLists
  readonly sessions: UpstreamSessions
}

/** What a client wants to hear of (2026-07-28, SubscriptionFilter). */
interface Filter {
  readonly toolsListChanged: boolean
  readonly promptsListChanged: boolean
  readonly resourcesListChanged: boolean
  readonly uris: readonly string[]
}

const KEEP_ALIVE_MS = 25_000
const EVERYTHING: Filter = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true, uris: [] }

/** Puts it together. */
export function createVirtualStreams({ members, lists, sessions }: VirtualStreamParts): VirtualStreams {
  /** Several sources in one queue, with backpressure: a source that is ahead waits. */
  async function* merged(
    context: VirtualContext,
    source: (member: LiveMember, signal: AbortSource) => AsyncGenerator<Uint8Array>,
  ): VirtualStream {
    const abort = new AbortController()
    const gone = context.exchange.request.gone ?? context.exchange.request.signal
    const onGone = () => abort.abort()
    gone.addEventListener('abort', onGone)
    if (gone.aborted) abort.abort()
    const queue = new Readable({ objectMode: true, highWaterMark: 16, read: () => more?.() })
    let more: (() => void) | undefined
    const push = (data: Uint8Array) =>
      new Promise<void>((resolve) => {
        if (queue.destroyed || queue.push(data)) resolve()
        else more = resolve
      })
    const timer = setInterval(() => queue.readableLength === 0 && queue.push(EMPTY), KEEP_ALIVE_MS)
    abort.signal.addEventListener('abort', () => {
      more?.()
      queue.destroy()
    })
    for (const member of context.virtual.members) void pump(member)
    try {
      for await (const data of queue) yield data as Uint8Array
    } catch {
      // It was destroyed: nobody listens any more.
    } finally {
      clearInterval(timer)
      gone.removeEventListener('abort', onGone)
      abort.abort()
    }

    async function pump(member: LiveMember): Promise<void> {
      try {
        for await (const data of source(member, abort.signal)) await push(data)
      } catch {
        // A member that breaks off, or cannot be reached, has nothing to tell.
      }
    }
  }

  /** What a member tells, in whichever way it does. */
  async function* fromMember(
    member: LiveMember,
    reached: ReachedMember,
    filter: Filter,
    signal: AbortSource,
  ): AsyncGenerator<UpstreamMessage> {
    const { peer, link } = reached
    let result: SendResult
    if (link.era === 'modern') {
      const { uris, ...changes } = filter
      const wanted = Object.fromEntries(Object.entries(changes).filter(([, value]) => value))
      const notifications = uris.length === 0 ? wanted : { ...wanted, resourceSubscriptions: uris }
      if (Object.keys(notifications).length === 0) return
      const id = ownId()
      const raw = Buffer.from(
        JSON.stringify({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params: { notifications } }),
      )
      const request: RequestMessage = {
        kind: 'request',
        id,
        method: 'subscriptions/listen',
        params: { notifications },
        raw,
      }
      const message = toMember(request, { id, from: 'legacy', link, peer, original: undefined })
      result = await sessions.send(peer, link, message, signal)
    } else result = await sessions.listen(peer, link, signal)
    if (result.kind !== 'messages') return
    for await (const message of result.messages) {
      if (message.kind === 'notification' && CHANGED.test(message.method)) lists.changed(member.server.name)
      yield message
    }
  }

  return {
    open(context) {
      return merged(context, async function* (member, signal) {
        const reached = await members.reach(context, member)
        if (reached.kind !== 'reached') return
        for await (const message of fromMember(member, reached, EVERYTHING, signal)) {
          if (message.kind === 'notification') {
            const told = notificationForLegacy(member, message)
            if (told !== undefined) yield await withOurUri(context, member, message, withoutSubscription(told))
          } else if (message.kind === 'request') {
            const id = clientIdOf(member.server.name, message.id)
            if (message.method === 'ping') await pong(reached, message.id)
            else yield spliceJson(message.bytes, [{ path: ['id'], json: JSON.stringify(id) }])
          }
        }
      })
    },
    async *listen(context, request) {
      const filter = filterOf(request.params?.notifications)
      yield acknowledged(request.id, request.params?.notifications)
      // Resources by member, with what they are called there.
      const routes = new Map<string, Map<string, string>>()
      for (const uri of filter.uris) {
        const route = await routeOf(context, lists, 'resource', uri)
        if (route === undefined) continue
        const { name } = route.member.server
        routes.set(name, (routes.get(name) ?? new Map()).set(route.original, uri))
      }
      yield* merged(context, async function* (member, signal) {
        const uris = routes.get(member.server.name) ?? new Map<string, string>()
        // A stream of its own has a session of its own: two of one user would not get on at the member.
        const reached = await members.reach(context, member, { fresh: true })
        if (reached.kind !== 'reached') return
        try {
          if (reached.link.era === 'legacy') await subscribe(reached, [...uris.keys()], signal)
          const wanted = { ...filter, uris: [...uris.keys()] }
          for await (const message of fromMember(member, reached, wanted, signal)) {
            if (message.kind === 'request' && message.method === 'ping') await pong(reached, message.id)
            const told = message.kind === 'notification' ? tagged(message, filter, uris, request.id) : undefined
            if (told !== undefined) yield told
          }
        } finally {
          void sessions.end(reached.peer, reached.link)
        }
      })
    },
  }

  /** A resource by the URI that it has here, where that is another. */
  async function withOurUri(
    context: VirtualContext,
    { server }: LiveMember,
    { method, value }: UpstreamMessage & { readonly kind: 'notification' },
    bytes: Uint8Array,
  ): Promise<Uint8Array> {
    const uri = isJsonObject(value.params) ? value.params.uri : undefined
    if (method !== 'notifications/resources/updated' || typeof uri !== 'string') return bytes
    const { entries } = await lists.list(context, 'resources', { known: true })
    const entry = entries.find(({ server: of, original }) => of === server.name && original === uri)
    const changed = entry !== undefined && entry.name !== uri
    return changed ? spliceJson(bytes, [{ path: ['params', 'uri'], json: JSON.stringify(entry.name) }]) : bytes
  }

  async function subscribe({ peer, link }: ReachedMember, uris: readonly string[], signal: AbortSource): Promise<void> {
    for (const uri of uris) {
      const id = ownId()
      const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method: 'resources/subscribe', params: { uri } }))
      const message = { kind: 'request', id, method: 'resources/subscribe', params: { uri }, bytes } as const
      const sent = await sessions.send(peer, link, message, signal)
      if (sent.kind === 'messages') for await (const _ of sent.messages);
    }
  }

  async function pong({ peer, link }: ReachedMember, id: RequestId): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(resultResponse(id, {})))
    await sessions.send(peer, link, { kind: 'other', method: undefined, bytes }, AbortSignal.timeout(PONG_MS))
  }
}

const PONG_MS = 10_000
const EMPTY = new Uint8Array(0)
const CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

function filterOf(notifications: unknown): Filter {
  const given = isJsonObject(notifications) ? notifications : {}
  const uris = Array.isArray(given.resourceSubscriptions) ? given.resourceSubscriptions : []
  return {
    toolsListChanged: given.toolsListChanged === true,
    promptsListChanged: given.promptsListChanged === true,
    resourcesListChanged: given.resourcesListChanged === true,
    uris: uris.filter((uri) => typeof uri === 'string'),
  }
}

function acknowledged(id: RequestId, notifications: unknown): Uint8Array {
  const { uris, ...changes } = filterOf(notifications)
  const honoured: JsonObject = {
    ...Object.fromEntries(Object.entries(changes).filter(([, value]) => value)),
    ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }),
  }
  const params = { notifications: honoured, _meta: { [META.subscriptionId]: id } }
  const message = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params }
  return Buffer.from(JSON.stringify(message))
}

/** A notification with the client's own subscription on it, if it is one that was asked for. */
function tagged(
  { method, bytes, value }: Extract<UpstreamMessage, { kind: 'notification' }>,
  filter: Filter,
  uris: ReadonlyMap<string, string>,
  id: RequestId,
): Uint8Array | undefined {
  const tag = { path: ['params', '_meta', META.subscriptionId], json: JSON.stringify(id) }
  switch (method) {
    case 'notifications/tools/list_changed':
      return filter.toolsListChanged ? spliceJson(bytes, [tag]) : undefined
    case 'notifications/prompts/list_changed':
      return filter.promptsListChanged ? spliceJson(bytes, [tag]) : undefined
    case 'notifications/resources/list_changed':
      return filter.resourcesListChanged ? spliceJson(bytes, [tag]) : undefined
    case 'notifications/resources/updated': {
      const uri = isJsonObject(value.params) ? value.params.uri : undefined
      const ours = typeof uri === 'string' ? uris.get(uri) : undefined
      return ours === undefined
        ? undefined
        : spliceJson(bytes, [tag, { path: ['params', 'uri'], json: JSON.stringify(ours) }])
    }
    default:
      return undefined
  }
}

function withoutSubscription(bytes: Uint8Array): Uint8Array {
  return spliceJson(bytes, [{ path: ['params', '_meta', META.subscriptionId], json: undefined }])
}

/** What a request may listen to, or what is wrong with it. */
export function listenProblem({
  params,
}: RequestMessage): { readonly code: number; readonly message: string } | undefined {
  if (isJsonObject(params?.notifications)) return undefined
  return { code: JsonRpcCode.INVALID_PARAMS, message: 'Invalid params: params.notifications must be an object' }
}
