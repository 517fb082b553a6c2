/** What a guard tells about each decision. Never holds a token, a password, or the query of a URL. */
import type { KeyReport } from '../identity/integrations.ts'
import type { LoginEvent } from '../login/events.ts'

/** One decision. */
export interface Decision {
  /** A request, or one to upgrade (WebSocket). */
  readonly kind: 'http' | 'upgrade'
  /** As sent. */
  readonly method: string
  /** Normalised; `''` where the request had no normal form. */
  readonly host: string
  /** Normalised, without the query; `''` where the request had no normal form. */
  readonly path: string
  /** Of the client: the peer, or what trusted proxies say. */
  readonly clientAddress: string
  /** The name of the route; `null` where none matched. */
  readonly route: string | null
  /** `pass`: the application gets it; `reply`: the guard has answered; `skip`: the next gate decides. */
  readonly outcome: 'pass' | 'reply' | 'skip'
  /** The status of a `reply`. */
  readonly status: number | null
  /**
   * Why: `open`, `authenticated`; `no_credentials`, `bad_credentials`, `busy`, `check_failed` (basic);
   * `malformed`, `algorithm`, `type`, `issuer`, `audience`, `expired`, `not_yet_valid`, `unknown_key`, `signature`,
   * `scope`, `claim`, `cross_origin`, `keys_unavailable` (jwt);
   * `login` (sent to sign in), `session_ended`, `session_unavailable`, `login_page` (browser login); `no_route`, `not_exposed`, `ambiguous_target`,
   * `ambiguous_host`, `ambiguous_method`, `ambiguous_forwarding`, `duplicate_header`; `closed`, `error`.
   */
  readonly reason: string
  /** For the operator. */
  readonly detail: string | null
  /** Who it was, where that is known: see `Auth`. */
  readonly id: string | null
  /** See `Auth.subject`. */
  readonly subject: string | null
  /** See `Auth.integration`. */
  readonly integration: string | null
}

/** The guard's events, by name. Each is also published on the diagnostics channel `sallyport:<name>`. */
export interface GuardEvents {
  decision: Decision
  /** Keys were fetched, or could not be. */
  keys: KeyReport
  /** Somebody signed in or out, or could not; a session was refreshed or ended. */
  login: LoginEvent
}
