/**
 * The messages of one call of a member on their way to the client: the response, what is told on the way to it, and what the member
 * asks in the middle of it, each in the form that the client's era has for it (B6).
 */

import { isLoggedAt, mayBeAsked, neededFor } from '../../mcp/asked-of-clients.ts'
import { META, missingCapability } from '../../mcp/eras.ts'
import { GatewayCode, JsonRpcCode } from '../../mcp/error-codes.ts'
import { type JsonEdit, spliceJson } from '../../mcp/json-splice.ts'
import { valueBytes } from '../../mcp/json-values.ts'
import { errorResponse, isJsonObject, type MessageProblem, resultResponse } from '../../mcp/messages.ts'
import { readAhead } from '../../mcp/read-ahead.ts'
import { FAILURE_FORMS } from '../../mcp/relay-failure.ts'
import { clientIdIn, clientIdOf } from '../../mcp/request-ids.ts'
import { faultReason, ofUpstream, type UpstreamMessage, UpstreamReadError } from '../../mcp/upstream-messages.ts'
import { placeOwner } from '../caller-places.ts'
import type { ClientAnswers } from './answers-of-clients.ts'
import { askClient } from './ask-client.ts'
import { type CallUnderWay, inputsOf, MAX_ASKED, TAKES_INPUT, TOO_MUCH_ASKED } from './call-under-way.ts'
import type { ClientResponse } from './client-response.ts'
import { serverInfoOf } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember } from './live.ts'
import { type ParkedCalls, parkedOwner } from './parked.ts'
import type { ResourceUpdates } from './resource-updates.ts'

/** What messages cross with. */
export interface CrossingParts {
  readonly lists: Pick<VirtualLists, 'changed'>
  readonly updates: ResourceUpdates
  readonly answers: ClientAnswers
  readonly parked: ParkedCalls
  /**
   * Sends the call again, with the answers to what the member has asked (2026-07-28). `too_old`: the caller has another account
   * there by now.
   */
  again(call: CallUnderWay, edits: readonly JsonEdit[]): Promise<CallUnderWay | 'too_old' | undefined>
  /** What the client is answered in the end. */
  readonly respondTo: ClientResponse
  /** Sends a response of ours to a request of the member. */
  respond(call: CallUnderWay, bytes: Uint8Array): Promise<void>
}

const MAX_ROUNDS = 10
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
      const edits = yield* askClient(parts.answers, call, step)
      // Given up: nobody waits for a response.
      if (call.abort.aborted) return
      if (typeof edits === 'string') return yield failure(call, edits)
      const next = await parts.again(call, edits)
      if (next === 'too_old') return yield tooOld(call)
      if (next === undefined) break
      call = next
    }
    yield failure(call, 'asked again and again, or could not be asked again')
  } catch (error) {
    if (!(error instanceof UpstreamReadError)) throw error
    if (call.abort.aborted || context.exchange.request.signal.aborted) return
    const detail = `${call.member.server.name}: ${error.message}`
    context.exchange.failure = { outcome: 'failed', reason: error.fault, detail }
    const what = error.fault === 'broken' ? 'broke off' : FAILURE_FORMS[faultReason(error)].text
    yield failure(call, what)
  } finally {
    if (!parked) {
      call.abort.abort()
      void call.messages.return(undefined)
    }
  }

  function tooOld({ member: { server } }: CallUnderWay): Uint8Array {
    const detail = `${server.name}: the account has changed while the client was asked`
    context.exchange.failure = { outcome: 'refused', reason: 'request_state', detail }
    const words = `Invalid params: the account at ${server.name} is another one than the call began with; call again`
    return Buffer.from(JSON.stringify(errorResponse(request.id, JsonRpcCode.INVALID_PARAMS, words)))
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
  const { context } = call
  const ahead = readAhead(call.messages)
  const asked: UpstreamRequest[] = []
  let { missing } = call
  let tellAt = 0
  for (;;) {
    // From the first question on: a member that reports all the while is asking all the same.
    const left = asked.length === 0 ? undefined : tellAt - performance.now()
    const next = left !== undefined && left <= 0 ? undefined : await ahead.peek(left)
    if (next === undefined) {
      yield inputRequired(parts, { ...call, messages: ahead.messages }, asked)
      return 'parked'
    }
    ahead.take()
    if (next.done === true) {
      if (call.abort.aborted) return 'done'
      throw new UpstreamReadError('broken', 'the answer ended without a response')
    }
    const message = next.value
    if (message.kind === 'response') {
      if (context.era.era === 'legacy' && inputsOf(message) !== undefined) return message
      const failed = missing !== undefined && isFailure(message)
      yield failed ? Buffer.from(JSON.stringify(missing?.response)) : await parts.respondTo(call, message)
      return 'done'
    }
    if (message.kind === 'notification') {
      const told = await notificationFor(parts, call, message)
      if (told !== undefined) yield told
      continue
    }
    if (message.method === 'ping') {
      await parts.respond(call, Buffer.from(JSON.stringify(resultResponse(message.id, {}))))
    } else if (!canBeAsked(call, message)) {
      missing = missingFor(call, message) ?? missing
      await refuse(parts.respond, call, message)
    } else if (context.era.era === 'modern') {
      if (asked.length === 0) tellAt = performance.now() + TOGETHER_MS
      if (asked.push(message) > MAX_ASKED) throw new UpstreamReadError('nonsense', TOO_MUCH_ASKED)
    } else {
      const id = clientIdOf(call.member.server.name, message.id)
      yield ofUpstream(() => spliceJson(message.bytes, [{ path: ['id'], json: JSON.stringify(id) }]))
    }
  }
}

type UpstreamRequest = Extract<UpstreamMessage, { kind: 'request' }>

/** Members that want to know several things ask for them one right after the other; a modern client is told of all at once. */
const TOGETHER_MS = 50

/** Without a session there is no way for the answer of a legacy client, and most methods of the modern era have none. */
function canBeAsked({ context, request }: CallUnderWay, { method, value }: UpstreamRequest): boolean {
  if (!mayBeAsked(context.client.capabilities, method, value.params)) return false
  return context.era.era === 'legacy' ? context.session !== undefined : TAKES_INPUT.has(request.method)
}

/** Tells a member that the client cannot be asked. It may do without. */
export async function refuse(
  respond: CrossingParts['respond'],
  call: CallUnderWay,
  { id }: UpstreamMessage & { readonly kind: 'request' },
): Promise<void> {
  await respond(call, Buffer.from(JSON.stringify(errorResponse(id, -32601, 'Method not found'))))
}

/** Whether a message ends a call without what was called for: an error, or the result of a tool that failed. */
export function isFailure({ kind, value }: UpstreamMessage): boolean {
  if (kind !== 'response') return false
  return !isJsonObject(value.result) || value.result.isError === true
}

/**
 * What a modern client is answered where a call fails because the member asks for what the client has not declared: it can come
 * back and declare it (2026-07-28, MissingRequiredClientCapabilityError). `undefined` where it has, or there is nothing to declare.
 */
export function missingFor(
  { context, request }: Pick<CallUnderWay, 'context' | 'request'>,
  { method, value }: UpstreamRequest,
): MessageProblem | undefined {
  if (context.era.era === 'legacy' || mayBeAsked(context.client.capabilities, method, value.params)) return undefined
  const needed = neededFor(method, value.params)
  return needed && missingCapability(request.id, needed)
}

/** A notification as the client takes it; `undefined` where it is none of its business here. */
async function notificationFor(
  { lists, updates }: Pick<CrossingParts, 'lists' | 'updates'>,
  { context, member, request }: CallUnderWay,
  message: Extract<UpstreamMessage, { kind: 'notification' }>,
): Promise<Uint8Array | undefined> {
  if (LIST_CHANGED.test(message.method)) lists.changed(member.server.name)
  if (context.era.era === 'legacy') {
    const told = notificationForLegacy(member, message)
    return told && updates(context, member, message, told)
  }
  if (!OF_REQUEST.has(message.method)) return undefined
  if (message.method !== 'notifications/message') return message.bytes
  const meta = request.params?._meta
  const { params } = message.value
  const level = isJsonObject(params) ? params.level : undefined
  return isJsonObject(meta) && isLoggedAt(level, meta[META.logLevel]) ? message.bytes : undefined
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
  const edit = { path: ['params', 'requestId'], json: JSON.stringify(clientIdOf(server.name, requestId)) }
  return ofUpstream(() => spliceJson(bytes, [edit]))
}

/** What a member asks in the middle of a call, for a client that is asked by the result. */
function inputRequired(
  { parked }: CrossingParts,
  call: CallUnderWay,
  requests: readonly UpstreamRequest[],
): Uint8Array {
  const { context, member, original, peer, link, messages, abort, request, memberId } = call
  const caller = placeOwner(context.exchange)
  const owner = parkedOwner(context.asker.caller.identity.id, context.virtual.name, request)
  const asked = requests.map(({ id }, index) => ({ id, key: `member-${index + 1}` }))
  const state = parked.park({ owner, caller, member, original, peer, link, messages, abort, asked, memberId })
  const info = JSON.stringify(serverInfoOf(context.virtual, link))
  const inputs = requests.flatMap(({ method, bytes }, index) => [
    Buffer.from(`${index === 0 ? '' : ','}"${asked[index]?.key}":{"method":${JSON.stringify(method)},"params":`),
    ofUpstream(() => valueBytes(bytes, ['params'])) ?? Buffer.from('{}'),
    Buffer.from('}'),
  ])
  return Buffer.concat([
    Buffer.from(
      `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":{"resultType":"input_required","inputRequests":{`,
    ),
    ...inputs,
    Buffer.from(`},"requestState":${JSON.stringify(state)},"_meta":{${JSON.stringify(META.serverInfo)}:${info}}}}`),
  ])
}
