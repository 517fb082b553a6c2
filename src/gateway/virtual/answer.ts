/** Answers of a virtual server to single requests, and the one HTTP answer that they become: JSON, a batch of it, or events. */
import { Readable } from 'node:stream'
import type { Abort } from '../../http/abort.ts'
import type { Reply } from '../../http/gate.ts'
import { writtenReply } from '../../mcp/json-rpc-reply.ts'
import { type ErrorResponse, errorResponse, type RequestId } from '../../mcp/messages.ts'
import { writeSseEvent } from '../../mcp/sse.ts'
import type { Ended } from '../ending.ts'

/** The answer to one request. */
export type VirtualAnswer =
  /** `reply` for what is more than a message: headers of its own. */
  | {
      readonly kind: 'one'
      readonly status: number
      readonly body: Uint8Array | object
      readonly end: Omit<Ended, 'reply'>
    }
  /** Messages, the response last. Whoever does not read to the end calls `return()`. */
  | { readonly kind: 'many'; readonly messages: AsyncGenerator<Uint8Array>; readonly end: Omit<Ended, 'reply'> }

/** An answer that is a message of ours. */
export function oneAnswer(body: object | Uint8Array, end: Omit<Ended, 'reply'>, status = 200): VirtualAnswer {
  return { kind: 'one', status, body, end }
}

/** An answer that is an error. */
export function errorAnswer(
  id: RequestId,
  code: number,
  message: string,
  end: Omit<Ended, 'reply'>,
  status = 200,
): VirtualAnswer {
  const error: ErrorResponse = errorResponse(id, code, message)
  return oneAnswer(error, end, status)
}

/** The HTTP answer to a body with these answers, in the order of its requests. `abort` as for {@link eventsReply}. */
export function endedOf(answers: readonly VirtualAnswer[], batch: boolean, abort?: Abort): Ended {
  const [first] = answers
  if (first === undefined) return { reply: { status: 202 }, outcome: 'relayed' }
  const worst = answers.find(({ end }) => end.outcome !== 'relayed') ?? first
  if (!batch && first.kind === 'one') {
    return withReply(
      first.end,
      writtenReply(first.status, first.body instanceof Uint8Array ? first.body : textOf(first)),
    )
  }
  if (answers.every((each) => each.kind === 'one')) {
    return withReply(worst.end, writtenReply(200, `[${answers.map(textOf).join(',')}]`))
  }
  return withReply(worst.end, eventsReply(merged(answers), abort))
}

/** Not spread: in Node 20 that would stay until a full collection, with all that it refers to. */
function withReply({ outcome, reason = null, detail = null }: Omit<Ended, 'reply'>, reply: Reply): Ended {
  return { outcome, reason, detail, reply }
}

/** An answer that is a stream of messages. Destroyed before its end, it aborts `abort`. */
export function eventsReply(messages: AsyncGenerator<Uint8Array>, abort?: Abort): Reply {
  return {
    status: 200,
    headers: {
      'content-type': 'text/event-stream',
      // What is in front of us must not collect events, nor compress them.
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    },
    body: readableOf(eventsOf(messages), abort),
  }
}

/**
 * Unlike `Readable.from`, its end does not wait for the generator, which may be waiting for members: whoever has lost access must
 * not have the stream until one of them says something. Nor does a generator hear of it that has not begun: `abort` ends its call.
 */
function readableOf(events: AsyncGenerator<Uint8Array>, abort: Abort | undefined): Readable {
  let isWhole = false
  return new Readable({
    highWaterMark: 64 * 1024,
    read() {
      events.next().then(
        ({ value, done }) => {
          isWhole = done === true
          this.push(isWhole ? null : value)
        },
        (error) => this.destroy(error),
      )
    },
    destroy(error, callback) {
      // Behind its end, calls may wait for the client to come back.
      if (!isWhole) abort?.abort()
      events.return(undefined).catch(() => {})
      callback(error)
    },
  })
}

async function* eventsOf(messages: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const data of messages) yield data.length === 0 ? KEEP_ALIVE : writeSseEvent({ data, type: 'message' })
}

/** An empty message stands for it. */
const KEEP_ALIVE = Buffer.from(':\n\n')

/** One after the other: a client that sends a batch waits for all of it. */
async function* merged(answers: readonly VirtualAnswer[]): AsyncGenerator<Uint8Array> {
  for (const answer of answers) {
    if (answer.kind === 'many') yield* answer.messages
    else yield Buffer.from(textOf(answer))
  }
}

function textOf(answer: VirtualAnswer): string {
  if (answer.kind === 'many') return ''
  const { body } = answer
  return body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : JSON.stringify(body)
}
