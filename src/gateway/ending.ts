/** How exchanges end: an answer, and what the audit says of it. */
import { Readable } from 'node:stream'
import { isOutage, messageOf } from '../core/errors.ts'
import type { Reply } from '../http/gate.ts'
import { problem } from '../http/replies.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { errorsReply } from '../mcp/json-rpc-reply.ts'
import type { MessageBody } from '../mcp/messages.ts'
import type { Ending } from './audit-event.ts'

/** See the top of the file. */
export interface Ended extends Ending {
  readonly reply: Reply
}

/** 503: something that is needed cannot be reached. */
export function unavailable(reason: string, detail: string | null, retryAfterMs = 1_000, body?: MessageBody): Ended {
  const headers = { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
  const message = 'The gateway cannot answer at present; try again later'
  const reply = errorsReply(503, GatewayCode.UNAVAILABLE, message, body, headers)
  return { reply, outcome: 'failed', reason, detail }
}

/** Something was thrown. */
export function failure(error: unknown, body?: MessageBody): Ended {
  if (isOutage(error)) return { ...unavailable('unavailable', messageOf(error), undefined, body), error }
  return { reply: problem(500), outcome: 'failed', reason: 'error', detail: messageOf(error), error }
}

/** A reply that gives way to another: nothing will read it, and nothing else would end what it comes from. */
export function discard({ body }: Reply): void {
  if (body instanceof Readable) body.destroy()
}
