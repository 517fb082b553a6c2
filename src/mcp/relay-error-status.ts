/** Answers of an upstream with a status of 300 and above: what the client is told, and what only the gateway has to know. */
import type { UpstreamAnswer } from '../net/exchange.ts'
import { GatewayCode } from './error-codes.ts'
import { discard, readWhole } from './relay-body.ts'
import type { RelayCall, RelayResult } from './relay-call.ts'
import type { AnswerContext } from './relay-context.ts'
import { errorReply, failed } from './relay-failure.ts'
import { answerFields } from './relay-headers.ts'
import { unread } from './relay-reply.ts'
import { errorIn } from './response-in.ts'

/** More than any error that somebody reads. */
const MAX_ERROR_BYTES = 1024 * 1024
const INSUFFICIENT_SCOPE = /\berror\s*=\s*"?insufficient_scope\b/i

/** What comes of such an answer. `WWW-Authenticate` goes to the caller of the relay, and never to the client. */
export function takeErrorStatus(
  context: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
): RelayResult | Promise<RelayResult> {
  const { status } = answer
  if (status === 401) {
    discard(answer.body)
    return { kind: 'unauthorized', challenge: challengeIn(answer), upstreamStatus: 401 }
  }
  if (status < 400) {
    // Followed with the credential, it would hand that to whoever the upstream names.
    discard(answer.body)
    return failed(call, 'redirect', status, 'a redirect, which is not followed')
  }
  if (status === 404 && call.session?.upstreamId !== undefined) {
    discard(answer.body)
    const reply = errorReply(call, 404, GatewayCode.UNKNOWN_SESSION, 'The session is over: initialize again.')
    return { kind: 'answer', reply, upstreamStatus: status }
  }
  if (status === 405 && call.method !== 'POST') {
    discard(answer.body)
    const reply = errorReply(call, 405, GatewayCode.METHOD_NOT_ALLOWED, `${call.method} is not allowed here.`)
    return { kind: 'answer', reply: { ...reply, headers: { ...reply.headers, allow: 'POST' } }, upstreamStatus: status }
  }
  return takeError(context, call, answer)
}

async function takeError(context: AnswerContext, call: RelayCall, answer: UpstreamAnswer): Promise<RelayResult> {
  const { status } = answer
  const { answerMs: timeoutMs, maxAnswerBytes } = context.limits
  const limits = { maxAnswerBytes: Math.min(maxAnswerBytes, MAX_ERROR_BYTES), answerMs: timeoutMs }
  const whole = await readWhole(answer, limits)
  if (whole.kind === 'fault' && whole.fault !== 'too_large') return unread(call, status, whole.fault)
  // Whatever it says that it is: version 1 of the SDK sends errors without a content type.
  const error = whole.kind === 'bytes' ? errorIn(whole.bytes) : undefined
  const [message] = call.body?.messages.messages ?? []
  if (message?.kind === 'request') {
    context.eras.learn(call.server, { era: call.era.era, method: message.method }, status, error)
  }

  const { 'retry-after': retryAfter } = answerFields(answer.headers)
  const wait = retryAfter === undefined ? undefined : { 'retry-after': retryAfter }
  if (error !== undefined && whole.kind === 'bytes') {
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', ...wait }
    const reply = { status: statusForClient(status), headers, body: whole.bytes }
    return { kind: 'answer', reply, upstreamStatus: status, ...scopeChallenge(answer) }
  }
  if (status === 403) {
    const reply = errorReply(call, 403, GatewayCode.UPSTREAM_FORBIDDEN, `${call.server.id} does not allow this.`)
    return { kind: 'answer', reply, upstreamStatus: status, ...scopeChallenge(answer) }
  }
  const detail = `a status of ${status} without a JSON-RPC error`
  return failed(call, 'nonsense', status, detail, statusOfPage(call, status), wait)
}

/** 407 would be about a proxy of the client's; some servers make up numbers that no answer of ours can have. */
function statusForClient(status: number): number {
  return status === 407 || status > 599 ? 502 : status
}

/**
 * For an error that is no JSON-RPC. Clients that speak both eras go by statuses of 400 to 499 to find out which one a server
 * speaks, so those stay. In the legacy eras 404 would say that a session is over, which was not even asked.
 */
function statusOfPage({ era }: RelayCall, status: number): number | undefined {
  if (status >= 500 || (status === 404 && era.era === 'legacy')) return undefined
  return statusForClient(status)
}

function challengeIn({ headers }: UpstreamAnswer): string | undefined {
  const value: unknown = headers['www-authenticate']
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' ? value : undefined
}

function scopeChallenge(answer: UpstreamAnswer): { readonly challenge?: string } {
  const challenge = answer.status === 403 ? challengeIn(answer) : undefined
  return challenge !== undefined && INSUFFICIENT_SCOPE.test(challenge) ? { challenge } : {}
}
