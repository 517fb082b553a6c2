/** Puts the parts of virtual servers together (G5). */
import type { Broker } from '../../broker/broker.ts'
import type { Clock } from '../../core/clock.ts'
import type { RequestStates } from '../../mcp/request-state.ts'
import type { MessageLimits } from '../../mcp/upstream-messages.ts'
import { createUpstreamSessions } from '../../mcp/upstream-session.ts'
import type { Upstreams } from '../../net/upstream.ts'
import type { TokenStore } from '../../store/token-store.ts'
import type { GatewayConfig } from '../config.ts'
import type { Permissions } from '../permissions.ts'
import { createClientAnswers } from './answers-of-clients.ts'
import { createVirtualCall } from './call.ts'
import { createVirtualLists } from './lists.ts'
import { createVirtualMembers } from './members.ts'
import { createParkedCalls } from './parked.ts'
import { createVirtualSessions } from './sessions.ts'
import { createVirtualSignal } from './signal.ts'
import { createVirtualStep, type VirtualStep } from './step.ts'
import { createVirtualStreams } from './streams.ts'

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
  readonly requestStates: RequestStates
  readonly broker: Pick<Broker, 'connectUrl' | 'stepUp'>
  readonly signIn: GatewayConfig['signIn']
}

/** A client waits for a handshake, and for the slowest of all lists: longer than this a member counts as dead for now. */
const MEMBER_MS = 10_000

/** See the top of the file. */
export function createVirtualServers(parts: VirtualServerParts): { readonly step: VirtualStep; close(): void } {
  const { upstreams, store, clock, limits, permissions, requestStates, broker, signIn, sessionMs } = parts
  const memberMs = limits.answerMs === 0 ? MEMBER_MS : Math.min(MEMBER_MS, limits.answerMs)
  const upstream = createUpstreamSessions({ upstreams, clock, limits, openMs: memberMs })
  const sessions = createVirtualSessions(store, clock, sessionMs)
  const members = createVirtualMembers({ sessions: upstream, kept: sessions, broker, signIn })
  const lists = createVirtualLists(members, clock, memberMs)
  const answers = createClientAnswers(store)
  const parked = createParkedCalls()
  const signal = createVirtualSignal(requestStates)
  const calls = createVirtualCall({ members, lists, sessions: upstream, signal, answers, parked })
  const streams = createVirtualStreams({ members, lists, sessions: upstream })
  return {
    step: createVirtualStep({
      permissions,
      requestStates,
      sessions,
      upstream,
      members,
      lists,
      calls,
      streams,
      answers,
      signal,
    }),
    close: () => parked.close(),
  }
}
