/** What the gateway tells about its work: who did what, and what came of it. Never holds a token, a password or an argument's value. */
import type { GrantRef } from '../access/decision.ts'
import type { ConnectionEvent } from '../broker/broker.ts'
import type { CredentialKind } from '../broker/credential.ts'
import type { Caller } from '../identity/caller.ts'
import type { KeyEvent } from '../identity/key-event.ts'

/** One thing that happened. Times are in epoch milliseconds. */
export type AuditEvent = RequestEvent | ConnectionAuditEvent | KeyAuditEvent

/** A request to an MCP endpoint, told when its answer is complete. */
export interface RequestEvent {
  readonly type: 'request'
  /** When the answer was complete, in epoch milliseconds. */
  readonly at: number
  /** Of the whole request, in milliseconds. */
  readonly ms: number
  /** `null` where nobody was known: no token, or one that was refused. */
  readonly caller: AuditCaller | null
  /** The server's name; `null` where there is none of that name. */
  readonly server: string | null
  /** Of a virtual server: the server that has the tool, prompt or resource; of a batch, one of them. `null` of others. */
  readonly member: string | null
  /** `POST`, `GET`, `DELETE`, `OPTIONS`. */
  readonly httpMethod: string
  /** JSON-RPC methods of the message, or of the batch. */
  readonly methods: readonly string[]
  /** Tools, prompts and resources named in it. */
  readonly targets: readonly { readonly kind: 'tool' | 'prompt' | 'resource'; readonly name: string }[]
  /**
   * `relayed`: the upstream has answered; `denied`: no access; `unauthenticated`; `authorization_required`: consent is missing;
   * `refused`: a malformed or forbidden request; `failed`: upstream or something of ours is down; `aborted`: the client has gone.
   */
  readonly outcome:
    | 'relayed'
    | 'denied'
    | 'unauthenticated'
    | 'authorization_required'
    | 'refused'
    | 'failed'
    | 'aborted'
  /** A short stable word for why, where there is more to say. */
  readonly reason: string | null
  /** For the operator. */
  readonly detail: string | null
  /** The grant that decided. */
  readonly rule: GrantRef | null
  /** What the server was called with; `null` where it was not called. */
  readonly credential: CredentialKind | null
  /** What the client was answered, or would have been. */
  readonly status: number
  /** What the MCP server answered; `null` where it was not called, or did not answer. */
  readonly upstreamStatus: number | null
  /** As `Decision.clientAddress`: of the client, behind trusted proxies too. */
  readonly clientAddress: string
  /** W3C trace context. */
  readonly traceparent: string | null
}

/** Who called. */
export interface AuditCaller {
  /** A person, a virtual account, or nobody in particular. */
  readonly kind: Caller['kind']
  /** What they came in with. */
  readonly via: Caller['via']
  /** See `identityId`. */
  readonly id: string
  /** The integration that they are of. */
  readonly integration: string
  /** Their name there: see `Identity.subject`. */
  readonly subject: string
  /** Names of the external identities that their token met. */
  readonly externalIdentities: readonly string[]
  /** Of the API key; `null` where it was none. */
  readonly keyId: string | null
}

/** A consent, refresh or revocation. */
export interface ConnectionAuditEvent extends ConnectionEvent {
  readonly type: 'connection'
  /** In epoch milliseconds. */
  readonly at: number
}

/** An API key made, used, refused or revoked. */
export interface KeyAuditEvent extends KeyEvent {
  readonly type: 'key'
  /** In epoch milliseconds. */
  readonly at: number
}

/** What came of a request. */
export interface Ending {
  readonly outcome: RequestEvent['outcome']
  readonly reason?: string | null
  readonly detail?: string | null
  /** What was thrown, where it ended so. */
  readonly error?: unknown
}
