/**
 * Calls of modern clients that wait for an answer to what a legacy member has asked in the middle of them: told to the client as
 * `input_required`, gone on with when it comes back (2026-07-28, Multi Round-Trip Requests). The member's stream is a connection
 * of this process, so that the client has to come back to it; elsewhere it is told to begin again.
 */
import { randomBytes } from 'node:crypto'
import type { JsonObject, RequestId } from '../../mcp/messages.ts'
import type { UpstreamMessage } from '../../mcp/upstream-messages.ts'
import type { UpstreamLink, UpstreamPeer } from '../../mcp/upstream-peer.ts'
import type { LiveMember } from './live.ts'

/** A call that waits. */
export interface ParkedCall {
  /** Caller, virtual server, method and target: it is nobody else's, and of no other request. */
  readonly owner: string
  readonly member: LiveMember
  readonly peer: UpstreamPeer
  readonly link: UpstreamLink
  readonly messages: AsyncGenerator<UpstreamMessage>
  readonly abort: AbortController
  /** The member's request. */
  readonly asked: RequestId
  /** By what the client knows it. */
  readonly key: string
  readonly memberId: RequestId
}

/** See the top of the file. */
export interface ParkedCalls {
  /** The `requestState` that brings it back. */
  park(call: ParkedCall): string
  isParked(state: unknown): state is string
  /** The call of a state; `undefined` where it is over, elsewhere, or another's. It is taken once. */
  take(state: string, owner: string): ParkedCall | undefined
  close(): void
}

const PREFIX = 'sallyport-parked.'
const PARKED_MS = 10 * 60 * 1000
const MAX_PARKED = 10_000

/** Holds none at first. */
export function createParkedCalls(): ParkedCalls {
  const parked = new Map<string, { readonly call: ParkedCall; readonly timer: NodeJS.Timeout }>()
  function drop(state: string): void {
    const found = parked.get(state)
    parked.delete(state)
    if (found === undefined) return
    clearTimeout(found.timer)
    found.call.abort.abort()
  }
  return {
    park(call) {
      const [oldest] = parked.keys()
      if (parked.size >= MAX_PARKED && oldest !== undefined) drop(oldest)
      const state = PREFIX + randomBytes(32).toString('base64url')
      parked.set(state, { call, timer: setTimeout(() => drop(state), PARKED_MS).unref() })
      return state
    },
    isParked: (state): state is string => typeof state === 'string' && state.startsWith(PREFIX),
    take(state, owner) {
      const found = parked.get(state)
      if (found === undefined || found.call.owner !== owner) return undefined
      clearTimeout(found.timer)
      parked.delete(state)
      return found.call
    },
    close() {
      for (const state of [...parked.keys()]) drop(state)
    },
  }
}

/** Whose parked call it may be. */
export function parkedOwner(identity: string, virtual: string, method: string, params: JsonObject | undefined): string {
  return JSON.stringify([identity, virtual, method, params?.name ?? params?.uri ?? null])
}
