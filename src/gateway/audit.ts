/** Tells what became of requests once their answers are complete (G17). Nothing is built when nobody listens. */
import type { Readable } from 'node:stream'

import type { ConnectionEvent } from '../broker/broker.ts'
import type { Clock } from '../core/clock.ts'
import type { Emitter } from '../core/events.ts'
import type { Caller } from '../identity/caller.ts'
import type { KeyEvent } from '../identity/key-event.ts'
import { type Target, targetsOf } from '../mcp/targets.ts'
import type { AuditCaller, AuditEvent, Ending, RequestEvent } from './audit-event.ts'
import type { Exchange } from './exchange.ts'
import type { GatewayEvents } from './gateway.ts'
import type { StreamEnd } from './open-streams.ts'
import type { RecentAudit } from './recent-audit.ts'

/** Tells about requests. */
export interface Audit {
  /** An answer is complete. */
  tell(exchange: Exchange, status: number, ending: Ending): void
  /** Something happened to a connection. */
  connection(event: ConnectionEvent): void
  /** Something happened to an API key. */
  key(event: KeyEvent): void
}

/** Methods and targets of a message that are told; a batch may have a hundred. */
const MAX_TOLD = 100
/** Names of tools may be as long as 4,096 characters. */
const MAX_NAME = 256
/** W3C Trace Context §3.2: nothing is behind the flags in version 00; what later ones may have there means nothing to us. */
const TRACEPARENT = /^(?:00(?=.{53}$)|(?!00|ff)[\da-f]{2})-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(?=-|$)/

/** What only the operator can mend, and nobody would hear of without an audit. */
const SET_UP_WRONGLY: ReadonlySet<unknown> = new Set(['body_consumed', 'credential_rejected', 'credential_unavailable'])

/** An audit that tells `emitter`. Where nobody listens, what is set up wrongly becomes a process warning, once for each server. */
export function createAudit(emitter: Emitter<GatewayEvents>, clock: Clock, recent?: RecentAudit): Audit {
  const warned = new Set<string>()
  const isHeard = () => recent !== undefined || emitter.heard('audit')

  function emit(event: AuditEvent): void {
    recent?.add(event)
    emitter.emit('audit', event)
  }

  function warn(server: string, reason: string, detail: string | null | undefined): void {
    const about = JSON.stringify([server, reason])
    if (warned.has(about)) return
    warned.add(about)
    const why = detail ? `${reason}: ${detail}` : reason
    process.emitWarning(`the MCP server "${server}" cannot be used (${why})`, { code: 'SALLYPORT_GATEWAY' })
  }

  return {
    tell(exchange, status, ending) {
      if (isHeard()) emit(toEvent(exchange, status, ending, clock.now()))
      if (emitter.heard('audit')) return
      if (ending.outcome === 'failed' && SET_UP_WRONGLY.has(ending.reason) && exchange.server !== undefined) {
        warn(exchange.server.name, String(ending.reason), ending.detail)
      }
    },
    connection(event) {
      if (isHeard()) emit({ type: 'connection', at: clock.now(), ...event })
      if (emitter.heard('audit')) return
      if (event.kind === 'consent_failed' && event.reason === 'rejected' && event.server !== null) {
        warn(event.server, 'consent rejected', event.detail)
      }
    },
    key(event) {
      if (isHeard()) emit({ type: 'key', at: clock.now(), ...event })
    },
  }
}

function toEvent(exchange: Exchange, status: number, ending: Ending, now: number): RequestEvent {
  const { request, normalised, server, virtual, caller, messages, targets } = exchange
  const { rule, credential, member, upstreamStatus, startedAt } = exchange
  const { traceparent } = request.headers
  return {
    type: 'request',
    at: now,
    ms: Math.max(0, performance.now() - startedAt),
    caller: caller === undefined ? null : toAuditCaller(caller),
    server: (server ?? virtual)?.name ?? null,
    member: member ?? null,
    httpMethod: request.method,
    methods: methodsIn(messages),
    targets: targets !== undefined && targets.length <= MAX_TOLD ? targets.map(shortened) : targetsIn(messages),
    outcome: ending.outcome,
    reason: ending.reason ?? null,
    detail: ending.detail ?? null,
    rule: rule ?? null,
    credential: credential ?? null,
    status,
    upstreamStatus,
    clientAddress: normalised.clientAddress,
    traceparent: typeof traceparent === 'string' ? (TRACEPARENT.exec(traceparent)?.[0] ?? null) : null,
  }
}

function toAuditCaller({ kind, via, identity, externalIdentities, keyId }: Caller): AuditCaller {
  const { id, integration, subject } = identity
  return { kind, via, id, integration, subject, externalIdentities, keyId: keyId ?? null }
}

function methodsIn(messages: Exchange['messages']): RequestEvent['methods'] {
  const methods: string[] = []
  for (const message of messages?.messages ?? []) {
    if (methods.length === MAX_TOLD) break
    if (message.kind !== 'response') methods.push(message.method.slice(0, MAX_NAME))
  }
  return methods
}

/** At most so many of each message. */
function targetsIn(messages: Exchange['messages']): RequestEvent['targets'] {
  const targets: RequestEvent['targets'][number][] = []
  for (const message of messages?.messages.slice(0, MAX_TOLD) ?? []) {
    if (message.kind === 'response') continue
    const found = targetsOf(message.method, message.params)
    if (found.kind === 'malformed') continue
    targets.push(...found.targets.slice(0, MAX_TOLD).map(shortened))
  }
  return targets
}

function shortened(target: Target): Target {
  const { kind, name } = target
  return name.length <= MAX_NAME ? target : { kind, name: name.slice(0, MAX_NAME) }
}

/**
 * What came of an answer that was sent as a stream, once that is closed.
 *
 * @param clientGone - whether the client went away before the end
 */
export function endingOfStream(body: Readable, ended: StreamEnd | undefined, clientGone: boolean): Ending {
  switch (ended) {
    case 'unauthenticated':
      return { outcome: 'unauthenticated', reason: 'access_ended' }
    case 'denied':
      return { outcome: 'denied', reason: 'access_ended' }
    case 'closed':
      return { outcome: 'aborted', reason: 'closing' }
  }
  if (body.readableEnded) return { outcome: 'relayed' }
  // A client that goes away breaks the upstream's stream off as well.
  return body.errored && !clientGone
    ? { outcome: 'failed', reason: 'broken' }
    : { outcome: 'aborted', reason: 'client_gone' }
}
