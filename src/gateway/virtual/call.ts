/** A request that goes to one member: where it goes, as what, and what the client is answered when the member is not there. */
import type { AbortSource } from '../../http/gate.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import type { JsonEdit } from '../../mcp/json-splice.ts'
import { valueBytes } from '../../mcp/json-values.ts'
import { isJsonObject, type RequestId, type RequestMessage } from '../../mcp/messages.ts'
import { unknownTarget } from '../../mcp/refusals.ts'
import { memberIdOf, ownId } from '../../mcp/request-ids.ts'
import { type UpstreamMessage, UpstreamReadError } from '../../mcp/upstream-messages.ts'
import type { UpstreamSessions } from '../../mcp/upstream-peer.ts'
import { faultReason } from '../../mcp/upstream-session.ts'
import { toClient, toMember } from '../../mcp/virtual/crossing.ts'
import type { NameKind } from '../../mcp/virtual/merge.ts'
import { parameterFields } from '../../mcp/virtual/parameter-headers.ts'
import { errorAnswer, oneAnswer, type VirtualAnswer } from './answer.ts'
import { serverInfoOf, type VirtualContext } from './context.ts'
import { type CallUnderWay, type CrossingParts, crossing, inputsOf } from './crossing.ts'
import { createGivingUp, goneOf, type MemberRequest } from './giving-up.ts'
import type { VirtualLists } from './lists.ts'
import type { MemberProblem, VirtualMembers } from './members.ts'
import { type ParkedCall, parkedOwner } from './parked.ts'
import { type Route, routeOf } from './routes.ts'
import type { VirtualSignal } from './signal.ts'

/** Carries requests to members. */
export interface VirtualCall {
  call(context: VirtualContext, request: RequestMessage, kind: NameKind, name: string): Promise<VirtualAnswer>
  /** A client gives a request up. Whether it was one of this process. */
  cancel(context: VirtualContext, id: RequestId): boolean
}

/** What it works with. */
export interface VirtualCallParts extends Pick<CrossingParts, 'answers' | 'parked'> {
  readonly members: VirtualMembers
  readonly lists: VirtualLists
  readonly sessions: UpstreamSessions
  readonly signal: VirtualSignal
}

/** Puts it together. */
export function createVirtualCall(parts: VirtualCallParts): VirtualCall {
  const { members, lists, sessions, signal, answers, parked } = parts
  const running = new Map<string, AbortController>()
  const givingUp = createGivingUp(sessions)
  const crossingParts: CrossingParts = { lists, answers, parked, again, respond }

  function runningKey({ asker, session }: VirtualContext, id: RequestId): string {
    return JSON.stringify([asker.caller.identity.id, session?.key ?? null, id])
  }

  async function send(
    context: VirtualContext,
    request: RequestMessage,
    route: Route,
    memberId: RequestId,
    abort: AbortController,
    edits: readonly JsonEdit[] = [],
  ) {
    const { member, original } = route
    const isTool = request.method === 'tools/call'
    // Looked up first: what is sent is made at once.
    const headers =
      isTool && member.server.config.era !== 'legacy' ? await lists.parameters(context, member, original) : []
    const declared = new Set(headers.map(({ field }) => field))
    // What no schema tells of goes on as it is (2026-07-28): whoever reads the body validates what it recognises.
    const others = Object.entries(
      context.era.era === 'modern' && isTool ? context.exchange.request.headers : {},
    ).flatMap(([name, value]) =>
      PARAMETER.test(name) && typeof value === 'string' && !declared.has(name) ? [[name, value] as const] : [],
    )
    const fields = { ...Object.fromEntries(others), ...parameterFields(headers, request.params?.arguments) }
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
        abort.signal,
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
    if (parked.isParked(state)) return resume(context, request, state)
    const key = runningKey(context, request.id)
    const abort = abortWith(goneOf(context))
    running.set(key, abort)
    try {
      const answer = await begin(context, request, kind, name, abort)
      // It was given up meanwhile: nobody waits for a response.
      return abort.signal.aborted && !goneOf(context).aborted
        ? { kind: 'many', messages: nothing(), end: RELAYED }
        : answer
    } finally {
      if (running.get(key) === abort) running.delete(key)
    }
  }

  async function begin(
    context: VirtualContext,
    request: RequestMessage,
    kind: NameKind,
    name: string,
    abort: AbortController,
  ): Promise<VirtualAnswer> {
    const route = await routeOf(context, lists, kind, name)
    if (route === undefined) {
      return oneAnswer(unknownTarget(request, context.era.era), { outcome: 'refused', reason: 'unknown_target' })
    }
    const { member } = route
    context.exchange.member = member.server.name
    const memberId = context.session === undefined ? ownId() : memberIdOf(request.id)
    const sent = await send(context, request, route, memberId, abort)
    if (sent.kind !== 'sent') return problemAnswer(context, request, member.server.name, sent)
    const { peer, link, result } = sent
    const from = { id: request.id, to: context.era.era, from: link.era, method: request.method }
    const translate = (message: UpstreamMessage) =>
      toClient(message, { ...from, serverInfo: serverInfoOf(context.virtual) })
    if (result.kind === 'error') {
      const keepsStatus =
        context.era.era === 'modern' && (result.upstreamStatus === 400 || result.upstreamStatus === 404)
      return oneAnswer(translate(result.message), RELAYED, keepsStatus ? result.upstreamStatus : 200)
    }
    if (result.kind === 'accepted') {
      const detail = `${member.server.name} accepted a request without an answer`
      return problemAnswer(context, request, member.server.name, failed('nonsense', result.upstreamStatus, detail))
    }
    const under: CallUnderWay = { context, member, peer, link, request, memberId, messages: result.messages, abort }
    if (result.type === 'events') return { kind: 'many' as const, messages: watched(under), end: RELAYED }
    try {
      const { value: only } = await result.messages.next()
      if (only !== undefined && only.kind === 'response') {
        if (context.era.era === 'modern' || inputsOf(only) === undefined) return oneAnswer(translate(only), RELAYED)
        return { kind: 'many' as const, messages: watched({ ...under, messages: replayed(only) }), end: RELAYED }
      }
      const detail = 'an answer without a response'
      return problemAnswer(context, request, member.server.name, failed('nonsense', result.upstreamStatus, detail))
    } catch (error) {
      if (!(error instanceof UpstreamReadError)) throw error
      const fault = failed(faultReason(error), result.upstreamStatus, error.message)
      return problemAnswer(context, request, member.server.name, fault)
    }
  }

  /** The messages of a call, which can be given up while it runs. */
  async function* watched(under: CallUnderWay): AsyncGenerator<Uint8Array> {
    const key = runningKey(under.context, under.request.id)
    running.set(key, under.abort)
    const unwatch = givingUp.watch(under.context, () => under)
    try {
      yield* crossing(crossingParts, under)
    } finally {
      unwatch()
      if (running.get(key) === under.abort) running.delete(key)
    }
  }

  /** A client has come back with what a legacy member has asked for. */
  async function resume(context: VirtualContext, request: RequestMessage, state: string): Promise<VirtualAnswer> {
    const owner = parkedOwner(context.asker.caller.identity.id, context.virtual.name, request.method, request.params)
    const found = parked.take(state, owner)
    if (found === undefined) {
      const words = 'Invalid params: requestState is too old, or belongs to another request; ask again without it'
      return errorAnswer(request.id, JsonRpcCode.INVALID_PARAMS, words, { outcome: 'refused', reason: 'request_state' })
    }
    const { key, asked, member, peer, link, messages, memberId } = found
    const abort = joined(found, goneOf(context))
    const result = valueBytes(request.raw, ['params', 'inputResponses', key])
    const head = `{"jsonrpc":"2.0","id":${JSON.stringify(asked)},`
    const body = isResult(result) ? ['"result":', result] : ['"error":{"code":-32603,"message":"It was not answered"}']
    const bytes = Buffer.concat([Buffer.from(head), ...body.map((piece) => Buffer.from(piece)), Buffer.from('}')])
    const under: CallUnderWay = { context, member, peer, link, request, memberId, messages, abort }
    await respond(under, bytes)
    return { kind: 'many', messages: watched(under), end: RELAYED }
  }

  async function respond({ peer, link }: CallUnderWay, bytes: Uint8Array): Promise<void> {
    await sessions.send(peer, link, { kind: 'other', method: undefined, bytes }, AbortSignal.timeout(RESPOND_MS))
  }

  async function again(under: CallUnderWay, edits: readonly JsonEdit[]): Promise<CallUnderWay | undefined> {
    const { context, member, request, abort } = under
    const name = request.params?.name ?? request.params?.uri
    const kind = KINDS[request.method]
    const route = typeof name === 'string' && kind !== undefined ? await routeOf(context, lists, kind, name) : undefined
    if (route === undefined || route.member !== member) return undefined
    const memberId = ownId()
    const sent = await send(context, request, route, memberId, abort, edits)
    if (sent.kind !== 'sent' || sent.result.kind === 'accepted') return undefined
    const { peer, link, result } = sent
    const messages = result.kind === 'error' ? replayed(result.message) : result.messages
    return { ...under, peer, link, memberId, messages }
  }

  async function problemAnswer(
    context: VirtualContext,
    request: RequestMessage,
    member: string,
    problem: MemberProblem,
  ): Promise<VirtualAnswer> {
    return signal.problem(context, request, member, problem)
  }

  return {
    call,
    cancel(context, id) {
      const found = running.get(runningKey(context, id))
      found?.abort()
      return found !== undefined
    },
  }
}

const RELAYED = { outcome: 'relayed' } as const
const RESPOND_MS = 10_000
const PARAMETER = /^mcp-param-[!#$%&'*+.^_`|~\w-]+$/
const KINDS: Readonly<Record<string, NameKind>> = {
  'tools/call': 'tool',
  'prompts/get': 'prompt',
  'resources/read': 'resource',
}

function failed(
  reason: 'nonsense' | 'too_large' | 'timeout' | 'unreachable',
  upstreamStatus: number | null,
  detail: string,
) {
  return { kind: 'failed', reason, upstreamStatus, detail } as const
}

function isResult(bytes: Uint8Array | undefined): bytes is Uint8Array {
  return bytes !== undefined && isJsonObject(JSON.parse(Buffer.from(bytes).toString('utf8')))
}

/** Aborts when the client goes away, and when it is told to. */
function abortWith(source: AbortSource): AbortController {
  const abort = new AbortController()
  if (source.aborted) abort.abort()
  else {
    const onAbort = () => abort.abort()
    source.addEventListener('abort', onAbort)
    abort.signal.addEventListener('abort', () => source.removeEventListener('abort', onAbort))
  }
  return abort
}

/** The controller of a parked call, which now aborts with another request of the client. */
function joined({ abort }: ParkedCall, source: AbortSource): AbortController {
  const onAbort = () => abort.abort()
  source.addEventListener('abort', onAbort)
  abort.signal.addEventListener('abort', () => source.removeEventListener('abort', onAbort))
  return abort
}

async function* nothing(): AsyncGenerator<never> {}

async function* replayed(message: UpstreamMessage): AsyncGenerator<UpstreamMessage> {
  yield message
}
