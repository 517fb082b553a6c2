/** A request that goes to one member: where it goes, as what, and what the client is answered when the member is not there. */
import { Abort } from '../../http/abort.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import type { JsonEdit } from '../../mcp/json-splice.ts'
import type { MessageProblem, RequestId, RequestMessage } from '../../mcp/messages.ts'
import { type Ahead, readAhead } from '../../mcp/read-ahead.ts'
import { unknownTarget } from '../../mcp/refusals.ts'
import { memberIdOf, ownId } from '../../mcp/request-ids.ts'
import { faultReason, UpstreamReadError } from '../../mcp/upstream-messages.ts'
import type { UpstreamSessions } from '../../mcp/upstream-peer.ts'
import { toMember } from '../../mcp/virtual/crossing.ts'
import type { NameKind } from '../../mcp/virtual/merge.ts'
import { isEqual } from '../live-state.ts'
import { errorAnswer, oneAnswer, type VirtualAnswer } from './answer.ts'
import { callFields } from './call-fields.ts'
import { type CallUnderWay, inputsOf, nothing, replayed, TAKES_INPUT } from './call-under-way.ts'
import { relyOn, type VirtualContext } from './context.ts'
import { type CrossingParts, crossing, isFailure, missingFor, refuse } from './crossing.ts'
import { createGivingUp, goneOf, type MemberRequest } from './giving-up.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember } from './live.ts'
import { OtherSourceError, type VirtualMembers } from './members.ts'
import { parkedOwner, responsesIn } from './parked.ts'
import { type Route, routeOf } from './routes.ts'
import { abortWith, createRunningCalls } from './running-calls.ts'
import type { VirtualSignal } from './signal.ts'

/** Carries requests to members. */
export interface VirtualCall {
  call(context: VirtualContext, request: RequestMessage, kind: NameKind, name: string): Promise<VirtualAnswer>
  /** A list of a bridged server, which goes to it as it is. */
  list(context: VirtualContext, request: RequestMessage, member: LiveMember): Promise<VirtualAnswer>
  /** A client gives a request up. Whether it was one of this process. */
  cancel(context: VirtualContext, id: RequestId): boolean
}

/** What it works with. */
export interface VirtualCallParts extends Pick<CrossingParts, 'updates' | 'answers' | 'parked' | 'respondTo'> {
  readonly members: VirtualMembers
  readonly lists: VirtualLists
  readonly sessions: UpstreamSessions
  readonly signal: VirtualSignal
}

/** Puts it together. */
export function createVirtualCall(parts: VirtualCallParts): VirtualCall {
  const { members, lists, sessions, signal, updates, answers, parked, respondTo } = parts
  const running = createRunningCalls()
  const givingUp = createGivingUp(sessions)
  const crossingParts: CrossingParts = { lists, updates, answers, parked, again, respond, respondTo }

  async function send(
    context: VirtualContext,
    request: RequestMessage,
    route: Route,
    memberId: RequestId,
    abort: Abort,
    edits: readonly JsonEdit[] = [],
    from?: string,
  ) {
    const { member, original } = route
    // Looked up first: what is sent is made at once.
    const made = await callFields(context, lists, request, route)
    if (made.kind === 'problem') return made
    const { fields } = made
    const { logLevel } = context.session ?? {}
    let sent: MemberRequest | undefined
    const unwatch = givingUp.watch(context, () => sent)
    try {
      return await members.send(
        context,
        member,
        (link, peer) => {
          sent = { peer, link, memberId }
          return toMember(request, {
            id: memberId,
            from: context.era.era,
            link,
            peer,
            original,
            logLevel,
            fields,
            edits,
          })
        },
        abort,
        { from },
      )
    } finally {
      unwatch()
    }
  }

  /** What is under way can be given up from the first moment on. */
  async function call(
    context: VirtualContext,
    request: RequestMessage,
    kind: NameKind,
    name: string,
  ): Promise<VirtualAnswer> {
    const state = request.params?.requestState
    if (parked.isParked(state)) return resume(context, request, state, await routeOf(context, lists, kind, name))
    return underWay(context, request, () => routeOf(context, lists, kind, name))
  }

  async function underWay(
    context: VirtualContext,
    request: RequestMessage,
    find: () => Promise<Route | undefined>,
  ): Promise<VirtualAnswer> {
    const abort = abortWithBody(new Abort(), context)
    const done = running.add(context, request.id, abort)
    let goesOn = false
    try {
      const answer = await begin(context, request, await find(), abort)
      // It was given up meanwhile: nobody waits for a response.
      if (abort.aborted && !goneOf(context).aborted) return { kind: 'many', messages: nothing(), end: RELAYED }
      if (answer.kind !== 'many' || abort.aborted) return answer
      goesOn = true
      return { kind: 'many', messages: finallyDone(answer.messages, done), end: answer.end }
    } finally {
      if (!goesOn) done()
    }
  }

  async function begin(
    context: VirtualContext,
    request: RequestMessage,
    route: Route | undefined,
    abort: Abort,
  ): Promise<VirtualAnswer> {
    if (route === undefined) return unknown(context, request)
    const { member, original } = route
    if (context.virtual.bridged === undefined) context.exchange.member = member.server.name
    if (route.unlisted === true) return signal.unlisted(context, request, member)
    const memberId = context.session === undefined ? ownId() : memberIdOf(request.id)
    const sent = await send(context, request, route, memberId, abort)
    if (sent.kind === 'problem') {
      return oneAnswer(sent.response, { outcome: 'refused', reason: 'header_mismatch' }, sent.status)
    }
    if (sent.kind !== 'sent') return signal.problem(context, request, member.server.name, sent)
    relyOn(context, member, sent.credential)
    const { peer, link, result } = sent
    const answered = { context, member, link, request }
    if (result.kind === 'accepted') {
      const detail = `${member.server.name} accepted a request without an answer`
      return signal.problem(context, request, member.server.name, failed('nonsense', result.upstreamStatus, detail))
    }
    try {
      if (result.kind === 'error') {
        const keepsStatus =
          context.era.era === 'modern' && (result.upstreamStatus === 400 || result.upstreamStatus === 404)
        const bytes = await respondTo(answered, result.message)
        return oneAnswer(bytes, RELAYED, keepsStatus ? result.upstreamStatus : 200)
      }
      const { messages } = result
      const under: CallUnderWay = { context, member, original, peer, link, request, memberId, messages, abort }
      if (result.type === 'events') return await events(under)
      const { value: only } = await result.messages.next()
      if (only !== undefined && only.kind === 'response') {
        if (context.era.era === 'modern' || inputsOf(only) === undefined) {
          return oneAnswer(await respondTo(answered, only), RELAYED)
        }
        return { kind: 'many' as const, messages: watched({ ...under, messages: replayed(only) }), end: RELAYED }
      }
      const detail = 'an answer without a response'
      return signal.problem(context, request, member.server.name, failed('nonsense', result.upstreamStatus, detail))
    } catch (error) {
      if (!(error instanceof UpstreamReadError)) throw error
      const reason = goneOf(context).aborted ? 'aborted' : faultReason(error)
      const fault = failed(reason, result.upstreamStatus, error.message)
      return signal.problem(context, request, member.server.name, fault)
    }
  }

  /** A stream of them, unless they say soon that there is nothing to be had for this client: that has a status of its own. */
  async function events(under: CallUnderWay): Promise<VirtualAnswer> {
    const ahead = readAhead(under.messages)
    const rest = { ...under, messages: ahead.messages }
    const asksByResult = under.context.era.era === 'modern' && under.link.era === 'legacy'
    const missing = asksByResult ? await missingSoon(rest, ahead) : undefined
    if (missing === undefined || !missing.over) {
      return { kind: 'many', messages: watched({ ...rest, missing: missing?.problem }), end: RELAYED }
    }
    void under.messages.return(undefined)
    const { response, status } = missing.problem
    return oneAnswer(response, { outcome: 'refused', reason: 'capability' }, status)
  }

  /** What the client has not declared and was asked for first, and whether the call has failed by it. */
  async function missingSoon(under: CallUnderWay, ahead: Ahead) {
    const unwatch = givingUp.watch(under.context, () => under)
    try {
      for (let problem: MessageProblem | undefined; ; ) {
        // What goes wrong with the stream is for whoever reads it.
        const next = await ahead.peek(STATUS_MS).catch(() => undefined)
        const message = next?.done === true ? undefined : next?.value
        const asked = message?.kind === 'request' ? missingFor(under, message) : undefined
        if (message?.kind !== 'request' || asked === undefined) {
          return problem && { problem, over: message !== undefined && isFailure(message) }
        }
        problem = asked
        ahead.take()
        await refuse(respond, under, message)
      }
    } finally {
      unwatch()
    }
  }

  /** The messages of a call, of which the member is told when the client goes away. */
  async function* watched(under: CallUnderWay): AsyncGenerator<Uint8Array> {
    const unwatch = givingUp.watch(under.context, () => under)
    try {
      yield* crossing(crossingParts, under)
    } finally {
      unwatch()
    }
  }

  /** A client has come back with what a legacy member has asked for. Meanwhile it may have lost what it called. */
  async function resume(
    context: VirtualContext,
    request: RequestMessage,
    state: string,
    route: Route | undefined,
  ): Promise<VirtualAnswer> {
    const owner = parkedOwner(context.asker.caller.identity.id, context.virtual.name, request)
    const found = parked.take(state, owner)
    if (found === undefined) return tooOld(request)
    // From here on, and not from when its answer is read: the client may go before.
    const unwatch = givingUp.watch(context, () => found)
    const { member, original, peer, link, messages, memberId } = found
    const { name } = member.server
    const isThere = route !== undefined && isSameServer(route.member, member) && route.original === original
    const now = await orAbort(members.credential(context, member), found.abort)
    if (!isThere || now.kind !== 'credential') {
      found.abort.abort()
      if (!isThere || now.kind === 'credential') return unknown(context, request)
      const needs = now.kind === 'authorization_required'
      return signal.problem(context, request, name, needs ? { kind: 'need', need: now.need } : now)
    }
    // The member waits for whom it was called by: it must not hear from somebody else, nor with what has been replaced.
    if (!isEqual(now.headers, peer.credential)) {
      found.abort.abort()
      return tooOld(request)
    }
    relyOn(context, member, now.credential)
    const abort = abortWithBody(found.abort, context)
    const under: CallUnderWay = { context, member, original, peer, link, request, memberId, messages, abort }
    await Promise.all(responsesIn(request, found).map((response) => respond(under, response)))
    return { kind: 'many', messages: finallyDone(crossing(crossingParts, under), unwatch), end: RELAYED }
  }

  async function respond({ peer, link }: CallUnderWay, bytes: Uint8Array): Promise<void> {
    await sessions.send(peer, link, { kind: 'other', method: undefined, bytes }, AbortSignal.timeout(RESPOND_MS))
  }

  async function again(under: CallUnderWay, edits: readonly JsonEdit[]): ReturnType<CrossingParts['again']> {
    const { context, member, original, request, abort, peer: before } = under
    if (!TAKES_INPUT.has(request.method)) return undefined
    const memberId = ownId()
    let sent: Awaited<ReturnType<typeof send>>
    try {
      // What was begun with one account, and answered for it, is not for another.
      sent = await send(context, request, { member, original }, memberId, abort, edits, before.source)
    } catch (error) {
      if (error instanceof OtherSourceError) return 'too_old'
      throw error
    }
    if (sent.kind !== 'sent' || sent.result.kind === 'accepted') return undefined
    const { peer, link, result } = sent
    const messages = result.kind === 'error' ? replayed(result.message) : result.messages
    return { ...under, peer, link, memberId, messages }
  }

  return {
    call,
    // It names nothing that would have to be written anew.
    list: (context, request, member) => underWay(context, request, async () => ({ member, original: '' })),
    cancel: running.cancel,
  }
}

const RELAYED = { outcome: 'relayed' } as const
const RESPOND_MS = 10_000
/** So long the headers of a stream may wait for what could still change its status. */
const STATUS_MS = 1_000

async function* finallyDone(messages: AsyncGenerator<Uint8Array>, done: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* messages
  } finally {
    done()
  }
}

/** Has a call end with its client, and with the answer to the body that it came in. */
function abortWithBody(abort: Abort, context: VirtualContext): Abort {
  return abortWith(abortWith(abort, goneOf(context)), context.abort)
}

/** Nobody would end what a failure leaves behind. */
async function orAbort<Result>(work: Result | Promise<Result>, abort: Abort): Promise<Result> {
  try {
    return await work
  } catch (error) {
    abort.abort()
    throw error
  }
}

function tooOld({ id }: RequestMessage): VirtualAnswer {
  const words = 'Invalid params: requestState is too old, or belongs to another request; ask again without it'
  return errorAnswer(id, JsonRpcCode.INVALID_PARAMS, words, { outcome: 'refused', reason: 'request_state' })
}

/** A server may have become another one under its name. */
function isSameServer({ server: one }: LiveMember, { server: other }: LiveMember): boolean {
  return one.name === other.name && one.config.url === other.config.url
}

function unknown({ era }: VirtualContext, request: RequestMessage): VirtualAnswer {
  return oneAnswer(unknownTarget(request, era.era), { outcome: 'refused', reason: 'unknown_target' })
}

function failed(
  reason: 'nonsense' | 'too_large' | 'timeout' | 'unreachable' | 'aborted',
  upstreamStatus: number | null,
  detail: string,
) {
  return { kind: 'failed', reason, upstreamStatus, detail } as const
}
