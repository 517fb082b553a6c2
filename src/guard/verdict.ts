/** What a route's authentication finds, before it becomes an outcome and an event. */
import type { Auth, GateRequest, Pass, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'

/** Let in, with what is known of the caller; or answered, with the reason for the operator. */
export type Verdict = Pass | RefusedVerdict

/** What is answered instead. */
export interface RefusedVerdict {
  readonly kind: 'refuse'
  readonly reply: Reply
  readonly reason: string
  /** More for the operator; never a token or a password. */
  readonly detail?: string | undefined
  /** What was thrown, where only the operator can mend that. */
  readonly error?: unknown
  /** Who it was, where that is known though they were refused. */
  readonly auth?: Auth | undefined
}

/** Authenticates the requests of one route. */
export interface Authenticator {
  /** Looks up secrets, loads packages, fetches keys; rejects with what is missing. */
  ready(): Promise<void>
  authenticate(request: GateRequest, normalised: NormalisedRequest): Verdict | Promise<Verdict>
}
