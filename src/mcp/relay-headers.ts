/**
 * Which header fields go on to an upstream, and which come back. Both ways by a list of what may: what is not known to be
 * harmless stays here, credentials, cookies and forwarding fields first of all. What a message says is written anew from it.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { encodeHeaderValue } from './header-values.ts'
import type { RelayCall } from './relay-call.ts'
import { NAMED_BY } from './targets.ts'

/** From the client to the upstream, as they are. */
const REQUEST_FIELDS = new Set([
  'accept',
  'accept-language',
  'baggage',
  'mcp-protocol-version',
  'traceparent',
  'tracestate',
  'user-agent',
])
/** Parameters that a tool wants in header fields (2026-07-28, `x-mcp-header`). In older revisions nobody checks them. */
const PARAMETER_FIELD = /^mcp-param-[!#$%&'*+.^_`|~\w-]+$/
/** What the relay itself says, and what only a connection can say: no credential may have another word on it. */
const OURS = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
/** From the upstream to the client. */
const ANSWER_FIELDS = [
  'cache-control',
  'content-encoding',
  'content-language',
  'content-type',
  'mcp-protocol-version',
  'retry-after',
  'x-accel-buffering',
] as const
/** Other bytes are decoded in several ways, and our server would refuse to send some of them. */
const PRINTABLE = /^[\t -~]*$/

const BOTH = 'application/json, text/event-stream'
const EVENTS = 'text/event-stream'

/** What the fields are made of. */
export type FieldSource = Pick<RelayCall, 'headers' | 'credential' | 'era' | 'method' | 'session' | 'body'>

/**
 * The fields of the request to the upstream.
 *
 * - The credential wins over the client, and the relay over both: version, method and name come from the body in the modern
 *   era, the session id is the upstream's own, the content type is what the body has been read as.
 * - Answers must be readable, and compression holds events back, so that none is asked for.
 */
export function requestFields(call: FieldSource): Record<string, string> {
  const { headers, credential, era, method, session } = call
  const modern = era.era === 'modern'
  const fields: Record<string, string> = {}
  for (const name in headers) {
    const known = REQUEST_FIELDS.has(name)
    if (!known && !(modern && name.startsWith('mcp-param-') && PARAMETER_FIELD.test(name))) continue
    const value = headers[name]
    if (typeof value === 'string') fields[name] = value
  }
  for (const name in credential) {
    const value = credential[name]
    if (value !== undefined && !OURS.has(name)) fields[name] = value
  }
  fields['accept-encoding'] = 'identity'
  if (method === 'GET') {
    const lastEventId = headers['last-event-id']
    if (typeof lastEventId === 'string') fields['last-event-id'] = lastEventId
  }
  // `*/*` is what some clients say without thinking, and what some servers do not understand.
  if (fields.accept === undefined || fields.accept === '*/*') fields.accept = method === 'GET' ? EVENTS : BOTH
  if (method === 'POST') fields['content-type'] = 'application/json'
  if (modern) modernFields(call, fields)
  else if (session?.upstreamId !== undefined) fields['mcp-session-id'] = session.upstreamId
  return fields
}

/** 2026-07-28, Standard Request Headers. */
function modernFields({ era, body }: FieldSource, fields: Record<string, string>): void {
  fields['mcp-protocol-version'] = era.revision
  const message = body?.messages.messages[0]
  if (message === undefined || message.kind === 'response') return
  const method = encodeHeaderValue(message.method)
  if (method !== undefined) fields['mcp-method'] = method
  const member = NAMED_BY.get(message.method)
  const named = member === undefined ? undefined : message.params?.[member]
  const name = typeof named === 'string' ? encodeHeaderValue(named) : undefined
  if (name !== undefined) fields['mcp-name'] = name
}

/** The fields of an upstream's answer that go back. */
export function answerFields(headers: IncomingHttpHeaders): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const name of ANSWER_FIELDS) {
    const value = headers[name]
    if (typeof value === 'string' && PRINTABLE.test(value)) fields[name] = value
  }
  return fields
}
