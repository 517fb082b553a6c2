/**
 * A server with `bridge` (B6): requests go the ordinary way where it speaks the era of the client, and otherwise through the
 * machinery of virtual servers, as if it were the one member of one. Which way is told by what is known of the server; one that
 * nothing is known of is asked first, by a probe in the modern era and by the handshake itself in the legacy one.
 */
import { eraOf, eraWithoutBody } from '../mcp/eras.ts'
import { isInitialize } from '../mcp/messages.ts'
import type { KnownEras, UpstreamPeer } from '../mcp/upstream-peer.ts'
import type { CallStep } from './call-step.ts'
import { discard, type Ended } from './ending.ts'
import type { Exchange, ReadMessages } from './exchange.ts'
import type { LiveServer } from './live-server.ts'
import { type LiveVirtualServer, toBridged } from './virtual/live.ts'
import { isVirtualSessionId } from './virtual/sessions.ts'
import type { VirtualStep } from './virtual/step.ts'

/** What the step works with. */
export interface BridgeParts {
  /** The ordinary way, which servers without `bridge` always go. */
  readonly call: CallStep
  /** The way of virtual servers. */
  readonly virtualCall: VirtualStep
  readonly eras: KnownEras
}

/** What servers say to a request of an era that they do not speak. */
const NOT_UNDERSTOOD: ReadonlySet<number | null> = new Set([400, 404, 405, 406, 415, 422])

/** Puts the step together. */
export function createBridgeStep({ call, virtualCall, eras }: BridgeParts): CallStep {
  const views = new WeakMap<LiveServer, LiveVirtualServer>()

  function bridged(exchange: Exchange, server: LiveServer, body: ReadMessages | undefined): Promise<Ended> | Ended {
    const view = views.get(server) ?? toBridged(server)
    views.set(server, view)
    return virtualCall(exchange, view, body)
  }

  /** `undefined` where there is no credential to ask it with: the ordinary way says what is to be done then. */
  async function peerOf({ state, caller, principals, request }: Exchange, server: LiveServer) {
    if (caller === undefined) return undefined
    const { headers, rawHeaders } = request
    const found = await state.credentials.resolve({ caller, principals, server: server.name, headers, rawHeaders })
    if (found.kind !== 'credential') return undefined
    const { era } = server.config
    const client = { info: undefined, capabilities: {} }
    return { server: server.relay, era, credential: found.headers, headers, client } satisfies UpstreamPeer
  }

  async function modernRequest(exchange: Exchange, server: LiveServer, body: ReadMessages): Promise<Ended> {
    const { era } = server.config
    if (era === 'legacy') return bridged(exchange, server, body)
    const peer = await peerOf(exchange, server)
    if (era === 'modern' || peer === undefined) return call(exchange, server, body)
    const found = await eras.find(peer)
    // A credential that is refused may be renewed there, and what the server speaks is found out with the new one.
    if ('kind' in found && found.kind === 'unauthorized') return bridged(exchange, server, body)
    if (!('kind' in found) && found.era === 'legacy') return bridged(exchange, server, body)
    const ended = await call(exchange, server, body)
    if (NOT_UNDERSTOOD.has(exchange.upstreamStatus)) eras.forget(peer)
    return ended
  }

  async function legacyRequest(exchange: Exchange, server: LiveServer, body: ReadMessages): Promise<Ended> {
    const peer = await peerOf(exchange, server)
    const known = peer === undefined ? undefined : eras.known(peer)
    if (known?.era === 'modern' && known.refusesLegacy === true) return bridged(exchange, server, body)
    const ended = await call(exchange, server, body)
    if (peer === undefined || !isInitialize(body.messages) || !isRefused(exchange, ended)) return ended
    const found = await eras.find(peer)
    if ('kind' in found || found.era === 'legacy') return ended
    eras.refusesLegacy(peer, found)
    discard(ended.reply)
    return bridged(exchange, server, body)
  }

  return (exchange, server, body) => {
    if (server.config.bridge !== true) return call(exchange, server, body)
    const { headers } = exchange.request
    const era = body === undefined ? eraWithoutBody(headers) : eraOf(body.messages, headers)
    if (era.kind === 'problem') return call(exchange, server, body)
    if (era.era === 'modern' && body !== undefined) return modernRequest(exchange, server, body)
    const sessionId = headers['mcp-session-id']
    if (body !== undefined && (sessionId === undefined || isInitialize(body.messages))) {
      return legacyRequest(exchange, server, body)
    }
    // A session stays what it began as.
    return isVirtualSessionId(sessionId) ? bridged(exchange, server, body) : call(exchange, server, body)
  }
}

/** Whether the server itself has turned a handshake down: whoever gets a session gets its id. */
function isRefused({ upstreamStatus }: Exchange, { reply }: Ended): boolean {
  if (NOT_UNDERSTOOD.has(upstreamStatus)) return true
  return upstreamStatus === 200 && reply.headers?.['mcp-session-id'] === undefined
}
