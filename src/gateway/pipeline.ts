/**
 * The path of a request: endpoint, caller, access, messages, session, credential, relay. Every step either ends the exchange
 * with an answer or leaves behind what the next one needs; what is decided is decided in files of its own.
 */
import { Readable } from 'node:stream'
import { principalsOf } from '../access/principals.ts'
import type { Broker } from '../broker/broker.ts'
import { CALLER_HEADERS_FIELD } from '../broker/caller-headers.ts'
import type { Networks } from '../core/networks.ts'
import type { GateRequest, Outcome, Reply, ReplyHeaders } from '../http/gate.ts'
import { normalise } from '../http/normalise.ts'
import { problem } from '../http/replies.ts'
import type { Caller } from '../identity/caller.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { jsonReply, jsonRpcError } from '../mcp/json-rpc-reply.ts'
import { DEFAULT_SCAN_LIMITS, type ScanLimits } from '../mcp/key-scan.ts'
import { parseMessages } from '../mcp/messages.ts'
import { type Admission, withHeaders } from './admission.ts'
import { type Audit, endingOfStream } from './audit.ts'
import type { CallStep } from './call-step.ts'
import { type Ended, failure, unavailable } from './ending.ts'
import type { Endpoint } from './endpoints.ts'
import type { Exchange, ReadMessages } from './exchange.ts'
import { createStreamJudge } from './judge-stream.ts'
import type { LiveStates } from './live-state.ts'
import type { OpenStream, OpenStreams, StreamEnd } from './open-streams.ts'
import { createPages } from './pages.ts'
import type { Permission, Permissions } from './permissions.ts'
import { type ReadBody, readRequestBody } from './request-body.ts'
import type { VirtualStep } from './virtual/step.ts'

/** What the pipeline works with. */
export interface PipelineParts {
  readonly live: LiveStates
  readonly admission: Admission
  readonly broker: Pick<Broker, 'owns' | 'answer' | 'tokens'>
  readonly permissions: Permissions
  /** Session, era, access to what messages name, credential and relay. */
  readonly call: CallStep
  /** The same for virtual servers. */
  readonly virtualCall: VirtualStep
  readonly streams: OpenStreams<WatchedStream>
  readonly audit: Audit
  readonly trusted: Networks | undefined
  readonly maxBodyBytes: number
  /** How often the callers of open streams are looked at; whose body takes longer is looked at once more. */
  readonly recheckMs: number
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
  /** Answers 503 from now on. */
  close(): void
}

const CONNECT = { kind: 'connect' } as const
/** Grants look at arguments in depth, and so may a function of the user's own. */
const SCAN: ScanLimits = { ...DEFAULT_SCAN_LIMITS, deepArguments: true }
const EXACT_SCAN: ScanLimits = { ...SCAN, exactArguments: true }
const METHODS: ReadonlySet<string> = new Set(['POST', 'GET', 'DELETE'])

/** Puts the steps together. `streams` may be made with `judgeStream`, so that they are asked for late. */
export function createPipeline(
  parts: Omit<PipelineParts, 'streams'>,
  streams: () => PipelineParts['streams'],
): Pipeline {
  const { live, admission, permissions, call, virtualCall, audit, trusted, maxBodyBytes, recheckMs } = parts
  const pages = createPages(parts)
  const judge = createStreamJudge({ ...parts, principalsFor })
  const hosts = { value: '', host: '' }
  const principals = new WeakMap<Caller, readonly string[]>()
  let closed = false

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
      endpoint,
      server: endpoint.server === undefined ? undefined : state.servers.get(endpoint.server),
      virtual: endpoint.server === undefined ? undefined : state.virtualServers.get(endpoint.server),
      caller: undefined,
      principals: [],
      messages: undefined,
      rule: undefined,
      credential: undefined,
      upstreamStatus: null,
    }
    return outcomeOf(exchange)
  }

  async function outcomeOf(exchange: Exchange): Promise<Outcome> {
    const { request, normalised } = exchange
    let headers: ReplyHeaders | undefined
    let ended: Ended
    try {
      const admitted = admission.endpoint(request, normalised)
      if (closed) ended = unavailable('closed', null)
      else if (admitted.kind === 'refused') ended = { ...admitted, outcome: 'refused' }
      else if (admitted.kind === 'answered') ended = { reply: admitted.reply, outcome: 'refused', reason: 'preflight' }
      else if (request.kind === 'upgrade') ended = { reply: problem(404), outcome: 'refused', reason: 'upgrade' }
      else {
        headers = admitted.headers
        ended = await carriedOut(exchange)
      }
    } catch (error) {
      ended = failure(error)
    }
    const reply = headers === undefined ? ended.reply : withHeaders(ended.reply, headers)
    finish(exchange, ended, reply)
    return { kind: 'reply', reply }
  }

  async function carriedOut(exchange: Exchange): Promise<Ended> {
    const { request } = exchange
    const refused = await refusedCaller(exchange)
    if (refused !== undefined) return refused
    if (!METHODS.has(request.method)) {
      const headers = { allow: 'GET, POST, DELETE' }
      const reply = jsonRpcError(405, GatewayCode.METHOD_NOT_ALLOWED, 'Method not allowed', undefined, headers)
      return { reply, outcome: 'refused', reason: 'method' }
    }
    if (request.method !== 'POST') return await carryOn(exchange, undefined)
    const read = readRequestBody(request, maxBodyBytes)
    const body = read instanceof Promise ? await read : read
    // Bodies can be sent slowly on purpose, to be carried out when their sender may no longer.
    if (live.current !== exchange.state || performance.now() - exchange.startedAt >= recheckMs) {
      beginAnew(exchange)
      const late = await refusedCaller(exchange)
      if (late !== undefined) return late
    }
    return await withMessages(exchange, body)
  }

  /** As if the request had come only now. */
  function beginAnew(exchange: Exchange): void {
    const { current: state } = live
    const found = state.endpoints.find(exchange.normalised)
    if (typeof found === 'object') exchange.endpoint = found
    exchange.state = state
    exchange.server = state.servers.get(exchange.endpoint.server ?? '')
    exchange.virtual = state.virtualServers.get(exchange.endpoint.server ?? '')
  }

  /** Who calls, and whether they have a role on the server: the answer to those who have none. */
  async function refusedCaller(exchange: Exchange): Promise<Ended | undefined> {
    const { state, endpoint, normalised } = exchange
    const server = exchange.server ?? exchange.virtual
    const asking = state.callers.authenticate(normalised.authorization, endpoint.url)
    const found = asking instanceof Promise ? await asking : asking
    if (found.kind === 'unauthenticated') {
      const { reason, detail } = found
      return {
        reply: state.protectedResource.unauthenticated(endpoint, found),
        outcome: 'unauthenticated',
        reason,
        detail,
      }
    }
    if (found.kind === 'unavailable') {
      const { reason, detail } = found
      return { reply: state.protectedResource.unavailable(found), outcome: 'failed', reason, detail }
    }
    exchange.caller = found
    exchange.principals = principalsFor(found)
    const asked = roleOf(exchange, found)
    const role = asked instanceof Promise ? await asked : asked
    if (role.kind === 'unavailable') return unavailable('decide', role.detail)
    if (role.kind === 'denied' || server === undefined) {
      // Nobody in particular is asked who they are, whatever is behind the endpoint.
      if (found.kind === 'anonymous') return noCredentials(exchange)
      return {
        reply: unknownServer(endpoint),
        outcome: 'denied',
        reason: server === undefined ? 'no_server' : 'no_role',
      }
    }
    exchange.rule = role.rule
    return found.kind === 'anonymous' && needsSomebody(exchange) ? noCredentials(exchange) : undefined
  }

  function carryOn(exchange: Exchange, body: ReadMessages | undefined): Promise<Ended> | Ended {
    const { server, virtual, endpoint } = exchange
    if (server !== undefined) return call(exchange, server, body)
    if (virtual !== undefined) return virtualCall(exchange, virtual, body)
    return { reply: unknownServer(endpoint), outcome: 'denied', reason: 'no_server' }
  }

  function roleOf(exchange: Exchange, caller: Caller): Permission | Promise<Permission> {
    const { state, endpoint } = exchange
    const server = exchange.server ?? exchange.virtual
    const { access } = state
    // The same work for a server that is not there, so that nobody can tell by the time that it takes.
    if (server === undefined) {
      access.decide(exchange.principals, endpoint.label, CONNECT)
      return NO_SERVER
    }
    return permissions.ask({ access, caller, principals: exchange.principals, server: server.name }, CONNECT)
  }

  /** Of a POST: checks that its body is what everybody else will read. */
  function withMessages(exchange: Exchange, body: ReadBody): Promise<Ended> | Ended {
    const { server } = exchange
    switch (body.kind) {
      case 'refused': {
        const code = body.status === 413 ? GatewayCode.TOO_LARGE : -32600
        return { reply: jsonRpcError(body.status, code, body.message), outcome: 'refused', reason: body.reason }
      }
      case 'consumed':
        return { reply: problem(500), outcome: 'failed', reason: 'body_consumed', detail: body.detail }
      case 'aborted':
        return { reply: problem(400), outcome: 'aborted', reason: 'client_gone' }
    }
    const parsed = parseMessages(body.bytes, server?.config.exactArguments === true ? EXACT_SCAN : SCAN)
    if (parsed.kind === 'problem') {
      const { message } = parsed.response.error
      const reply = jsonReply(parsed.status, parsed.response)
      return { reply, outcome: 'refused', reason: 'malformed', detail: message }
    }
    exchange.messages = parsed
    return carryOn(exchange, { bytes: body.bytes, messages: parsed })
  }

  /** Tells the audit, at once or when the stream of the answer is closed. */
  function finish(exchange: Exchange, ended: Ended, { status, body }: Reply): void {
    if (!(body instanceof Readable)) {
      audit.tell(exchange, status, ended)
      return
    }
    const stream: WatchedStream = { exchange, body, ended: undefined }
    const open = streams()
    if (audit.heard) {
      body.once('close', () => {
        const { gone = exchange.request.signal } = exchange.request
        const ending = ended.outcome === 'relayed' ? endingOfStream(body, stream.ended, gone.aborted) : ended
        audit.tell(exchange, status, ending)
      })
    }
    open.watch(stream)
    // What has changed since the request began was not looked at with this stream.
    if (live.current !== exchange.state) void open.check()
  }

  return {
    handle(request) {
      try {
        return handle(request)
      } catch (error) {
        return { kind: 'reply', reply: failure(error).reply }
      }
    },
    judgeStream: ({ exchange }) => judge(exchange),
    principalsFor,
    close() {
      closed = true
    },
  }
}

const NO_SERVER: Permission = { kind: 'denied', reason: 'no_role', rule: undefined, argument: undefined }

function noCredentials({ state, endpoint }: Exchange): Ended {
  const reply = state.protectedResource.unauthenticated(endpoint)
  return { reply, outcome: 'unauthenticated', reason: 'no_credentials' }
}

/** The same for a server that is not there as for one that the caller has no role on. */
function unknownServer({ label }: Endpoint): Reply {
  return jsonRpcError(404, GatewayCode.UNKNOWN_SERVER, `Unknown server: ${label}`)
}

/** Whether the server's credential is the caller's own, who is nobody in particular and brings none. */
function needsSomebody({ server, virtual, request }: Exchange): boolean {
  const members = virtual?.config.require === 'any' ? [] : (virtual?.members.map((member) => member.server) ?? [])
  const types = [...(server === undefined ? [] : [server]), ...members].map(({ config }) => config.auth.type)
  if (!types.some((type) => type === 'oauth2' || type === 'passthrough')) return false
  return request.headers[CALLER_HEADERS_FIELD] === undefined
}
