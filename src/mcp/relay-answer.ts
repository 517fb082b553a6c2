/** From an upstream's answer to what the client gets: which answers may go on, and which of them have to be read first. */
import type { Readable } from 'node:stream'
import type { UpstreamAnswer } from '../net/exchange.ts'
import { filteredEvents } from './list-answer.ts'
import { ALL_LISTS } from './list-filter.ts'
import { filterByJudge, type JudgedLists } from './list-judge.ts'
import { mayHoldLists } from './list-scan.ts'
import { passesWhole } from './list-stream.ts'
import { isPlain, mediaTypeOf, takesCoding } from './media-type.ts'
import { readWhole } from './relay-body.ts'
import type { ListJudge, RelayCall, RelayResult } from './relay-call.ts'
import type { AnswerContext } from './relay-context.ts'
import { takeErrorStatus } from './relay-error-status.ts'
import { failed } from './relay-failure.ts'
import { openingOf, takeOpening } from './relay-opening.ts'
import { refused, replyOf, unread, withoutBody } from './relay-reply.ts'
import { lastResponseIn } from './response-in.ts'

/** What comes of an answer. Rejects only where a `ListJudge` does. */
export function takeAnswer(
  context: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
): RelayResult | Promise<RelayResult> {
  const { status, headers } = answer
  const { method } = call
  if (status >= 300) return takeErrorStatus(context, call, answer)
  if (method === 'DELETE') return withoutBody(answer, status === 200 ? 200 : 204)
  // Whatever a server says to what wants no answer, it has accepted it.
  if (method === 'POST' && !hasRequest(call)) return withoutBody(answer, 202)
  if (method === 'POST' && (status === 202 || status === 204)) return withoutBody(answer, status)

  const type = mediaTypeOf(headers)
  if (type === 'other' || type === 'none' || (type === 'json' && method === 'GET')) {
    return refused(call, answer, `an answer of the content type ${shown(headers['content-type'])}`)
  }
  const opening = openingOf(call)
  const isRead = call.lists !== undefined || opening !== undefined
  if (!isPlain(headers) && (isRead || !takesCoding(call.headers, headers))) {
    return refused(call, answer, `a content coding that was not asked for: ${shown(headers['content-encoding'])}`)
  }
  if (opening !== undefined) return takeOpening(context, call, answer, type, opening)
  if (call.lists !== undefined && !isWithoutList(context, answer, type)) {
    const lists = judgedBy(call.lists, call)
    return type === 'json' ? filterJson(context, call, answer, lists) : filterEvents(context, call, answer, lists)
  }
  if (call.era.era === 'modern') learn(context, call, answer, type)
  return { kind: 'answer', reply: replyOf(answer, type, answer.body), upstreamStatus: status }
}

function hasRequest({ body }: RelayCall): boolean {
  for (const message of body?.messages.messages ?? []) if (message.kind === 'request') return true
  return false
}

/**
 * What has to be left out of the answer. Not only of one to who asks for a list: servers tell requests apart by
 * their ids, so that a client which uses one twice is given the list as the answer to something else.
 */
function judgedBy(judge: ListJudge, { era }: RelayCall): JudgedLists {
  return { lists: ALL_LISTS, allows: (list, name) => judge.allows(list, name), era: era.era }
}

/** Whether the answer is there as a whole and without a list, as most answers to calls are. */
function isWithoutList({ limits }: AnswerContext, { body }: UpstreamAnswer, type: 'json' | 'events'): boolean {
  if (!(body instanceof Uint8Array)) return false
  return type === 'json' ? !mayHoldLists(body) : passesWhole(body, limits.maxAnswerBytes)
}

async function filterJson(
  context: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
  lists: JudgedLists,
): Promise<RelayResult> {
  const whole = await readWhole(answer, context.limits)
  if (whole.kind === 'fault') return unread(call, answer.status, whole.fault)
  learn(context, call, { ...answer, body: whole.bytes }, 'json')
  const filtered = await filterByJudge(whole.bytes, lists)
  if (filtered.kind === 'refused') {
    return failed(call, 'nonsense', answer.status, `a list that cannot be read: ${filtered.detail}`)
  }
  if (filtered.kind === 'dropped') {
    return failed(call, 'nonsense', answer.status, 'an answer without a response')
  }
  const body = filtered.kind === 'changed' ? filtered.bytes : whole.bytes
  return { kind: 'answer', reply: replyOf(answer, 'json', body), upstreamStatus: answer.status }
}

function filterEvents(
  { limits, onBroken }: AnswerContext,
  call: RelayCall,
  answer: UpstreamAnswer,
  lists: JudgedLists,
): RelayResult {
  const body: Readable = filteredEvents(answer.body, lists, limits.maxAnswerBytes, (detail) => onBroken?.(call, detail))
  return { kind: 'answer', reply: replyOf(answer, 'events', body), upstreamStatus: answer.status }
}

/** Looks at an answer only until the era of its server is known. */
function learn({ eras }: AnswerContext, call: RelayCall, answer: UpstreamAnswer, type: 'json' | 'events'): void {
  const { body, status } = answer
  const [message] = call.body?.messages.messages ?? []
  if (call.era.era !== 'modern' || message?.kind !== 'request' || eras.of(call.server) === 'modern') return
  if (!(body instanceof Uint8Array) || !isPlain(answer.headers)) return
  eras.learn(call.server, { era: 'modern', method: message.method }, status, lastResponseIn(body, type))
}

/** What a server has said, for the operator. */
function shown(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value).slice(0, 100)
}
