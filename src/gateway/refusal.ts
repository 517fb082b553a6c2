/** The answer to messages of which some are about what the caller may not have, or name nothing (G15). */

import type { Era } from '../mcp/eras.ts'
import { JsonRpcCode } from '../mcp/error-codes.ts'
import { jsonReply } from '../mcp/json-rpc-reply.ts'
import {
  type ErrorResponse,
  errorResponse,
  type Message,
  type MessageBody,
  type RequestMessage,
} from '../mcp/messages.ts'
import { malformedTarget, unknownMethod, unknownTarget } from '../mcp/refusals.ts'
import type { Ended } from './ending.ts'
import type { Exchange } from './exchange.ts'
import type { MessageRefusal } from './judge-messages.ts'

/** Each request is answered, those that would have been allowed too: a batch goes on as a whole or not at all. */
export function refusal(
  exchange: Exchange,
  { batch, messages }: MessageBody,
  { era }: Era,
  refused: ReadonlyMap<Message, MessageRefusal>,
): Ended {
  const responses = messages.flatMap((message) =>
    message.kind === 'request' ? [responseTo(message, era, refused.get(message))] : [],
  )
  const [why] = refused.values()
  const [only] = responses
  const status = era === 'modern' && why?.kind === 'method' ? 404 : 200
  const reply =
    only === undefined
      ? // Transports: what cannot be accepted gets an error status, and a body that has no id.
        jsonReply(400, errorResponse(undefined, JsonRpcCode.INVALID_REQUEST, 'Invalid Request: not accepted'))
      : jsonReply(status, batch ? responses : only)
  switch (why?.kind) {
    case 'denied': {
      const { reason, rule, argument } = why.permission
      exchange.rule = rule
      const detail = argument === undefined ? null : `the argument ${JSON.stringify(argument)}`
      return { reply, outcome: 'denied', reason, detail }
    }
    case 'method':
      return { reply, outcome: 'denied', reason: 'method' }
    default:
      return { reply, outcome: 'refused', reason: 'malformed', detail: why?.detail ?? null }
  }
}

function responseTo(message: RequestMessage, era: 'legacy' | 'modern', why: MessageRefusal | undefined): ErrorResponse {
  switch (why?.kind) {
    case 'denied':
      return unknownTarget(message, era, why.target)
    case 'malformed':
      return malformedTarget(message.id, why.detail)
    case 'method':
      return unknownMethod(message.id, message.method)
    default: {
      const words = 'Not carried out: another request of the batch is refused'
      return errorResponse(message.id, JsonRpcCode.INVALID_REQUEST, words)
    }
  }
}
