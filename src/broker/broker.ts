/** Connections: a user's link to one upstream server, made by consent in a browser, kept fresh, ended by its owner. */
import type { Unsubscribe } from '../core/events.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import type { Identity } from '../identity/sign-in.ts'
import type { FoundTokens } from '../store/refresher.ts'
import type { UpstreamTokens } from './tokens.ts'
import type { OAuth2UpstreamAuth } from './upstream-auth.ts'

/** A server with tokens of each user's own, as the broker sees it. */
export interface OAuth2Server {
  /** The configured name, `dev/github`. */
  readonly id: string
  /** The MCP endpoint, the default of `resource`. */
  readonly url: string
  /** What people know it as. */
  readonly label: string
  /** What it is for, in a sentence. */
  readonly description?: string
  readonly auth: OAuth2UpstreamAuth
}

/** What may be known of a connection; never a token. */
export interface Connection {
  /** `group/server`. */
  readonly server: string
  /** `reauth_required`: the refresh token is dead, and the person must consent again. */
  readonly state: 'connected' | 'reauth_required'
  /** Epoch milliseconds; absent where consent has to be given again and nothing else is known any more. */
  readonly connectedAt?: number
  /** Of the access token; it is refreshed before. Absent where the server does not say, or nothing can be told. */
  readonly expiresAt?: number
  /** What was granted, separated by spaces (RFC 6749 §3.3); absent where the server does not say. */
  readonly scope?: string
  /** When a call last used it, to the hour; absent where none has, and where consent has to be given again. */
  readonly lastUsedAt?: number
}

/** A connection, and whose it is. */
export interface OwnedConnection extends Connection {
  /** The `id` of an identity. */
  readonly owner: string
}

/** Which connections of everybody are wanted. */
export interface ConnectionPage {
  /** Those to one of these servers only. */
  readonly servers?: readonly string[]
  /** `next` of the page before. */
  readonly after?: string
}

/** A consent to be asked for. */
export interface ConnectRequest {
  readonly server: string
  /** Whose connection it will be: the `id` of an identity, a person's or a virtual account's. */
  readonly owner: string
  /** Who will connect it: has to be signed in with the browser then, unless nobody can be told (`signIn: 'link'`). */
  readonly by: Pick<Identity, 'id' | 'integration'>
  /** What people know the owner as, where that is not the person: the name of a virtual account. */
  readonly ownerLabel?: string
  /** Where to go afterwards: a URL of the host application; a page of ours by default. */
  readonly returnTo?: string
  /** More scopes than before are wanted: see `Broker.stepUp`. */
  readonly stepUp?: StepUp
}

/** The same as it is kept: `by` is `null` where nobody can be told. */
export interface KeptConnectRequest extends Omit<ConnectRequest, 'by'> {
  readonly by: ConnectRequest['by'] | null
}

/** Consent once more, for more scopes (RFC 6750 §3.1, `insufficient_scope`). */
export interface StepUp {
  /** All that are asked for, those of before included. */
  readonly scopes: readonly string[]
  /** How often that has been done for this connection, this time included. */
  readonly count: number
}

/** Something that happened to a connection, for the audit. Never holds a token, a code or a link. */
export interface ConnectionEvent {
  /** What happened. */
  readonly kind:
    | 'consent_started'
    | 'connected'
    | 'consent_failed'
    | 'refreshed'
    | 'refresh_failed'
    | 'reauth_required'
    | 'disconnected'
    | 'revocation_failed'
    /** Of a server, and nobody in particular: `detail` is the issuer. Connections at the one before need consent again. */
    | 'authorization_server_found'
    | 'authorization_server_changed'
    /** The gateway has registered itself there, or is not known there any more. */
    | 'client_registered'
    | 'client_forgotten'
  /** `null` where it cannot be told: a callback that nobody has begun. */
  readonly server: string | null
  /** The identity whose connection it is; `null` where that cannot be told. */
  readonly owner: string | null
  /** The identity whose browser it was, of consents. */
  readonly by?: string | null
  /** What the person was told to pass on when asking for help, of failed consents. */
  readonly reference?: string
  /** Why, of failures: a short stable word. */
  readonly reason: string | null
  /** For the operator. */
  readonly detail: string | null
}

/** What the caller of {@link Broker.tokens} knows. */
export interface TokenOptions {
  /**
   * Where the tokens will be sent: the `url` that the server had when the request began. Where it is another by now, they are for
   * somebody else, and there are none (`unavailable`).
   */
  readonly url?: string
  /** The `stamp` of tokens that the server has refused. */
  readonly rejected?: string
  /** Its `WWW-Authenticate` then. */
  readonly challenge?: string
}

/** See the top of the file. */
export interface Broker {
  /** The owner's tokens for a server, refreshed if that is due; at once if it is not. See `Refresher.tokens`. */
  tokens(
    owner: string,
    server: string,
    options?: TokenOptions,
  ): FoundTokens<UpstreamTokens> | Promise<FoundTokens<UpstreamTokens>>
  /**
   * What to ask for when a server has answered `insufficient_scope` (403) to a caller's token; `undefined` where asking would not
   * help: there is no such challenge, it has been asked for often enough, or there is no connection.
   *
   * @param challenge - `WWW-Authenticate` of the answer
   * @param url - where that came from, as in {@link TokenOptions}: a server that is somewhere else by now has not said it
   */
  stepUp(owner: string, server: string, challenge: string, url?: string): Promise<StepUp | undefined>
  /**
   * The URL where consent begins: the open one of this owner, server and person until it expires. Whether the owner may use the
   * server has been checked by whoever asks, and is checked again when consent starts and when it ends.
   *
   * @throws NoSuchServerError for a server that does not exist, TypeError for a `returnTo` that is no http(s) URL
   */
  connectUrl(request: ConnectRequest): Promise<string>
  /** An owner's connections, by server. */
  list(owner: string): Promise<Connection[]>
  /** Connections of everybody, about a hundred at a time. A page can be empty and have a next one. */
  all(page?: ConnectionPage): Promise<{ readonly connections: readonly OwnedConnection[]; readonly next?: string }>
  /** Ends a connection, here at once and upstream where that is offered; whether there was one. */
  disconnect(owner: string, server: string): Promise<boolean>
  /** Ends all connections of an owner, those to servers that are not configured any more too. */
  disconnectAll(owner: string): Promise<void>
  /** Whether a path is one of the broker's pages, by its exact shape: whatever else is beside them is the application's. */
  owns(path: string): boolean
  /** Answers a request to one of them. Never rejects for a request's sake. */
  answer(request: GateRequest, normalised: NormalisedRequest): Promise<Reply>
  /** What to register at each authorization server; of servers that are discovered, only those whose path is known already. */
  redirectUrls(): { readonly server: string; readonly redirectUrl: string }[]
  /**
   * Takes over a changed configuration; connections of servers that stay are kept, as are flows under way.
   *
   * @throws ConfigError (`ERR_CONFIG`) as `createBroker` does, and then changes nothing
   */
  setServers(servers: readonly OAuth2Server[]): void
  on(listener: (event: ConnectionEvent) => void): Unsubscribe
  /** Looks up secrets and endpoints; rejects with what is missing. */
  ready(): Promise<void>
  close(): Promise<void>
}

/** There is no `oauth2` server of this name, or no longer. */
export class NoSuchServerError extends TypeError {}
