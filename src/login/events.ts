/** What login tells about its work. Never holds a token, a code, or a cookie. */

/** One step of somebody's sign-in or session. */
export interface LoginEvent {
  /**
   * `started`: sent to the provider; `signed_in`; `failed`: see `reason`; `handed_off`: the session went to another of our
   * hosts; `refreshed`: new tokens; `refresh_failed`; `signed_out`: by the person; `ended`: from afar, by the provider;
   * `revocation_failed`: the provider has not ended the tokens of a session that is over here.
   */
  readonly kind:
    | 'started'
    | 'signed_in'
    | 'failed'
    | 'handed_off'
    | 'refreshed'
    | 'refresh_failed'
    | 'signed_out'
    | 'ended'
    | 'revocation_failed'
  /** `null` where it is not known: a refresh that failed before its session was read, a page of no integration of ours. */
  readonly integration: string | null
  /** `denied`, `expired`, `invalid`, `rejected`, `unavailable`; the same that the person reads on the page. */
  readonly reason: string | null
  /** For the operator. */
  readonly detail: string | null
  /** On the page that the person saw, so that they can tell you. */
  readonly reference: string | null
  /** See `Auth.id`; `null` where nobody is known yet. */
  readonly id: string | null
  /** See `Auth.subject`. */
  readonly subject: string | null
  /** As `Decision.clientAddress`; `null` where no request was the cause. */
  readonly clientAddress: string | null
}
