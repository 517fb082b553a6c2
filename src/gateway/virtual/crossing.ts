/**
 * The messages of one call of a member on their way to the client: the response, what is told on the way to it, and what the member
 * asks in the middle of it, each in the form that the client's era has for it (B6).
 */
import { META } from '../../mcp/eras.ts'
import { GatewayCode } from '../../mcp/error-codes.ts'
import { type JsonEdit, spliceJson } from '../../mcp/json-splice.ts'
import { valueBytes } from '../../mcp/json-values.ts'
import {
  errorResponse,
  isJsonObject,
  type JsonObject,
  type RequestMessage,
  resultResponse,
} from '../../mcp/messages.ts'
import { clientIdIn, clientIdOf } from '../../mcp/request-ids.ts'
import { elicitationIdOf } from '../../mcp/signal.ts'
import { type UpstreamMessage, UpstreamReadError } from '../../mcp/upstream-messages.ts'
import type { UpstreamLink, UpstreamPeer } from '../../mcp/upstream-peer.ts'
import { toClient } from '../../mcp/virtual/crossing.ts'
import type { ClientAnswers } from './answers-of-clients.ts'
import { serverInfoOf, type VirtualContext } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember } from './live.ts'
import { type ParkedCalls, parkedOwner } from './parked.ts'

/** A call that is under way. */
export interface CallUnderWay {
  readonly context: VirtualContext
  readonly member: LiveMember
  readonly peer: UpstreamPeer
  readonly link: UpstreamLink
  /** The client's. */
  readonly request: RequestMessage
  /** Its id at the member. */
  readonly memberId: string | number
  readonly messages: AsyncGenerator<UpstreamMessage>
  readonly abort: AbortController
}

/** What messages cross with. */
export interface CrossingParts {
  readonly lists: Pick<VirtualLists, 'changed'>
  readonly answers: ClientAnswers
  readonly parked: ParkedCalls
  /** Sends the call again, with the answers to what the member has asked (2026-07-28). */
  again(call: CallUnderWay, edits: readonly JsonEdit[]): Promise<CallUnderWay | undefined>
  /** Sends a response of ours to a request of the member. */
  respond(call: CallUnderWay, bytes: Uint8Array): Promise<void>
}

/** What a response asks of the client, if it does (2026-07-28, InputRequiredResult). */
export function inputsOf(message: UpstreamMessage): JsonObject | undefined {
  const { result } = message.value
  const asks = message.kind === 'response' && isJsonObject(result) && result.resultType === 'input_required'
  return asks ? (isJsonObject(result.inputRequests) ? result.inputRequests : {}) : undefined
}

const MAX_ROUNDS = 10
/** What servers ask of clients. */
const ASKED: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list'])
/** What belongs to a request, and so on its stream (2026-07-28). */
const OF_REQUEST: ReadonlySet<string> = new Set(['notifications/progress', 'notifications/message'])
const LIST_CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

/** The messages for the client, the response last. */
export async function* crossing(parts: CrossingParts, first: CallUnderWay): AsyncGenerator<Uint8Array> {
  const { context, request } = first
  let call = first
  let parked = false
  try {
    for (let rounds = 0; rounds < MAX_ROUNDS; rounds++) {
      const step = yield* messagesOf(parts, call)
      if (step === 'parked') {
        parked = true
        return
      }
      if (step === 'done') return
      const edits = yield* askClient(parts, call, step)
      const next = edits === undefined ? undefined : await parts.again(call, edits)
      if (next === undefined) break
      call = next
    }
    yield failure(call, 'asked for something that was not answered')
  } catch (error) {
    if (!(error instanceof UpstreamReadError)) throw error
    if (!context.exchange.request.signal.aborted) yield failure(call, 'broke off')
  } finally {
    if (!parked) {
      call.abort.abort()
      void call.messages.return(undefined)
    }
  }

  function failure({ member }: CallUnderWay, what: string): Uint8Array {
    const message = `${member.server.name} ${what}.`
    return Buffer.from(JSON.stringify(errorResponse(request.id, GatewayCode.UPSTREAM_NONSENSE, message)))
  }
}

/** Up to the response, which a legacy client may have to be asked for first. */
async function* messagesOf(
  parts: CrossingParts,
  call: CallUnderWay,
): AsyncGenerator<Uint8Array, 'done' | 'parked' | Extract<UpstreamMessage, { kind: 'response' }>> {
  const { context, link, request, messages } = call
  for (;;) {
    // Not for-await, which would end the stream of a call that is parked.
    const { value: message, done } = await messages.next()
    if (done === true) {
      if (call.abort.signal.aborted) return 'done'
      throw new UpstreamReadError('broken', 'the answer ended without a response')
    }
    if (message.kind === 'response') {
      if (context.era.era === 'legacy' && inputsOf(message) !== undefined) return message
      yield toClient(message, {
        id: request.id,
        to: context.era.era,
        from: link.era,
        method: request.method,
        serverInfo: serverInfoOf(context.virtual),
      })
      return 'done'
    }
    if (message.kind === 'notification') {
      const told = notificationFor(parts, call, message)
      if (told !== undefined) yield told
      continue
    }
    if (message.method === 'ping') {
      await parts.respond(call, Buffer.from(JSON.stringify(resultResponse(message.id, {}))))
    } else if (!ASKED.has(message.method) || (context.era.era === 'legacy' && context.session === undefined)) {
      // Also where there is no session, and so no way for an answer.
      await parts.respond(call, Buffer.from(JSON.stringify(errorResponse(message.id, -32601, 'Method not found'))))
    } else if (context.era.era === 'legacy') {
      const id = clientIdOf(call.member.server.name, message.id)
      yield spliceJson(message.bytes, [{ path: ['id'], json: JSON.stringify(id) }])
    } else {
      yield inputRequired(parts, call, message)
      return 'parked'
    }
  }
}

/** A notification as the client takes it; `undefined` where it is none of its business here. */
function notificationFor(
  { lists }: Pick<CrossingParts, 'lists'>,
  { context, member, request }: CallUnderWay,
  message: Extract<UpstreamMessage, { kind: 'notification' }>,
): Uint8Array | undefined {
  if (LIST_CHANGED.test(message.method)) lists.changed(member.server.name)
  if (context.era.era === 'legacy') return notificationForLegacy(member, message)
  if (!OF_REQUEST.has(message.method)) return undefined
  const meta = request.params?._meta
  const asked = isJsonObject(meta) && meta[META.logLevel] !== undefined
  return message.method === 'notifications/message' && !asked ? undefined : message.bytes
}

/** What a legacy client is told of what a member tells. */
export function notificationForLegacy(
  { server }: LiveMember,
  { method, bytes, value }: Extract<UpstreamMessage, { kind: 'notification' }>,
): Uint8Array | undefined {
  if (method === 'notifications/subscriptions/acknowledged') return undefined
  if (method !== 'notifications/cancelled') return bytes
  // Of a request of its own, which the client knows by another id.
  const params = isJsonObject(value.params) ? value.params : {}
  const { requestId } = params
  if (typeof requestId !== 'string' && typeof requestId !== 'number') return undefined
  if (clientIdIn(requestId) !== undefined) return undefined
  return spliceJson(bytes, [
    { path: ['params', 'requestId'], json: JSON.stringify(clientIdOf(server.name, requestId)) },
  ])
}

/** What a member asks in the middle of a call, for a client that is asked by the result. */
function inputRequired(
  { parked }: CrossingParts,
  call: CallUnderWay,
  message: Extract<UpstreamMessage, { kind: 'request' }>,
): Uint8Array {
  const { context, member, peer, link, messages, abort, request, memberId } = call
  const key = 'member-1'
  const owner = parkedOwner(context.asker.caller.identity.id, context.virtual.name, request.method, request.params)
  const state = parked.park({ owner, member, peer, link, messages, abort, asked: message.id, key, memberId })
  const params = valueBytes(message.bytes, ['params']) ?? Buffer.from('{}')
  const info = JSON.stringify(serverInfoOf(context.virtual))
  return Buffer.concat([
    Buffer.from(
      `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":{"resultType":"input_required","inputRequests":` +
        `{"${key}":{"method":${JSON.stringify(message.method)},"params":`,
    ),
    params,
    Buffer.from(`}},"requestState":${JSON.stringify(state)},"_meta":{${JSON.stringify(META.serverInfo)}:${info}}}}`),
  ])
}

/** Asks a legacy client on its stream; what goes to the member with the next try. */
async function* askClient(
  { answers }: CrossingParts,
  { context }: CallUnderWay,
  message: Extract<UpstreamMessage, { kind: 'response' }>,
): AsyncGenerator<Uint8Array, readonly JsonEdit[] | undefined> {
  const { session, exchange } = context
  const inputs = Object.entries(inputsOf(message) ?? {})
  // Without a session there is nobody to send a response.
  if (session === undefined) return undefined
  const gone = exchange.request.gone ?? exchange.request.signal
  const edits: JsonEdit[] = []
  const asked = inputs.map(([key, input]) => ({ key, input, id: answers.newId() }))
  const waits = asked.map(({ id }) => answers.wait(session, id, gone))
  for (const { key, input, id } of asked) {
    const method = isJsonObject(input) ? input.method : undefined
    if (typeof method !== 'string' || !ASKED.has(method)) return undefined
    const params = valueBytes(message.bytes, ['result', 'inputRequests', key, 'params']) ?? Buffer.from('{}')
    const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)},"params":`
    yield Buffer.concat([Buffer.from(head), withElicitationId(params, input), Buffer.from('}')])
  }
  for (const [index, { key }] of asked.entries()) {
    const response = await waits[index]
    const result = response === undefined ? undefined : valueBytes(response, ['result'])
    if (result === undefined) return undefined
    edits.push({ path: ['params', 'inputResponses', key], json: result })
  }
  const state = valueBytes(message.bytes, ['result', 'requestState'])
  edits.push({ path: ['params', 'requestState'], json: state })
  return edits
}

/** 2025-11-25 wants an id for the elicitation of a URL. */
function withElicitationId(params: Uint8Array, input: unknown): Uint8Array {
  const asked = isJsonObject(input) && isJsonObject(input.params) ? input.params : {}
  if (asked.mode !== 'url' || typeof asked.url !== 'string' || asked.elicitationId !== undefined) return params
  return spliceJson(params, [{ path: ['elicitationId'], json: JSON.stringify(elicitationIdOf(asked.url)) }])
}
