/** Why an upstream has not answered. */

/** In one word. */
export type UpstreamFailure =
  /** No connection, or it broke before the answer was there. */
  | 'unreachable'
  /** Nothing in time. */
  | 'timeout'
  /** The caller has gone. */
  | 'aborted'
  /** The gateway is being closed. */
  | 'closing'

/** Thrown by `Upstreams.send`, and what the stream of an answer fails with. The message names no header and no query. */
export class UpstreamError extends Error {
  readonly failure: UpstreamFailure

  constructor(failure: UpstreamFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UpstreamError'
    this.failure = failure
  }
}
