/** What is relayed to an upstream server, and what comes of it. Whether it may be has been decided before. */
import type { IncomingHttpHeaders } from 'node:http'
import type { AbortSource, Reply } from '../http/gate.ts'
import type { Era } from './eras.ts'
import type { ListName } from './list-filter.ts'
import type { MessageBody } from './messages.ts'
import type { Session, SessionPlace } from './session-id.ts'

/** The upstream server. */
export interface RelayServer {
  /** The configured name, `dev/github`. */
  readonly id: string
  readonly url: URL
}

/** What a caller sees of lists. */
export interface ListJudge {
  /** Whether an entry stays, by its `name`, `uri` (resources) or `uriTemplate`. */
  allows(list: ListName, name: string): boolean | Promise<boolean>
}

/** One HTTP request of a client that may go on. */
export interface RelayCall {
  readonly server: RelayServer
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** The client's. */
  readonly headers: IncomingHttpHeaders
  /** Aborts when the client goes away. */
  readonly signal: AbortSource
  readonly era: Era
  /** The session that the client's `Mcp-Session-Id` opened as; `undefined` for `initialize`, in the modern era, and without the field. */
  readonly session: Session | undefined
  /** Whose sessions begin here. */
  readonly place: SessionPlace
  /** Of a POST: the bytes as they came, and what they say. */
  readonly body: { readonly bytes: Uint8Array; readonly messages: MessageBody } | undefined
  /** The credential: names in lower case; they win over the client's. */
  readonly credential: Readonly<Record<string, string>>
  /** `undefined` where nothing is left out of lists. */
  readonly lists: ListJudge | undefined
}

/** Why there is no answer. */
export type RelayFailure = Extract<RelayResult, { kind: 'failed' }>['reason']

/** What came of it. */
export type RelayResult =
  /**
   * To be sent to the client; a stream ends when the upstream's does, and breaks off when it breaks off. Whoever does not send
   * it destroys its body.
   */
  | {
      readonly kind: 'answer'
      readonly reply: Reply
      readonly upstreamStatus: number | null
      /** Of a 403 that wants more scope (RFC 6750 §3.1): `WWW-Authenticate`, which does not go to the client. */
      readonly challenge?: string
    }
  /** 401: the upstream does not take the credential. Nothing has gone to the client, and the same call may be relayed again. */
  | { readonly kind: 'unauthorized'; readonly challenge: string | undefined; readonly upstreamStatus: 401 }
  /** No answer, or none that may go on; `reply` says so with the request's id. */
  | {
      readonly kind: 'failed'
      readonly reason: 'unreachable' | 'timeout' | 'nonsense' | 'too_large' | 'redirect' | 'aborted' | 'closing'
      readonly reply: Reply
      readonly upstreamStatus: number | null
      /** For the operator. */
      readonly detail: string
    }

/** Relays calls. */
export interface Relay {
  /** Never rejects for an upstream's or a client's sake; rejects where a {@link ListJudge} does, and nothing has gone on then. */
  send(call: RelayCall): Promise<RelayResult>
  /** What is known of the era that a server speaks, from its answers. One that speaks both is modern. */
  eraOf(server: RelayServer): 'modern' | 'legacy' | undefined
  /** Lets requests under way end for a while, and closes the connections. */
  close(): Promise<void>
}
