/** What a client brings back of ours when it tries again after consent (2026-07-28, Multi Round-Trip Requests). */
import { JsonRpcCode } from '../mcp/error-codes.ts'
import { jsonReply } from '../mcp/json-rpc-reply.ts'
import { errorResponse } from '../mcp/messages.ts'
import type { RequestStates } from '../mcp/request-state.ts'
import type { SessionPlace } from '../mcp/session-id.ts'
import { isOwnInput, withoutOwnParts } from '../mcp/state-cut.ts'
import type { Ended } from './ending.ts'
import type { ReadMessages } from './exchange.ts'

/** The body without what is ours in it, or the answer to one that is not good. */
export async function withoutOwnState(
  body: ReadMessages,
  place: SessionPlace,
  requestStates: Pick<RequestStates, 'read'>,
): Promise<ReadMessages | Ended> {
  const [message] = body.messages.messages
  if (message?.kind !== 'request' || message.params?.requestState === undefined) return body
  switch (await requestStates.read(message, place)) {
    case 'none':
    case 'foreign':
      return body
    case 'ours': {
      const bytes = withoutOwnParts(body.bytes, { state: true, isOwnKey: isOwnInput })
      return { bytes, messages: { ...body.messages, messages: [{ ...message, raw: bytes }] } }
    }
    case 'bad': {
      const words = 'Invalid params: requestState is too old, or belongs to another request; ask again without it'
      const reply = jsonReply(200, errorResponse(message.id, JsonRpcCode.INVALID_PARAMS, words))
      return { reply, outcome: 'refused', reason: 'request_state' }
    }
  }
}
