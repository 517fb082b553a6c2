/** What the answers of upstreams are taken with: the settings of a relay and what it has learnt. */
import type { RelayCall } from './relay-call.ts'
import type { ServerEras } from './server-eras.ts'
import type { SessionIds } from './session-id.ts'

/** Bounds of answers that are read. */
export interface AnswerLimits {
  /** Of an answer that is read as a whole, or of one event of a stream that is. */
  readonly maxAnswerBytes: number
  /** For all of an answer that is read as a whole, from its headers on, in milliseconds; 0 for no limit. */
  readonly answerMs: number
}

/** What answers are taken with. */
export interface AnswerContext {
  readonly sessionIds: SessionIds
  readonly eras: ServerEras
  readonly limits: AnswerLimits
  readonly onBroken: ((call: RelayCall, detail: string) => void) | undefined
}
