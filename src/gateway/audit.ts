/** Tells what became of requests once their answers are complete (G17). Nothing is built when nobody listens. */
import type { Readable } from 'node:stream'

import type { ConnectionEvent } from '../broker/broker.ts'
import type { Clock } from '../core/clock.ts'
import { isOutage } from '../core/errors.ts'
import type { Emitter } from '../core/events.ts'
import { copied, shortened } from '../core/shortened.ts'
import { createTroubles, tellable } from '../core/troubles.ts'
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
  /** Something was thrown over a request that no event is made of. */
  failed(error: unknown): void
}

/** Methods that are told of a request, and targets: a batch may have a hundred messages, and each of them a hundred targets. */
const MAX_TOLD = 100
/** Names of tools may be as long as 4,096 characters. */
const MAX_NAME = 256
/** Some details quote what the caller or the upstream has sent. */
const MAX_DETAIL = 1_000
/** W3C Trace Context §3.2: nothing is behind the flags in version 00; what later ones may have there means nothing to us. */
const TRACEPARENT = /^(?:00(?=.{53}$)|(?!00|ff)[\da-f]{2})-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(?=-|$)/

/** What only the operator can mend, and nobody would hear of without an audit: at one server. */
const SET_UP_WRONGLY: ReadonlySet<unknown> = new Set([
  'body_consumed',
  'credential_misconfigured',
  'credential_rejected',
  'credential_unavailable',
])
/** The same of all of them. */
const OUT_OF_ORDER: ReadonlySet<unknown> = new Set([
  'decide',
  'directory_unavailable',
  'error',
  'store_unavailable',
  'unavailable',
])
/** Whose details are texts of the user's own code, which may quote the caller. */
const OF_USERS_CODE: ReadonlySet<unknown> = new Set(['decide', 'directory_unavailable'])
/** An error that a browser has brought (`checkAuthorizationResponse`): anybody can write such an answer. */
const OF_BROWSER = /^the authorization response of /
const GATEWAY = 'the gateway'

/**
 * An audit that tells `emitter`. Where nobody listens, what is set up wrongly becomes a process warning, once for each server and
 * once for the gateway itself, until it has worked.
 */
export function createAudit(emitter: Emitter<GatewayEvents>, clock: Clock, recent?: RecentAudit): Audit {
  const troubles = createTroubles('SALLYPORT_GATEWAY', clock)
  const isHeard = () => recent !== undefined || emitter.heard('audit')

  function emit(event: AuditEvent): void {
    recent?.add(event)
    emitter.emit('audit', event)
  }

  const placeOf = (server: string) => `the MCP server "${server}"`

  function warn(server: string, reason: string, detail: string | null | undefined): void {
    const why = detail ? `${reason}: ${detail}` : reason
    troubles.warn(placeOf(server), reason, `${placeOf(server)} cannot be used (${why})`)
  }

  /** What is wrong with the gateway, whatever it was asked for. */
  function warnOfAll(reason: string, why: string | null | undefined, page = ''): void {
    const isTold = why && !OF_USERS_CODE.has(reason)
    const text = isTold ? `${reason}: ${why}` : `${reason}${page}; gateway.on('audit', …) has the rest`
    troubles.warn(GATEWAY, reason, `${GATEWAY} cannot answer (${text})`)
  }

  function look({ server, virtual }: Exchange, { outcome, reason, detail, error }: Ending): void {
    const name = (server ?? virtual)?.name
    if (outcome === 'relayed' && troubles.any) {
      troubles.worked(GATEWAY)
      if (name !== undefined) troubles.worked(placeOf(name))
    }
    if (outcome !== 'failed' || reason == null || emitter.heard('audit')) return
    if (SET_UP_WRONGLY.has(reason) && name !== undefined) warn(name, reason, detail)
    if (OUT_OF_ORDER.has(reason)) warnOfAll(reason, error === undefined ? detail : tellable(error))
  }

  return {
    tell(exchange, status, ending) {
      if (isHeard()) emit(toEvent(exchange, status, ending, clock.now()))
      look(exchange, ending)
    },
    connection(event) {
      if (isHeard()) emit({ type: 'connection', at: clock.now(), ...event, detail: toDetail(event.detail) })
      if (emitter.heard('audit')) return
      const { kind, server, reason, detail, reference } = event
      if (kind !== 'consent_failed' || (reason !== 'rejected' && reason !== 'unavailable')) return
      const page = reference === undefined ? '' : `; the page says ${reference}`
      // Of no server: something was thrown, perhaps by code of the user's own.
      if (server === null) warnOfAll('consent', undefined, page)
      else {
        const why = detail !== null && OF_BROWSER.test(detail) ? 'the browser came back with an error' : detail
        warn(server, `consent ${reason}`, `${why}${page}`)
      }
    },
    key(event) {
      if (isHeard()) emit({ type: 'key', at: clock.now(), ...event })
    },
    failed(error) {
      warnOfAll(isOutage(error) ? 'unavailable' : 'error', tellable(error))
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
    targets: targets !== undefined && targets.length <= MAX_TOLD ? targets.map(toTold) : targetsIn(messages),
    outcome: ending.outcome,
    reason: ending.reason ?? null,
    detail: toDetail(ending.detail),
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
    if (message.kind !== 'response') methods.push(shortened(message.method, MAX_NAME))
  }
  return methods
}

function targetsIn(messages: Exchange['messages']): RequestEvent['targets'] {
  const targets: RequestEvent['targets'][number][] = []
  for (const message of messages?.messages ?? []) {
    if (targets.length === MAX_TOLD) break
    if (message.kind === 'response') continue
    const found = targetsOf(message.method, message.params)
    if (found.kind === 'malformed') continue
    targets.push(...found.targets.slice(0, MAX_TOLD - targets.length).map(toTold))
  }
  return targets
}

function toTold(target: Target): Target {
  const { kind, name } = target
  return name.length <= MAX_NAME ? target : { kind, name: shortened(name, MAX_NAME) }
}

/** Copied also where it is short, since it may be put together from slices of what was sent. */
function toDetail(detail: string | null | undefined): string | null {
  if (detail == null) return null
  return detail.length <= MAX_DETAIL ? copied(detail) : `${shortened(detail, MAX_DETAIL)}…`
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
