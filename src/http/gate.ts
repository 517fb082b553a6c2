/**
 * The one idea that holds sallyport together: a gate looks at a request and says
 * pass, reply or skip. Adapters make the request and carry out the outcome.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'

/** The request as a gate sees it, whatever server it came through. */
export interface GateRequest {
  /** The request method as sent, `GET`. */
  readonly method: string
  /** The request target as the client sent it (RFC 9112 §3.2), not what a mount path left of it. */
  readonly target: string
  /** As Node reads them: names in lower case, duplicates joined or dropped. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as received; duplicates are only visible here. */
  readonly rawHeaders: readonly string[]
  /** The other end of the connection. With a reverse proxy in front, that is the proxy. */
  readonly peer: { readonly address: string; readonly encrypted: boolean }
  /** The port that the connection came in on. Unlike the port in `Host`, a client cannot choose it freely. */
  readonly localPort: number
  /** Read at most once, by whoever decides. */
  readonly body: RequestBody
  /** Aborts when the client goes away before the answer is complete. Made on first use. */
  readonly signal: AbortSignal
  /**
   * Tells what `signal` tells, for code that has no need of a real one: making that takes a quarter as long as passing a
   * request on. Absent where it is no adapter that has made the request.
   */
  readonly gone?: AbortSource
  /** The framework's own object (`req`, `ctx`, `request`), for code of the host application. */
  readonly host: unknown
  /** `upgrade`: the client wants another protocol on this connection (RFC 9110 §7.8), WebSocket mostly. */
  readonly kind: 'http' | 'upgrade'
}

/** What is mostly used of an `AbortSignal`; a real one fits. */
export interface AbortSource {
  /** Whether it has happened. */
  readonly aborted: boolean
  /** Called once; not at all where it has happened before. */
  addEventListener(type: 'abort', listener: () => void): void
  /** Takes a listener back. */
  removeEventListener(type: 'abort', listener: () => void): void
}

/** The request body: untouched, already parsed by a framework, or absent. */
export type RequestBody =
  | { kind: 'stream'; stream: Readable }
  | { kind: 'parsed'; value: unknown; raw?: Uint8Array }
  | { kind: 'none' }

/** Header fields of an answer; a list becomes several lines. */
export type ReplyHeaders = Readonly<Record<string, string | readonly string[]>>

/** A whole answer. */
export interface Reply {
  /** 200 to 599. */
  readonly status: number
  /** Without `content-length`, which follows from the body. */
  readonly headers?: ReplyHeaders
  /** None by default. A stream is sent as it comes, and destroyed where the client goes away. */
  readonly body?: string | Uint8Array | Readable
}

/** Who came in, and how: what `authOf(req)` returns once a gate has let a request pass. */
export type Auth = OpenAuth | PasswordAuth | TokenAuth

/** Nobody in particular: a route without authentication. */
export interface OpenAuth {
  /** How the caller was authenticated: not at all. */
  readonly type: 'none'
  /** The route that matched: its `name`, or host and path. */
  readonly route: string
  readonly id?: undefined
  readonly subject?: undefined
  readonly integration?: undefined
  readonly claims?: undefined
}

/** Somebody with a user name and a password. */
export interface PasswordAuth {
  /** How the caller was authenticated (RFC 7617). */
  readonly type: 'basic'
  /** The route that matched: its `name`, or host and path. */
  readonly route: string
  /** The same for one user name of one realm: a hash of both. */
  readonly id: string
  /** The user name. */
  readonly subject: string
  readonly integration?: undefined
  readonly claims?: undefined
}

/** Somebody of an identity provider. */
export interface TokenAuth {
  /** How the caller was authenticated: by a JWT (RFC 9068), or by a session that began with one. */
  readonly type: 'jwt' | 'session'
  /** The route that matched: its `name`, or host and path. */
  readonly route: string
  /** The same for one person whatever they log in with: a hash of issuer and subject. */
  readonly id: string
  /** The integration's subject claim. */
  readonly subject: string
  /** The integration that the token is of. */
  readonly integration: string
  /** The token's claims, frozen. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Go on to the application. `headers` (say, a renewed cookie) are added to whatever the application sends. */
export interface Pass {
  readonly kind: 'pass'
  /** Who came in. */
  readonly auth: Auth
  /** Added to the answer of the application. */
  readonly headers?: ReplyHeaders
}

/** What a gate decides. */
export type Outcome =
  | Pass
  /** Answer now. */
  | { readonly kind: 'reply'; readonly reply: Reply }
  /** Not mine: the next gate decides, or the application gets the request as it is. */
  | { readonly kind: 'skip' }

/** Decides about requests. `createGuard` and `createGateway` return gates, and anybody can write one. */
export interface Gate {
  /** Whether it decides every request and never skips: a gate behind it would never be asked, which is refused as a mistake. */
  readonly decidesAll?: boolean
  /** Decides. Answers at once where it can; never rejects. */
  handle(request: GateRequest): Outcome | Promise<Outcome>
  /** Resolves once secrets and keys are there; rejects with what is missing. Calling it is optional. */
  ready(): Promise<void>
  /** Lets go of timers, sockets and listeners. */
  close(): Promise<void>
}
