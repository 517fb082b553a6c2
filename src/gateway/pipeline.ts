/**
 * The path of a request: endpoint, admission, caller, messages. Every step either ends the exchange with an answer or leaves
 * behind what the next one needs; what is decided is decided in files of its own.
 */
import { Readable } from 'node:stream'
import { principalsOf } from '../access/principals.ts'
import type { Broker } from '../broker/broker.ts'
import type { Networks } from '../core/networks.ts'
import type { GateRequest, Outcome, Reply, ReplyHeaders } from '../http/gate.ts'
import { normalise } from '../http/normalise.ts'
import { problem } from '../http/replies.ts'
import type { Caller } from '../identity/caller.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { jsonRpcError } from '../mcp/json-rpc-reply.ts'
import { isLasting } from '../mcp/lasting.ts'
import type { Portal } from '../portal/create-portal.ts'
import { type Admission, type Admitted, withHeaders } from './admission.ts'
import { type Audit, endingOfStream } from './audit.ts'
import { leavePlace } from './caller-places.ts'
import { type CallerStep, createCallerStep } from './caller-step.ts'
import { type Ended, failure, unavailable } from './ending.ts'
import type { Exchange } from './exchange.ts'
import { createStreamJudge } from './judge-stream.ts'
import type { LiveStates } from './live-state.ts'
import { createMessageStep, type MessageStepParts } from './message-step.ts'
import type { OpenStream, OpenStreams, StreamEnd } from './open-streams.ts'
import { createPages } from './pages.ts'
import type { Permissions } from './permissions.ts'
import { readRequestBody } from './request-body.ts'

/** What the pipeline works with. */
export interface PipelineParts extends Omit<MessageStepParts, 'limits'> {
  readonly live: LiveStates
  readonly admission: Admission
  readonly broker: Pick<Broker, 'owns' | 'answer' | 'tokens'>
  readonly permissions: Permissions
  /** The gateway's own pages, asked for late. */
  readonly portal: () => Portal | undefined
  readonly streams: OpenStreams<WatchedStream>
  readonly audit: Audit
  readonly trusted: Networks | undefined
  readonly limits: MessageStepParts['limits'] & {
    readonly maxBodyBytes: number
    /** How often the callers of open streams are looked at; whose body takes longer is looked at once more. */
    readonly recheckMs: number
  }
}

/** A stream whose caller is looked after. */
export interface WatchedStream extends OpenStream {
  readonly exchange: Exchange
}

/** Answers requests. */
export interface Pipeline {
  handle(request: GateRequest): Outcome | Promise<Outcome>
  /** Whether the caller of a stream may still have it. */
  judgeStream(stream: WatchedStream): Promise<StreamEnd | undefined>
  /** What grants can call a caller by; the same list for the same caller. */
  principalsFor(caller: Caller): readonly string[]
  /** Answers 503 from now on. Resolves when what is under way has been answered, streams to their end, or after `drainMs` milliseconds. */
  close(drainMs: number): Promise<void>
}

const METHODS: ReadonlySet<string> = new Set(['POST', 'GET', 'DELETE'])
/** Whose stream begins later than this after they were looked at are looked at once more: another process may have changed something. */
const LOOK_AGAIN_MS = 100

/** Puts the steps together. `streams` may be made with `judgeStream`, so that they are asked for late. */
export function createPipeline(
  parts: Omit<PipelineParts, 'streams'>,
  streams: () => PipelineParts['streams'],
): Pipeline {
  const { live, admission, audit, trusted, limits } = parts
  const { maxBodyBytes, recheckMs } = limits
  const pages = createPages(parts)
  const judge = createStreamJudge({ ...parts, principalsFor })
  const whoCalls = createCallerStep({ ...parts, principalsFor })
  const withMessages = createMessageStep(parts)
  const hosts = { value: '', host: '', asSpelled: true }
  const principals = new WeakMap<Caller, readonly string[]>()
  let closed = false
  let underWay = 0
  let whenIdle: (() => void) | undefined

  function oneLess(): void {
    underWay--
    if (underWay === 0) whenIdle?.()
  }

  function principalsFor(caller: Caller): readonly string[] {
    const known = principals.get(caller)
    if (known !== undefined) return known
    const made = principalsOf(caller)
    principals.set(caller, made)
    return made
  }

  function handle(request: GateRequest): Outcome | Promise<Outcome> {
    const startedAt = performance.now()
    const normalised = normalise(request, trusted, hosts)
    if (typeof normalised === 'string') return pages.ambiguous(request)
    const state = live.current
    const endpoint = state.endpoints.find(normalised)
    if (endpoint === undefined) return pages.answer(request, normalised, closed)
    if (endpoint === 'ambiguous') return { kind: 'reply', reply: problem(400) }
    const exchange: Exchange = {
      request,
      normalised,
      state,
      startedAt,
      lookedAt: startedAt,
      changes: streams().changes,
      endpoint,
      server: endpoint.server === undefined ? undefined : state.servers.get(endpoint.server),
      virtual: endpoint.server === undefined ? undefined : state.virtualServers.get(endpoint.server),
      caller: undefined,
      principals: [],
      messages: undefined,
      targets: undefined,
      rule: undefined,
      credential: undefined,
      upstreamStatus: null,
      failure: undefined,
      place: undefined,
      connections: undefined,
    }
    return outcomeOf(exchange)
  }

  /** One function for all that is waited for: each more of them costs a promise. */
  async function outcomeOf(exchange: Exchange): Promise<Outcome> {
    const { request } = exchange
    underWay++
    let headers: ReplyHeaders | undefined
    let ended: Ended | undefined
    try {
      const admitted = admission.endpoint(request, exchange.normalised)
      ended = turnedAway(request, admitted)
      if (ended === undefined) {
        if (admitted.kind === 'admitted') headers = admitted.headers
        const asking = whoCalls(exchange)
        ended = (asking instanceof Promise ? await asking : asking) ?? wrongMethod(request)
      }
      if (ended === undefined) {
        const read = request.method === 'POST' ? readRequestBody(request, maxBodyBytes) : undefined
        const body = read instanceof Promise ? await read : read
        if (body !== undefined && isOutdated(exchange)) ended = await beginAnew(exchange)
        ended ??= await withMessages(exchange, body)
      }
    } catch (error) {
      ended = failure(error, exchange.messages)
    }
    leavePlace(exchange, ended.reply)
    const reply = headers === undefined ? ended.reply : withHeaders(ended.reply, headers)
    finish(exchange, ended, reply)
    return { kind: 'reply', reply }
  }

  /** What needs no caller to be answered. */
  function turnedAway({ kind }: GateRequest, admitted: Admitted): Ended | undefined {
    if (closed) return unavailable('closed', null)
    if (admitted.kind === 'refused') return { ...admitted, outcome: 'refused' }
    if (admitted.kind === 'answered') return { reply: admitted.reply, outcome: 'refused', reason: 'preflight' }
    return kind === 'upgrade' ? { reply: problem(404), outcome: 'refused', reason: 'upgrade' } : undefined
  }

  /** Bodies can be sent slowly on purpose, to be carried out when their sender may no longer. */
  function isOutdated({ state, startedAt }: Exchange): boolean {
    return live.current !== state || performance.now() - startedAt >= recheckMs
  }

  /** As if the request had come only now: the answer to a caller who may not any more. */
  function beginAnew(exchange: Exchange): ReturnType<CallerStep> {
    const { current: state } = live
    const found = state.endpoints.find(exchange.normalised)
    if (typeof found === 'object') exchange.endpoint = found
    exchange.state = state
    exchange.lookedAt = performance.now()
    exchange.changes = streams().changes
    exchange.server = state.servers.get(exchange.endpoint.server ?? '')
    exchange.virtual = state.virtualServers.get(exchange.endpoint.server ?? '')
    return whoCalls(exchange)
  }

  /** Tells the audit, at once or when the stream of the answer is closed. */
  function finish(exchange: Exchange, ended: Ended, { status, body }: Reply): void {
    if (!(body instanceof Readable)) {
      oneLess()
      audit.tell(exchange, status, ended)
      return
    }
    const lasting = isLasting(exchange.request.method, exchange.messages)
    const stream: WatchedStream = { exchange, body, lasting, ended: undefined }
    const open = streams()
    const onClose = () => {
      const { gone = exchange.request.signal } = exchange.request
      const ending = ended.outcome === 'relayed' ? endingOfStream(body, stream.ended, gone.aborted) : ended
      oneLess()
      // It is whole, and says itself that what was called for broke off.
      audit.tell(exchange, status, ending.outcome === 'relayed' ? (exchange.failure ?? ending) : ending)
    }
    // It may have broken off before it has come this far: nobody would hear of it any more.
    if (body.closed) onClose()
    else body.once('close', onClose)
    open.watch(stream)
    // What has changed while the request waited for its answer was not looked at with this stream.
    const isLate = performance.now() - exchange.lookedAt >= LOOK_AGAIN_MS
    if (isLate || live.current !== exchange.state || open.changes !== exchange.changes) void open.look(stream)
  }

  return {
    handle(request) {
      try {
        return handle(request)
      } catch (error) {
        audit.failed(error)
        return { kind: 'reply', reply: failure(error).reply }
      }
    },
    judgeStream: ({ exchange }) => judge(exchange),
    principalsFor,
    close(drainMs) {
      closed = true
      return new Promise((resolve) => {
        if (underWay === 0) return resolve()
        const timer = setTimeout(resolve, drainMs)
        whenIdle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    },
  }
}

function wrongMethod({ method }: GateRequest): Ended | undefined {
  if (METHODS.has(method)) return undefined
  const headers = { allow: 'GET, POST, DELETE' }
  const reply = jsonRpcError(405, GatewayCode.METHOD_NOT_ALLOWED, 'Method not allowed', undefined, headers)
  return { reply, outcome: 'refused', reason: 'method' }
}
