/** The gateway as an MCP client of an upstream server, in whichever era that speaks: what it says and what it gets. */
import type { IncomingHttpHeaders } from 'node:http'
import type { AbortSource } from '../http/gate.ts'
import { META, type ModernRevision } from './eras.ts'
import type { JsonObject, RequestId } from './messages.ts'
import type { RelayFailure, RelayServer } from './relay-call.ts'
import type { UpstreamMessage } from './upstream-messages.ts'

/** An upstream as one caller sees it. */
export interface UpstreamPeer {
  readonly server: RelayServer
  /** As configured; found out where it is not. */
  readonly era?: 'legacy' | 'modern' | undefined
  /** Header fields, names in lower case: they win over the client's. */
  readonly credential: Readonly<Record<string, string>>
  /** The client's header fields, of which some go on. */
  readonly headers: IncomingHttpHeaders
  /** On whose behalf: what is said of them in handshakes and stamps. */
  readonly client: UpstreamClientInfo
}

/** A client as its upstreams know it. */
export interface UpstreamClientInfo {
  /** `clientInfo`; the gateway's own where the client has said nothing. */
  readonly info: JsonObject | undefined
  readonly capabilities: JsonObject
}

/** What an upstream says of itself. */
export interface UpstreamAbout {
  /** What it declares; empty where it has not been asked. */
  readonly capabilities: JsonObject
  readonly serverInfo?: JsonObject
  readonly instructions?: string
}

/** What has been settled with an upstream. */
export interface UpstreamLink extends UpstreamAbout {
  /** The URL it has been settled with: it is nothing to another, which must not see the session's id either. */
  readonly endpoint: string
  readonly era: 'legacy' | 'modern'
  readonly revision: string
  /** Of the legacy era, where the upstream has sessions. */
  readonly sessionId: string | undefined
}

/** A message to be sent. `params` are those in `bytes`, for the header fields. */
export type UpstreamSend =
  | {
      readonly kind: 'request'
      readonly id: RequestId
      readonly method: string
      readonly params: JsonObject | undefined
      readonly bytes: Uint8Array
      /** More header fields, `mcp-param-*`. */
      readonly fields?: Readonly<Record<string, string>>
    }
  | { readonly kind: 'other'; readonly method: string | undefined; readonly bytes: Uint8Array }

/** Why there is no answer. */
export type UpstreamFault =
  | { readonly kind: 'unauthorized'; readonly challenge: string | undefined; readonly upstreamStatus: 401 }
  | {
      readonly kind: 'failed'
      readonly reason: RelayFailure
      readonly upstreamStatus: number | null
      /** For the operator. */
      readonly detail: string
      /** `WWW-Authenticate` of a 403. */
      readonly challenge?: string | undefined
    }

/** What is known of an upstream's era. One that speaks both is modern. */
export type ProbedEra =
  | ({
      readonly era: 'modern'
      readonly revision: ModernRevision
      /** It has refused a handshake. */
      readonly refusesLegacy?: boolean
    } & UpstreamAbout)
  | { readonly era: 'legacy' }

/** Eras of upstreams, by endpoint and credential. */
export interface KnownEras {
  /** By a probe, unless it is known. */
  find(peer: UpstreamPeer): Promise<ProbedEra | UpstreamFault>
  known(peer: UpstreamPeer): ProbedEra | undefined
  /** It has refused a handshake, and a probe has shown it to be modern. */
  refusesLegacy(peer: UpstreamPeer, probed: Extract<ProbedEra, { era: 'modern' }>): void
  /** What is known has turned out to be wrong. */
  forget(peer: UpstreamPeer): void
}

/** What came of a handshake. */
export type LinkResult = { readonly kind: 'link'; readonly link: UpstreamLink } | UpstreamFault

/** What came of a message. */
export type SendResult =
  /**
   * Messages up to the response to the request, which is the last of them. Reading may throw an `UpstreamReadError`; whoever stops
   * before the end calls `return()`.
   */
  | {
      readonly kind: 'messages'
      readonly type: 'json' | 'events'
      readonly upstreamStatus: number
      readonly messages: AsyncGenerator<UpstreamMessage>
    }
  | { readonly kind: 'accepted'; readonly upstreamStatus: number }
  /** The upstream has forgotten the session, or it is another's: a handshake makes another. */
  | { readonly kind: 'session_over'; readonly upstreamStatus: 404 }
  /** A JSON-RPC error with an HTTP status of its own. */
  | {
      readonly kind: 'error'
      readonly upstreamStatus: number
      readonly message: Extract<UpstreamMessage, { kind: 'response' }>
      /** `WWW-Authenticate` of a 403. */
      readonly challenge: string | undefined
    }
  | UpstreamFault

/** See the top of the file. Nothing here rejects for an upstream's sake. */
export interface UpstreamSessions {
  /** Which eras upstreams speak, as far as it is known or can be found out. */
  readonly eras: KnownEras
  /** Finds out the era, and shakes hands where it has that. */
  open(peer: UpstreamPeer): Promise<LinkResult>
  send(peer: UpstreamPeer, link: UpstreamLink, message: UpstreamSend, signal: AbortSource): Promise<SendResult>
  /** The stream of what is sent without having been asked for (up to 2025-11-25, GET). It goes on where it breaks off, while it can. */
  listen(peer: UpstreamPeer, link: UpstreamLink, signal: AbortSource): Promise<SendResult>
  /** Ends a session. */
  end(peer: UpstreamPeer, link: UpstreamLink): Promise<void>
}

/** The gateway, as clients and servers without a word of their own know it. */
export const GATEWAY_INFO: JsonObject = Object.freeze({ name: 'sallyport', version: '0.1.0' })

/** What `_meta` of a modern request has to say. */
export function stampOf({ client }: Pick<UpstreamPeer, 'client'>, revision: string): JsonObject {
  return {
    [META.protocolVersion]: revision,
    [META.clientInfo]: client.info ?? GATEWAY_INFO,
    [META.clientCapabilities]: client.capabilities,
  }
}
