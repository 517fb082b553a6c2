/** What a request to a virtual server is answered with: who asks, in which era, for whom, and what was settled before. */
import type { CredentialKind } from '../../broker/credential.ts'
import type { Abort } from '../../http/abort.ts'
import type { Era, LegacyRevision } from '../../mcp/eras.ts'
import type { JsonObject } from '../../mcp/messages.ts'
import type { UpstreamAbout, UpstreamClientInfo } from '../../mcp/upstream-peer.ts'
import type { Exchange } from '../exchange.ts'
import type { Asker } from '../permissions.ts'
import type { LiveMember, LiveVirtualServer } from './live.ts'

/** A client's session with a virtual server (up to 2025-11-25), as it is kept in the store. */
export interface VirtualSession {
  /** What names it in the store: a digest of the client's id. */
  readonly key: string
  readonly server: string
  readonly identity: string
  readonly revision: LegacyRevision
  readonly urlElicitation: boolean
  readonly client: UpstreamClientInfo
  /** Of `logging/setLevel`. */
  readonly logLevel?: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** See the top of the file. */
export interface VirtualContext {
  readonly exchange: Exchange
  readonly virtual: LiveVirtualServer
  readonly asker: Asker
  readonly era: Era
  /** Absent in the modern era, and for clients that have none. */
  readonly session: VirtualSession | undefined
  readonly client: UpstreamClientInfo
  /** Of one HTTP body, and of all calls for it: aborts where the answer to it is thrown away, though the client is there. */
  readonly abort: Abort
}

/** Whether a request is of nobody in particular, and of no session: all these have one identity, and nothing of one is another's. */
export function isNobodys({ session, asker }: VirtualContext): boolean {
  return session === undefined && asker.caller.kind === 'anonymous'
}

/**
 * What a virtual server calls itself.
 *
 * @param about - what the one member says, where it is a bridged server
 */
export function serverInfoOf({ name, config, bridged }: LiveVirtualServer, about?: UpstreamAbout): JsonObject {
  const own = bridged === undefined ? undefined : about?.serverInfo
  return own ?? { name: config.label ?? name, version: '0.1.0' }
}

/** From here on the answer ends when the caller's connection to a member does, if that is what it is called with. */
export function relyOn({ exchange }: VirtualContext, { server }: LiveMember, credential: CredentialKind): void {
  if (credential !== 'oauth2') return
  exchange.connections ??= new Set()
  exchange.connections.add(server.name)
}

/** Capabilities of clients that can cross a virtual server. */
const CROSSING = ['elicitation', 'sampling', 'roots'] as const

/** What members are told of a client. */
export function clientInfoOf(info: unknown, capabilities: JsonObject | undefined): UpstreamClientInfo {
  const crossing = CROSSING.flatMap((name) => {
    const value = capabilities?.[name]
    return typeof value === 'object' && value !== null ? [[name, value] as const] : []
  })
  const isInfo = typeof info === 'object' && info !== null && 'name' in info && typeof info.name === 'string'
  return { info: isInfo ? (info as JsonObject) : undefined, capabilities: Object.fromEntries(crossing) }
}
