/**
 * A request to a virtual server: session and era, access by the grants on the virtual server, and then each message by its method.
 * The handshake, `ping` and the lists are answered here; what names something goes to the member that has it.
 */
import { Abort } from '../../http/abort.ts'
import { type Era, META } from '../../mcp/eras.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { errorsReply } from '../../mcp/json-rpc-reply.ts'
import { listOf } from '../../mcp/list-filter.ts'
import { isInitialize, isJsonObject, type Message, type RequestMessage, resultResponse } from '../../mcp/messages.ts'
import { unknownMethod } from '../../mcp/refusals.ts'
import type { RequestStates } from '../../mcp/request-state.ts'
import { listenProblem } from '../../mcp/subscription-filter.ts'
import { targetsOf } from '../../mcp/targets.ts'
import { type Call, type CallStep, createCallStep } from '../call-step.ts'
import { discard, type Ended, unavailable } from '../ending.ts'
import type { Exchange } from '../exchange.ts'
import { type Asker, DecideError, type Permissions } from '../permissions.ts'
import { endedOf, errorAnswer, eventsReply, oneAnswer, type VirtualAnswer } from './answer.ts'
import type { ClientAnswers } from './answers-of-clients.ts'
import { createBatchBound } from './batch-bound.ts'
import { answersTo, type MessageWork } from './batch-messages.ts'
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

/** Carries a request of an authenticated caller with a role on the virtual server to its end. */
export type VirtualStep = CallStep<LiveVirtualServer>

/** What the step works with. */
export interface VirtualStepParts {
  readonly permissions: Permissions
  readonly requestStates: RequestStates
  readonly sessions: VirtualSessions
  readonly members: VirtualMembers
  readonly lists: VirtualLists
  readonly calls: VirtualCall
  readonly streams: VirtualStreams
  readonly subscribe: Subscribing
  readonly answers: ClientAnswers
  readonly signal: VirtualSignal
  /** Of one answer, and of all those of a batch together. */
  readonly maxAnswerBytes: number
}

/** Puts the step together. */
export function createVirtualStep(parts: VirtualStepParts): VirtualStep {
  const { permissions, requestStates, sessions, members, lists, calls, streams, subscribe, answers, signal } = parts

  const clientMessages = createClientMessages({ sessions, members, calls, answers })
  const opening = createVirtualOpening({ sessions, members, signal })
  const answerList = createListAnswer({ permissions, lists, signal, missingConsents: opening.missingConsents })

  async function step({
    exchange,
    server: virtual,
    asker,
    era,
    session,
    body,
  }: Call<LiveVirtualServer, VirtualSession>): Promise<Ended> {
    if (body === undefined) return withoutBody(contextOf(exchange, virtual, asker, era, session, undefined))
    const { batch, messages } = body.messages
    const [first] = messages
    const made = contextOf(exchange, virtual, asker, era, session, first)
    if (isInitialize(body.messages)) return opening.initialize(made, first as RequestMessage)
    const bounded = batch ? createBatchBound(parts.maxAnswerBytes) : undefined
    const work: MessageWork = {
      async request(message) {
        const one = await answerRequest(made, message)
        return bounded?.(message, one) ?? one
      },
      other: (message) => clientMessages.take(made, message),
    }
    const ended = endedOf(await answersTo(exchange, body.messages, work, made.abort), batch, made.abort)
    if (ended.reason !== 'anonymous') return ended
    discard(ended.reply)
    // Somebody who has not said who they are may be anybody.
    const reply = exchange.state.protectedResource.unauthenticated(exchange.endpoint)
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
    streams.end(session)
    for (const [name, those] of links) {
      const member = context.virtual.byName.get(name)
      if (member !== undefined) await members.end(context, member, those)
    }
    return { reply: { status: 204 }, outcome: 'relayed' }
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

  return createCallStep({
    permissions,
    openSession: sessions.open,
    requestStates,
    async next(call: Call<LiveVirtualServer, VirtualSession>) {
      try {
        return await step(call)
      } catch (error) {
        if (error instanceof DecideError) return unavailable('decide', error.message, undefined, call.body?.messages)
        throw error
      }
    },
  })
}

const RELAYED = { outcome: 'relayed' } as const
const REFUSED = { outcome: 'refused', reason: 'method' } as const
const SUBSCRIBE = /^resources\/(?:un)?subscribe$/

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
  return { exchange, virtual, asker, era, session, client, abort: new Abort() }
}
