/**
 * The second half of a request's path, to a server or a virtual one: session, era, and access to what messages name. What may go on
 * goes to the next step.
 */
import { type Era, eraOf, eraWithoutBody } from '../mcp/eras.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { errorsReply, jsonReply } from '../mcp/json-rpc-reply.ts'
import { isInitialize, type MessageProblem } from '../mcp/messages.ts'
import type { RequestStates } from '../mcp/request-state.ts'
import type { Session, SessionPlace } from '../mcp/session-id.ts'
import { type Ended, unavailable } from './ending.ts'
import type { Exchange, ReadMessages } from './exchange.ts'
import { judgeMessages, removedFrom } from './judge-messages.ts'
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
) => Promise<Ended>

/** What the step works with. */
export interface CallParts<Server, Own> {
  readonly permissions: Permissions
  /** The session of an id; `undefined` for what is none of this caller and server, or is over. */
  readonly openSession: (id: string, place: SessionPlace) => Own | undefined | Promise<Own | undefined>
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
  return async (exchange, server, body) => {
    const { caller, principals, state, request } = exchange
    if (caller === undefined) throw new TypeError('a call has a caller')
    const place = { server: server.name, identity: caller.identity.id }
    const sessionId = request.headers['mcp-session-id']
    const opening = typeof sessionId === 'string' ? openSession(sessionId, place) : undefined
    const opened = opening instanceof Promise ? await opening : opening
    const era = readEra(exchange, body, opened)
    if (era.kind === 'problem') {
      const { status, response } = era
      const reply = jsonReply(status, response, status === 405 ? { allow: 'POST' } : undefined)
      return { reply, outcome: 'refused', reason: 'era', detail: response.error.message }
    }
    // Of the modern era there are no sessions, and an `initialize` begins one: what else they say of one means nothing.
    const inSession = era.era === 'legacy' && !(body !== undefined && isInitialize(body.messages))
    if (inSession && sessionId !== undefined && opened === undefined) {
      const reply = errorsReply(404, GatewayCode.UNKNOWN_SESSION, 'Session not found: initialize again', body?.messages)
      return { reply, outcome: 'refused', reason: 'unknown_session' }
    }
    const removed = body === undefined ? undefined : removedFrom(body.messages, era)
    if (body !== undefined && removed !== undefined) return refusal(exchange, body.messages, era, removed)
    const asker: Asker = { access: state.access, caller, principals, server: server.name }
    if (body !== undefined) {
      const asked = judgeMessages(body.messages, asker, permissions)
      const verdict = asked instanceof Promise ? await asked : asked
      if (verdict.kind === 'unavailable') return unavailable('decide', verdict.detail, undefined, body.messages)
      if (verdict.kind === 'refused') return refusal(exchange, body.messages, era, verdict.refused)
      exchange.rule = verdict.rule ?? exchange.rule
      exchange.targets = verdict.targets
    }
    const sent = body === undefined || era.era === 'legacy' ? body : await withoutOwnState(body, place, requestStates)
    if (sent !== undefined && 'outcome' in sent) return sent
    return await next({ exchange, server, asker, era, session: inSession ? opened : undefined, place, body: sent })
  }
}

function readEra(
  { request }: Exchange,
  body: ReadMessages | undefined,
  session: Pick<Session, 'revision'> | undefined,
): Era | MessageProblem {
  const context = { sessionRevision: session?.revision }
  return body === undefined ? eraWithoutBody(request.headers, context) : eraOf(body.messages, request.headers, context)
}
