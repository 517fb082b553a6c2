/**
 * The second half of a request's path, to a server or a virtual one: session, era, and access to what messages name. What may go on
 * goes to the next step.
 */
import type { Caller } from '../identity/caller.ts'
import { type Era, eraOf, eraWithoutBody } from '../mcp/eras.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { errorsReply, jsonReply } from '../mcp/json-rpc-reply.ts'
import { isInitialize, type MessageProblem } from '../mcp/messages.ts'
import type { RequestStates } from '../mcp/request-state.ts'
import type { Session, SessionPlace } from '../mcp/session-id.ts'
import { type Ended, unavailable } from './ending.ts'
import type { Exchange, ReadMessages } from './exchange.ts'
import { judgeMessages, type MessagesVerdict, removedFrom } from './judge-messages.ts'
import type { LiveServer } from './live-server.ts'
import { withoutOwnState } from './own-state.ts'
import type { Asker, Permissions } from './permissions.ts'
import { refusal } from './refusal.ts'

/** A request that may go on. */
export interface Call<Server = LiveServer, Own = Session> {
  readonly exchange: Exchange
  readonly server: Server
  readonly asker: Asker
  readonly era: Era
  readonly session: Own | undefined
  readonly place: SessionPlace
  readonly body: ReadMessages | undefined
}

/** Carries a request of an authenticated caller with a role on the server to its end. */
export type CallStep<Server = LiveServer> = (
  exchange: Exchange,
  server: Server,
  body: ReadMessages | undefined,
) => Promise<Ended> | Ended

/** What the step works with. */
export interface CallParts<Server, Own> {
  readonly permissions: Permissions
  /** The session of an id; `undefined` for what is none of this caller and server, or is over. */
  readonly openSession: (id: string, place: SessionPlace, server: Server) => Own | undefined | Promise<Own | undefined>
  readonly requestStates: Pick<RequestStates, 'read'>
  readonly next: (call: Call<Server, Own>) => Promise<Ended>
}

/** Puts the step together. */
export function createCallStep<Server extends { readonly name: string }, Own extends Pick<Session, 'revision'>>({
  permissions,
  openSession,
  requestStates,
  next,
}: CallParts<Server, Own>): CallStep<Server> {
  function opened(call: Opened<Server, Own>): Promise<Ended> | Ended {
    const { exchange, body, session } = call
    const era = readEra(exchange, body, session)
    if (era.kind === 'problem') {
      const { status, response } = era
      const reply = jsonReply(status, response, status === 405 ? { allow: 'POST' } : undefined)
      return { reply, outcome: 'refused', reason: 'era', detail: response.error.message }
    }
    // Of the modern era there are no sessions, and an `initialize` begins one: what else they say of one means nothing.
    const inSession = era.era === 'legacy' && !(body !== undefined && isInitialize(body.messages))
    if (inSession && session === undefined && exchange.request.headers['mcp-session-id'] !== undefined) {
      const reply = errorsReply(404, GatewayCode.UNKNOWN_SESSION, 'Session not found: initialize again', body?.messages)
      return { reply, outcome: 'refused', reason: 'unknown_session' }
    }
    return inRevision(call, era, inSession ? session : undefined)
  }

  function inRevision(
    { exchange, server, caller, place, body }: Opened<Server, Own>,
    era: Era,
    session: Own | undefined,
  ): Promise<Ended> | Ended {
    const { principals, state } = exchange
    const asker: Asker = { access: state.access, caller, principals, server: server.name }
    const call = { exchange, server, asker, era, session, place, body }
    if (body === undefined) return next(call)
    const removed = removedFrom(body.messages, era)
    if (removed !== undefined) return refusal(exchange, body.messages, era, removed)
    const asked = judgeMessages(body.messages, asker, permissions)
    return asked instanceof Promise ? asked.then((verdict) => judged(call, body, verdict)) : judged(call, body, asked)
  }

  function judged(call: Call<Server, Own>, body: ReadMessages, verdict: MessagesVerdict): Promise<Ended> | Ended {
    const { exchange, era } = call
    if (verdict.kind === 'unavailable') return unavailable('decide', verdict.detail, undefined, body.messages)
    if (verdict.kind === 'refused') return refusal(exchange, body.messages, era, verdict.refused)
    exchange.rule = verdict.rule ?? exchange.rule
    exchange.targets = verdict.targets
    return era.era === 'legacy' ? next(call) : withoutState(call, body)
  }

  async function withoutState(call: Call<Server, Own>, body: ReadMessages): Promise<Ended> {
    const sent = await withoutOwnState(body, call.place, requestStates)
    return 'outcome' in sent ? sent : next({ ...call, body: sent })
  }

  // Each function above is the next part of the way. None waits for what is there: that would cost each call several promises.
  return (exchange, server, body) => {
    const { caller, request } = exchange
    if (caller === undefined) throw new TypeError('a call has a caller')
    const place = { server: server.name, identity: caller.identity.id }
    const id = request.headers['mcp-session-id']
    const opening = typeof id === 'string' ? openSession(id, place, server) : undefined
    return opening instanceof Promise
      ? opening.then((session) => opened({ exchange, server, caller, place, body, session }))
      : opened({ exchange, server, caller, place, body, session: opening })
  }
}

/** A request whose session has been looked for. */
interface Opened<Server, Own> extends Pick<Call<Server, Own>, 'exchange' | 'server' | 'place' | 'body'> {
  readonly caller: Caller
  /** What the session id opened as. */
  readonly session: Own | undefined
}

function readEra(
  { request }: Exchange,
  body: ReadMessages | undefined,
  session: Pick<Session, 'revision'> | undefined,
): Era | MessageProblem {
  const context = { sessionRevision: session?.revision }
  return body === undefined ? eraWithoutBody(request.headers, context) : eraOf(body.messages, request.headers, context)
}
