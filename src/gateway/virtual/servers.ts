/** Puts the parts of virtual servers together (G5). */
import type { Access } from '../../access/access.ts'
import type { Broker } from '../../broker/broker.ts'
import type { RefusedTokens } from '../../broker/refused-tokens.ts'
import type { Clock } from '../../core/clock.ts'
import type { Sealer } from '../../core/sealing.ts'
import type { RequestStates } from '../../mcp/request-state.ts'
import type { MessageLimits } from '../../mcp/upstream-messages.ts'
import type { KnownEras } from '../../mcp/upstream-peer.ts'
import { createUpstreamSessions } from '../../mcp/upstream-session.ts'
import type { Upstreams } from '../../net/upstream.ts'
import type { TokenStore } from '../../store/token-store.ts'
import type { Permissions } from '../permissions.ts'
import { createClientAnswers } from './answers-of-clients.ts'
import { createVirtualCall } from './call.ts'
import { createClientResponse } from './client-response.ts'
import { createVirtualLists } from './lists.ts'
import { createVirtualMembers } from './members.ts'
import { createParkedCalls } from './parked.ts'
import { createResourceSubscriptions } from './resource-subscriptions.ts'
import { createResourceUpdates } from './resource-updates.ts'
import { createVirtualSessions } from './sessions.ts'
import { createVirtualSignal } from './signal.ts'
import { createVirtualStep, type VirtualStep } from './step.ts'
import { createVirtualStreams } from './streams.ts'
import { createSubscribing } from './subscribing.ts'

/** What virtual servers are made of. */
export interface VirtualServerParts {
  readonly upstreams: Upstreams
  /** Sealed. */
  readonly store: TokenStore
  readonly clock: Clock
  readonly limits: MessageLimits
  /** How long a session lasts, in milliseconds. */
  readonly sessionMs: number
  readonly permissions: Permissions
  /** The grants that count now. */
  readonly access: () => Access
  readonly requestStates: RequestStates
  /** Made for ids of what clients are asked. */
  readonly answerSealer: Sealer
  readonly broker: Pick<Broker, 'connectUrl' | 'stepUp' | 'on'>
  /** Those that plain servers have refused, too: a server may be both. */
  readonly refusedTokens: RefusedTokens
}

/** See the top of the file. */
export interface VirtualServers {
  readonly step: VirtualStep
  /** What members speak. */
  readonly eras: KnownEras
  /** Gives calls up that wait for their clients to come back. */
  close(): void
  /** Ends sessions at members that nobody else would end. Once calls are over, and before connections are. */
  endSessions(): Promise<void>
}

/** A client waits for a handshake, and for the slowest of all lists: longer than this a member counts as dead for now. */
const MEMBER_MS = 10_000

/** See the top of the file. */
export function createVirtualServers(parts: VirtualServerParts): VirtualServers {
  const { upstreams, store, clock, limits, permissions, requestStates, broker, refusedTokens, sessionMs } = parts
  const memberMs = limits.answerMs === 0 ? MEMBER_MS : Math.min(MEMBER_MS, limits.answerMs)
  const upstream = createUpstreamSessions({ upstreams, clock, limits, openMs: memberMs })
  const sessions = createVirtualSessions(store, clock, sessionMs)
  const members = createVirtualMembers({ sessions: upstream, kept: sessions, broker, refusedTokens })
  const lists = createVirtualLists(members, clock, memberMs)
  const unsubscribe = broker.on(({ kind, server, owner }) => {
    if (kind === 'disconnected' && server !== null && owner !== null) lists.changed(server, owner)
  })
  const answers = createClientAnswers(store, parts.answerSealer)
  const parked = createParkedCalls()
  broker.on(({ kind, owner, server }) => {
    const isOther = kind === 'connected' || kind === 'disconnected'
    if (isOther && owner !== null && server !== null) parked.end(owner, server)
  })
  const signal = createVirtualSignal(requestStates, members)
  const respondTo = createClientResponse({ permissions, requestStates })
  const subscriptions = createResourceSubscriptions(store, clock)
  const updates = createResourceUpdates({ lists, subscriptions, permissions, access: parts.access })
  const calls = createVirtualCall({ members, lists, sessions: upstream, signal, updates, answers, parked, respondTo })
  const streams = createVirtualStreams({
    members,
    lists,
    sessions: upstream,
    kept: sessions,
    subscriptions,
    updates,
    permissions,
  })
  const subscribe = createSubscribing({ members, lists, calls, subscriptions, signal })
  return {
    step: createVirtualStep({
      permissions,
      requestStates,
      sessions,
      members,
      lists,
      calls,
      streams,
      subscribe,
      answers,
      signal,
      maxAnswerBytes: limits.maxAnswerBytes,
    }),
    eras: upstream.eras,
    close() {
      unsubscribe()
      parked.close()
    },
    endSessions: members.close,
  }
}
