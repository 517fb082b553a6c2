/**
 * The answer to `initialize` on its way to the client: with a session id of ours, which needs the revision that it settles on.
 * An error begins no session.
 */
import type { Readable } from 'node:stream'
import type { UpstreamAnswer } from '../net/exchange.ts'
import { takesUrlElicitation } from './eras.ts'
import { createHandshakeReader, type Handshake, readHandshake } from './handshake.ts'
import type { RequestMessage } from './messages.ts'
import { readUntil, readWhole } from './relay-body.ts'
import type { RelayCall, RelayResult } from './relay-call.ts'
import type { AnswerContext } from './relay-context.ts'
import { refused, replyOf, unread } from './relay-reply.ts'

/** The request of a call that begins a session, if it is one. */
export function openingOf({ era, body }: RelayCall): RequestMessage | undefined {
  if (era.era !== 'legacy' || body === undefined || body.messages.batch) return undefined
  const [message] = body.messages.messages
  return message?.kind === 'request' && message.method === 'initialize' ? message : undefined
}

/** Takes the answer to such a request. */
export function takeOpening(
  context: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
  type: 'json' | 'events',
  request: RequestMessage,
): Promise<RelayResult> {
  return type === 'json' ? takeJson(context, call, answer, request) : takeEvents(context, call, answer, request)
}

async function takeJson(
  context: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
  { id }: RequestMessage,
): Promise<RelayResult> {
  const whole = await readWhole(answer, context.limits)
  if (whole.kind === 'fault') return unread(call, answer.status, whole.fault)
  return open(context, call, answer, 'json', whole.bytes, readHandshake(whole.bytes, id))
}

/** Messages may come before the one that settles the revision. The client gets them all, once its session id is there. */
async function takeEvents(
  context: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
  { id }: RequestMessage,
): Promise<RelayResult> {
  const reader = createHandshakeReader(id, context.limits.maxAnswerBytes)
  let handshake: Handshake | undefined
  const start = await readUntil(answer, context.limits, (chunk) => {
    handshake = reader.push(chunk)
    return handshake !== undefined
  })
  if (start.kind === 'fault') return unread(call, answer.status, start.fault)
  if (start.kind === 'missing' || handshake === undefined) {
    return refused(call, answer, 'a stream without the answer to initialize')
  }
  return open(context, call, answer, 'events', start.body, handshake)
}

async function open(
  context: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
  type: 'json' | 'events',
  body: Uint8Array | Readable,
  handshake: Handshake,
): Promise<RelayResult> {
  if (handshake.kind === 'nonsense') return refused(call, answer, handshake.detail)
  const reply = replyOf(answer, type, body)
  const upstreamStatus = answer.status
  if (handshake.kind === 'error') return { kind: 'answer', reply, upstreamStatus }

  // A list for several lines of it.
  const upstreamId: unknown = answer.headers['mcp-session-id']
  if (upstreamId !== undefined && typeof upstreamId !== 'string') {
    return refused(call, answer, 'several session ids in one answer')
  }
  const { revision } = handshake
  const capabilities = call.era.era === 'legacy' ? call.era.capabilities : undefined
  const session = { revision, urlElicitation: takesUrlElicitation(revision, capabilities), upstreamId }
  const id = await context.sessionIds.seal(session, { ...call.place, endpoint: call.server.url.href })
  if (id === undefined) return refused(call, answer, 'a session id that is none')
  return { kind: 'answer', reply: { ...reply, headers: { ...reply.headers, 'mcp-session-id': id } }, upstreamStatus }
}
