/** One request on its way through the gateway: what is known of it so far. Kept in one place for the audit. */
import type { GrantRef } from '../access/decision.ts'
import type { CredentialKind } from '../broker/credential.ts'
import type { GateRequest } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import type { Caller } from '../identity/caller.ts'
import type { MessageBody } from '../mcp/messages.ts'
import type { Target } from '../mcp/targets.ts'
import type { Ending } from './audit-event.ts'
import type { Endpoint } from './endpoints.ts'
import type { LiveServer } from './live-server.ts'
import type { LiveState } from './live-state.ts'
import type { Place } from './place.ts'
import type { LiveVirtualServer } from './virtual/live.ts'

/** See the top of the file. */
export interface Exchange {
  readonly request: GateRequest
  readonly normalised: NormalisedRequest
  /** The one that the request began under, once all of it was there. */
  state: LiveState
  /** By the monotonic clock. */
  readonly startedAt: number
  /** When its caller was asked for, the last time, by the monotonic clock. */
  lookedAt: number
  /** What `OpenStreams.changes` was then. */
  changes: number
  /** `undefined` where there is no such server. */
  server: LiveServer | undefined
  /** Where the endpoint is that of a virtual server; there is no `server` then. */
  virtual: LiveVirtualServer | undefined
  endpoint: Endpoint
  caller: Caller | undefined
  principals: readonly string[]
  messages: MessageBody | undefined
  /** What they name, once that is known to be allowed. */
  targets: readonly Target[] | undefined
  rule: GrantRef | undefined
  credential: CredentialKind | undefined
  /** Of a virtual server: the member that a message has gone to, the last of several. */
  member?: string
  upstreamStatus: number | null
  /** What went wrong with an answer that had begun, where its client was told so in the rest of it. */
  failure?: Ending | undefined
  /** The place that the caller has at the server for it, where one was taken. */
  place: Place | undefined
  /** Of a virtual server: members whose connection of the caller's an answer comes through. It ends with any of them. */
  connections: Set<string> | undefined
}

/** A body that has been read. */
export interface ReadMessages {
  readonly bytes: Uint8Array
  readonly messages: MessageBody
}
