/** Pieces that replies to relayed calls are made of. */
import type { Readable } from 'node:stream'
import type { Reply } from '../http/gate.ts'
import type { UpstreamAnswer } from '../net/exchange.ts'
import { type BodyFault, discard } from './relay-body.ts'
import type { RelayCall, RelayResult } from './relay-call.ts'
import { failed } from './relay-failure.ts'
import { answerFields } from './relay-headers.ts'

/** An answer that goes on, with the header fields that may go back. */
export function replyOf(
  { status, headers }: UpstreamAnswer,
  type: 'json' | 'events',
  body: Uint8Array | Readable,
): Reply {
  const fields = answerFields(headers)
  if (isShareable(fields['cache-control'])) fields['cache-control'] = 'no-store'
  if (type === 'events') {
    // What is in front of us must not collect events, nor compress them.
    fields['x-accel-buffering'] = 'no'
    const control = fields['cache-control'] ?? 'no-cache'
    fields['cache-control'] = /\bno-transform\b/i.test(control) ? control : `${control}, no-transform`
  }
  return { status, headers: fields, body }
}

/** RFC 9111 §3.5: what lets a cache in front of us give the answer to one caller, which is theirs alone, to another. */
function isShareable(control: string | undefined): boolean {
  if (control === undefined || /(?:^|,)\s*(?:no-store|private)\s*(?:,|$)/i.test(control)) return false
  return /\b(?:public|s-maxage|must-revalidate)\b/i.test(control)
}

/** A status that says all there is to say. */
export function withoutBody(answer: UpstreamAnswer, status: number): RelayResult {
  discard(answer.body)
  return { kind: 'answer', reply: { status }, upstreamStatus: answer.status }
}

/** An answer that is none. `detail` is for the operator; `status` where another than 502 says more. */
export function refused(call: RelayCall, answer: UpstreamAnswer, detail: string, status?: number): RelayResult {
  discard(answer.body)
  return failed(call, 'nonsense', answer.status, detail, status)
}

/** An answer whose body could not be read. */
export function unread(call: RelayCall, status: number, fault: BodyFault): RelayResult {
  if (call.signal.aborted) return failed(call, 'aborted', status, 'the caller has gone')
  if (fault === 'broken') return failed(call, 'unreachable', status, 'the answer broke off')
  if (fault === 'timeout') return failed(call, 'timeout', status, 'the answer was not whole in time')
  return failed(call, 'too_large', status, 'the answer is longer than what is read')
}
