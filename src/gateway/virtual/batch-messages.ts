/** The messages of one body at a virtual server, each carried out by itself, and so with a place of its own where it is a request. */
import type { Abort } from '../../http/abort.ts'
import { GatewayCode } from '../../mcp/error-codes.ts'
import type { Message, MessageBody, RequestMessage } from '../../mcp/messages.ts'
import { tooManyText } from '../caller-places.ts'
import type { Exchange } from '../exchange.ts'
import { errorAnswer, type VirtualAnswer } from './answer.ts'

/** What carries them out. */
export interface MessageWork {
  request(message: RequestMessage): Promise<VirtualAnswer>
  /** Takes a notification or a response. */
  other(message: Exclude<Message, RequestMessage>): Promise<void>
}

/**
 * The answers, in the order of the requests. These are carried out at once, as many as there are places of the caller: the others
 * are answered as if each had come by itself. What asks for no answer must not be lost, so it goes on one after the other.
 * Where one of them rejects nobody gets the answers to the others: `abort` ends their calls.
 */
export async function answersTo(
  exchange: Exchange,
  { messages }: MessageBody,
  { request, other }: MessageWork,
  abort: Abort,
): Promise<readonly VirtualAnswer[]> {
  const requests = messages.reduce((sum, { kind }) => sum + (kind === 'request' ? 1 : 0), 0)
  // The first has the place of the body.
  let left = 1 + (exchange.place?.more(requests - 1) ?? requests)
  let told: Promise<void> = Promise.resolve()
  const done = messages.map((message) => {
    if (message.kind === 'request') return left-- > 0 ? request(message) : withoutPlace(exchange, message)
    told = told.then(() => other(message))
    return told
  })
  try {
    return (await Promise.all(done)).flatMap((each) => each ?? [])
  } catch (error) {
    abort.abort()
    // Not while something goes on: the places of the body are given back behind this.
    await Promise.allSettled(done)
    throw error
  }
}

const REFUSED = { outcome: 'refused', reason: 'too_many_calls', detail: 'calls' } as const

function withoutPlace(exchange: Exchange, { id }: RequestMessage): VirtualAnswer {
  return errorAnswer(id, GatewayCode.TOO_MANY_CALLS, tooManyText(exchange, 'calls'), REFUSED)
}
