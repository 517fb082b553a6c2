/**
 * A request to a virtual server: session and era, access by the grants on the virtual server, and then each message by its method.
 * The handshake, `ping` and the lists are answered here; what names something goes to the member that has it.
 */
import { type Era, eraOf, eraWithoutBody, META } from '../../mcp/eras.ts'
import { GatewayCode, JsonRpcCode } from '../../mcp/error-codes.ts'
import { errorsReply, jsonReply } from '../../mcp/json-rpc-reply.ts'
import { listOf } from '../../mcp/list-filter.ts'
import { isJsonObject, type Message, type RequestMessage, resultResponse } from '../../mcp/messages.ts'
import { unknownMethod } from '../../mcp/refusals.ts'
import type { RequestStates } from '../../mcp/request-state.ts'
import { targetsOf } from '../../mcp/targets.ts'
import type { UpstreamSessions } from '../../mcp/upstream-peer.ts'
import { type Ended, unavailable } from '../ending.ts'
import type { Exchange, ReadMessages } from '../exchange.ts'
import { judgeMessages, removedFrom } from '../judge-messages.ts'
import { withoutOwnState } from '../own-state.ts'
import { type Asker, DecideError, type Permissions } from '../permissions.ts'
import { refusal } from '../refusal.ts'
import { endedOf, errorAnswer, eventsReply, oneAnswer, type VirtualAnswer } from './answer.ts'
import type { ClientAnswers } from './answers-of-clients.ts'
import type { VirtualCall } from './call.ts'
import { createClientMessages } from './client-messages.ts'
import { clientInfoOf, type VirtualContext, type VirtualSession } from './context.ts'
import { createListAnswer } from './list-answer.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveVirtualServer } from './live.ts'
import type { VirtualMembers } from './members.ts'
import { createVirtualOpening } from './opening.ts'
import type { VirtualSessions } from './sessions.ts'
import type { VirtualSignal } from './signal.ts'
import type { VirtualStreams } from './streams.ts'
import type { Subscribing } from './subscribing.ts'
import { listenProblem } from './subscription-filter.ts'

/** Carries a request of an authenticated caller with a role on the virtual server to its end. */
export type VirtualStep = (
  exchange: Exchange,
  virtual: LiveVirtualServer,
  body: ReadMessages | undefined,
) => Promise<Ended>

/** What the step works with. */
export interface VirtualStepParts {
  readonly permissions: Permissions
  readonly requestStates: RequestStates
  readonly sessions: VirtualSessions
  readonly upstream: UpstreamSessions
  readonly members: VirtualMembers
  readonly lists: VirtualLists
  readonly calls: VirtualCall
  readonly streams: VirtualStreams
  readonly subscribe: Subscribing
  readonly answers: ClientAnswers
  readonly signal: VirtualSignal
}

/** Puts the step together. */
export function createVirtualStep(parts: VirtualStepParts): VirtualStep {
  const { permissions, requestStates, sessions, upstream, members, lists, calls, streams, subscribe, answers, signal } =
    parts

  const clientMessages = createClientMessages({ sessions, members, calls, answers })
  const opening = createVirtualOpening({ sessions, members, signal })
  const answerList = createListAnswer({ permissions, lists, signal, missingConsents: opening.missingConsents })

  async function step(exchange: Exchange, virtual: LiveVirtualServer, body: ReadMessages | undefined): Promise<Ended> {
    const { caller, principals, state, request } = exchange
    if (caller === undefined) throw new TypeError('a call has a caller')
    const place = { server: virtual.name, identity: caller.identity.id }
    const sessionId = request.headers['mcp-session-id']
    const opened = typeof sessionId === 'string' ? await sessions.open(sessionId, place) : undefined
    const known = { sessionRevision: opened?.revision }
    const era =
      body === undefined ? eraWithoutBody(request.headers, known) : eraOf(body.messages, request.headers, known)
    if (era.kind === 'problem') {
      const { status, response } = era
      const reply = jsonReply(status, response, status === 405 ? { allow: 'POST' } : undefined)
      return { reply, outcome: 'refused', reason: 'era', detail: response.error.message }
    }
    const inSession = era.era === 'legacy' && !(body !== undefined && isInitialize(body.messages.messages))
    if (inSession && sessionId !== undefined && opened === undefined) {
      const reply = errorsReply(404, GatewayCode.UNKNOWN_SESSION, 'Session not found: initialize again', body?.messages)
      return { reply, outcome: 'refused', reason: 'unknown_session' }
    }
    const asker: Asker = { access: state.access, caller, principals, server: virtual.name }
    const session = inSession ? opened : undefined
    if (body === undefined) return withoutBody(contextOf(exchange, virtual, asker, era, session, undefined))

    const removed = removedFrom(body.messages, era)
    if (removed !== undefined) return refusal(exchange, body.messages, era, removed)
    const asked = judgeMessages(body.messages, asker, permissions)
    const verdict = asked instanceof Promise ? await asked : asked
    if (verdict.kind === 'unavailable') return unavailable('decide', verdict.detail, undefined, body.messages)
    if (verdict.kind === 'refused') return refusal(exchange, body.messages, era, verdict.refused)
    exchange.rule = verdict.rule ?? exchange.rule
    const sent = era.era === 'legacy' ? body : await withoutOwnState(body, place, requestStates)
    if ('outcome' in sent) return sent
    const { batch, messages } = sent.messages
    const [first] = messages
    const whole = batch || sent === body || first?.kind !== 'request' ? messages : [{ ...first, raw: sent.bytes }]
    const made = contextOf(exchange, virtual, asker, era, session, first)
    if (!batch && isInitialize(messages)) return opening.initialize(made, first as RequestMessage)
    const done = await Promise.all(whole.map((message) => answer(made, message)))
    const ended = endedOf(
      done.flatMap((each) => (each === undefined ? [] : [each])),
      batch,
    )
    if (ended.reason !== 'anonymous') return ended
    // Somebody who has not said who they are may be anybody.
    const reply = state.protectedResource.unauthenticated(exchange.endpoint)
    return { reply, outcome: 'unauthenticated', reason: 'no_credentials' }
  }

  async function withoutBody(context: VirtualContext): Promise<Ended> {
    const { exchange, session } = context
    if (session === undefined) {
      const message = 'Invalid Request: there is no session'
      return {
        reply: errorsReply(400, JsonRpcCode.INVALID_REQUEST, message, undefined),
        outcome: 'refused',
        reason: 'no_session',
      }
    }
    if (exchange.request.method === 'GET') return { reply: eventsReply(streams.open(context)), outcome: 'relayed' }
    const links = await sessions.links(session)
    await sessions.end(session)
    for (const [name, link] of links) {
      const member = context.virtual.byName.get(name)
      const found = member === undefined ? undefined : await members.credential(context, member)
      if (member === undefined || found?.kind !== 'credential') continue
      const peer = { server: member.server.relay, credential: found.headers, headers: {}, client: context.client }
      void upstream.end(peer, link)
    }
    return { reply: { status: 204 }, outcome: 'relayed' }
  }

  /** What a message is answered; `undefined` for one that gets no answer. */
  async function answer(context: VirtualContext, message: Message): Promise<VirtualAnswer | undefined> {
    if (message.kind === 'request') return answerRequest(context, message)
    await clientMessages.take(context, message)
    return undefined
  }

  async function answerRequest(context: VirtualContext, request: RequestMessage): Promise<VirtualAnswer> {
    const { era, virtual } = context
    const { method, id, params } = request
    const list = listOf(method)
    const [only] = virtual.bridged === undefined ? [] : virtual.members
    if (list !== undefined) return only ? calls.list(context, request, only) : answerList(context, request, list)
    const unknown = () => oneAnswer(unknownMethod(id, method), REFUSED, era.era === 'modern' ? 404 : 200)
    switch (method) {
      case 'server/discover':
        return era.era === 'modern' ? opening.discover(context, request) : unknown()
      case 'ping':
        return era.era === 'legacy' ? oneAnswer(resultResponse(id, {}), RELAYED) : unknown()
      case 'logging/setLevel':
        return era.era === 'legacy' ? clientMessages.setLevel(context, request) : unknown()
      case 'tools/call':
      case 'prompts/get':
      case 'resources/read':
      case 'resources/subscribe':
      case 'resources/unsubscribe':
      case 'completion/complete': {
        if (era.era === 'modern' && SUBSCRIBE.test(method)) return unknown()
        const found = targetsOf(method, params)
        const target = found.kind === 'targets' ? found.targets[0] : undefined
        if (target === undefined) return unknown()
        if (SUBSCRIBE.test(method)) return subscribe(context, request, target.name)
        return calls.call(context, request, target.kind, target.name)
      }
      case 'subscriptions/listen': {
        if (era.era === 'legacy') return unknown()
        const problem = listenProblem(request)
        if (problem !== undefined) return errorAnswer(id, problem.code, problem.message, REFUSED)
        return { kind: 'many', messages: streams.listen(context, request), end: RELAYED }
      }
      default:
        return unknown()
    }
  }

  return async (exchange, virtual, body) => {
    try {
      return await step(exchange, virtual, body)
    } catch (error) {
      if (error instanceof DecideError) return unavailable('decide', error.message, undefined, body?.messages)
      throw error
    }
  }
}

const RELAYED = { outcome: 'relayed' } as const
const REFUSED = { outcome: 'refused', reason: 'method' } as const
const SUBSCRIBE = /^resources\/(?:un)?subscribe$/

function isInitialize([message]: readonly Message[]): boolean {
  return message?.kind === 'request' && message.method === 'initialize'
}

function contextOf(
  exchange: Exchange,
  virtual: LiveVirtualServer,
  asker: Asker,
  era: Era,
  session: VirtualSession | undefined,
  message: Message | undefined,
): VirtualContext {
  const params = message === undefined || message.kind === 'response' ? undefined : message.params
  const info = isJsonObject(params?._meta) ? params._meta[META.clientInfo] : undefined
  const client = session?.client ?? clientInfoOf(info, era.era === 'modern' ? era.capabilities : undefined)
  return { exchange, virtual, asker, era, session, client }
}
