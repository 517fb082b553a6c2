/** One HTTP request of the gateway to an upstream as its MCP client, and what its answer is: messages, an error, or nothing usable. */
import type { IncomingHttpHeaders } from 'node:http'
import type { AbortSource } from '../http/gate.ts'
import type { UpstreamAnswer } from '../net/exchange.ts'
import type { Upstreams } from '../net/upstream.ts'
import { UpstreamError } from '../net/upstream-error.ts'
import { type Era, LEGACY_REVISIONS, MODERN_REVISIONS } from './eras.ts'
import { isPlain, mediaTypeOf } from './media-type.ts'
import type { Message, MessageBody } from './messages.ts'
import { discard, readWhole } from './relay-body.ts'
import { requestFields } from './relay-headers.ts'
import { errorIn } from './response-in.ts'
import { eventMessages, jsonMessages, type MessageLimits, type StreamMark } from './upstream-messages.ts'
import type { SendResult, UpstreamFault, UpstreamLink, UpstreamPeer, UpstreamSend } from './upstream-peer.ts'

/** A request. */
export interface UpstreamExchange {
  readonly method: 'POST' | 'GET' | 'DELETE'
  readonly message?: UpstreamSend
  readonly lastEventId?: string
  readonly signal: AbortSource
  readonly lasting?: boolean
  /** Filled in while the events of the answer are read. */
  readonly mark?: StreamMark
}

/** What came of it, with the raw answer where it may be needed. */
export type Exchanged = SendResult & { readonly answer?: UpstreamAnswer }

/** More than any error that somebody reads. */
const MAX_ERROR_BYTES = 1024 * 1024
/** From here on, requests of a session say its revision. */
const VERSION_FIELD_SINCE = '2025-06-18'

/** Sends it. Never rejects. */
export async function exchangeWith(
  upstreams: Upstreams,
  limits: MessageLimits,
  peer: UpstreamPeer,
  link: Pick<UpstreamLink, 'era' | 'revision' | 'sessionId'> & { readonly opening?: boolean },
  exchange: UpstreamExchange,
): Promise<Exchanged> {
  const { method, message, signal, lasting = false, mark } = exchange
  let answer: UpstreamAnswer
  try {
    answer = await upstreams.send({
      url: peer.server.url,
      method,
      headers: fieldsOf(peer, link, exchange),
      signal,
      lasting,
      body: message?.bytes,
    })
  } catch (error) {
    return faultOf(error)
  }
  const { status, headers } = answer
  if (status >= 300) return ofErrorStatus(answer, limits, link.sessionId !== undefined, signal)
  if (method === 'DELETE' || message?.kind === 'other' || status === 202 || status === 204) {
    discard(answer.body)
    return { kind: 'accepted', upstreamStatus: status }
  }
  const type = mediaTypeOf(headers)
  if (!isPlain(headers) || (type !== 'json' && type !== 'events') || (type === 'json' && method === 'GET')) {
    discard(answer.body)
    return failed('nonsense', status, 'an answer of a content type or coding that was not asked for')
  }
  const messages = type === 'json' ? jsonMessages(answer, limits) : eventMessages(answer.body, limits, mark)
  return { kind: 'messages', type, upstreamStatus: status, messages, answer }
}

function fieldsOf(
  { headers, credential }: UpstreamPeer,
  { era, revision, sessionId, opening }: Parameters<typeof exchangeWith>[3],
  { method, message, lastEventId }: UpstreamExchange,
): Record<string, string> {
  const given: Record<string, string | readonly string[] | undefined> = {}
  // Those that begin so belong to a message, whose sender says them.
  for (const name in headers) if (!name.startsWith('mcp-') && !OWN_FIELDS.has(name)) given[name] = headers[name]
  if (era === 'modern' || (opening !== true && revision >= VERSION_FIELD_SINCE))
    given['mcp-protocol-version'] = revision
  if (lastEventId !== undefined) given['last-event-id'] = lastEventId
  const fields = requestFields({
    headers: given as IncomingHttpHeaders,
    credential,
    era: eraOf(era, revision),
    method,
    session: sessionId === undefined ? undefined : { revision: LEGACY, urlElicitation: false, upstreamId: sessionId },
    body: message === undefined ? undefined : bodyOf(message),
  })
  return message?.kind === 'request' && message.fields !== undefined ? { ...fields, ...message.fields } : fields
}

/** What the gateway says for itself as a client. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['accept', 'last-event-id'])

const [LEGACY] = LEGACY_REVISIONS
const [MODERN] = MODERN_REVISIONS

function eraOf(era: 'legacy' | 'modern', revision: string): Era {
  if (era === 'modern') {
    const known = MODERN_REVISIONS.find((each) => each === revision) ?? MODERN
    return { kind: 'era', era, revision: known, capabilities: {} }
  }
  const known = LEGACY_REVISIONS.find((each) => each === revision) ?? LEGACY
  return { kind: 'era', era, revision: known, capabilities: undefined }
}

function bodyOf(message: UpstreamSend): { bytes: Uint8Array; messages: MessageBody } {
  const { bytes: raw } = message
  const one: Message =
    message.kind === 'request'
      ? { kind: 'request', id: message.id, method: message.method, params: message.params, raw }
      : message.method === undefined
        ? { kind: 'response', id: undefined, raw }
        : { kind: 'notification', method: message.method, params: undefined, raw }
  return { bytes: raw, messages: { kind: 'messages', batch: false, messages: [one] } }
}

async function ofErrorStatus(
  answer: UpstreamAnswer,
  limits: MessageLimits,
  inSession: boolean,
  signal: AbortSource,
): Promise<Exchanged> {
  const { status, headers, body } = answer
  const challenge = [headers['www-authenticate'] ?? []].flat().join(', ') || undefined
  if (status === 401) {
    discard(body)
    return { kind: 'unauthorized', challenge, upstreamStatus: 401 }
  }
  if (status < 400) {
    // Followed with the credential, it would hand that to whoever the upstream names.
    discard(body)
    return failed('redirect', status, 'a redirect, which is not followed')
  }
  const maxAnswerBytes = Math.min(limits.maxAnswerBytes, MAX_ERROR_BYTES)
  const whole = await readWhole(answer, { ...limits, maxAnswerBytes })
  const value = whole.kind === 'bytes' ? errorIn(whole.bytes) : undefined
  // Of modern servers it says that there is no such method.
  if (status === 404 && inSession) return { kind: 'session_over', upstreamStatus: 404 }
  if (value === undefined || whole.kind !== 'bytes') {
    if (signal.aborted) return failed('aborted', status, 'the caller has gone')
    const fault = failed('nonsense', status, `a status of ${status} without a JSON-RPC error`)
    return status === 403 ? { ...fault, challenge } : fault
  }
  const id = typeof value.id === 'string' || typeof value.id === 'number' ? value.id : undefined
  const message = { kind: 'response', id, bytes: whole.bytes, value } as const
  return { kind: 'error', upstreamStatus: status, message, challenge: status === 403 ? challenge : undefined }
}

function faultOf(error: unknown): UpstreamFault {
  if (!(error instanceof UpstreamError)) throw error
  return failed(error.failure, null, error.message)
}

/** A fault of a kind. `detail` is for the operator. */
export function failed(
  reason: Extract<UpstreamFault, { kind: 'failed' }>['reason'],
  upstreamStatus: number | null,
  detail: string,
): Extract<UpstreamFault, { kind: 'failed' }> {
  return { kind: 'failed', reason, upstreamStatus, detail }
}
