/**
 * Calls of modern clients that wait for an answer to what a legacy member has asked in the middle of them: told to the client as
 * `input_required`, gone on with when it comes back (2026-07-28, Multi Round-Trip Requests). The member's stream is a connection
 * of this process, so that the client has to come back to it; elsewhere it is told to begin again.
 */
import { randomBytes } from 'node:crypto'
import type { Abort } from '../../http/abort.ts'
import { memberBytes, valueBytes } from '../../mcp/json-values.ts'
import { isJsonObject, type RequestId, type RequestMessage } from '../../mcp/messages.ts'
import { requestDigest, type StatedRequest } from '../../mcp/request-state.ts'
import type { UpstreamMessage } from '../../mcp/upstream-messages.ts'
import type { UpstreamLink } from '../../mcp/upstream-peer.ts'
import type { LiveMember } from './live.ts'
import type { MemberPeer } from './members.ts'

/** A call that waits. */
export interface ParkedCall {
  /** Caller, virtual server and what was asked for: it is nobody else's, and of no other request. */
  readonly owner: string
  /** Of whom only so many wait. */
  readonly caller: string
  readonly member: LiveMember
  /** What was asked for, as the member calls it. */
  readonly original: string
  readonly peer: MemberPeer
  readonly link: UpstreamLink
  readonly messages: AsyncGenerator<UpstreamMessage>
  readonly abort: Abort
  /** The member's requests: their ids, and the keys by which the client knows them. */
  readonly asked: readonly { readonly id: RequestId; readonly key: string }[]
  readonly memberId: RequestId
}

/** See the top of the file. */
export interface ParkedCalls {
  /** The `requestState` that brings it back. Of one caller, and of all, only so many wait: the oldest is over then. */
  park(call: ParkedCall): string
  isParked(state: unknown): state is string
  /** The call of a state; `undefined` where it is over, elsewhere, or another's. It is taken once. */
  take(state: string, owner: string): ParkedCall | undefined
  /** A caller's connection to a member is another one by now, or none: what was begun with it is over. */
  end(caller: string, server: string): void
  close(): void
}

const PREFIX = 'sallyport-parked.'
const PARKED_MS = 10 * 60 * 1000
const MAX_PARKED = 10_000
/**
 * Each has a connection to a member, and of those there are only so many. The next is not refused: a client whose answers go to
 * another process could neither finish those that wait here nor give them up.
 */
const MAX_EACH = 32

/** Holds none at first. `parkedMs` is how long a call waits. */
export function createParkedCalls(parkedMs = PARKED_MS): ParkedCalls {
  const parked = new Map<string, { readonly call: ParkedCall; readonly timer: NodeJS.Timeout }>()
  /** The states of each caller, oldest first. */
  const own = new Map<string, Set<string>>()

  function remove(state: string): ParkedCall | undefined {
    const found = parked.get(state)
    if (found === undefined) return undefined
    parked.delete(state)
    clearTimeout(found.timer)
    const { caller } = found.call
    const states = own.get(caller)
    states?.delete(state)
    if (states?.size === 0) own.delete(caller)
    return found.call
  }

  function drop(state: string): void {
    remove(state)?.abort.abort()
  }

  return {
    park(call) {
      const [oldestOwn] = own.get(call.caller) ?? []
      if (oldestOwn !== undefined && own.get(call.caller)?.size === MAX_EACH) drop(oldestOwn)
      const [oldest] = parked.keys()
      if (oldest !== undefined && parked.size >= MAX_PARKED) drop(oldest)
      const state = PREFIX + randomBytes(32).toString('base64url')
      parked.set(state, { call, timer: setTimeout(() => drop(state), parkedMs).unref() })
      own.set(call.caller, (own.get(call.caller) ?? new Set()).add(state))
      return state
    },
    isParked: (state): state is string => typeof state === 'string' && state.startsWith(PREFIX),
    take(state, owner) {
      return parked.get(state)?.call.owner === owner ? remove(state) : undefined
    },
    end(caller, server) {
      for (const state of [...(own.get(caller) ?? [])]) {
        if (parked.get(state)?.call.member.server.name === server) drop(state)
      }
    },
    close() {
      for (const state of [...parked.keys()]) drop(state)
    },
  }
}

/** Whose parked call it may be. */
export function parkedOwner(identity: string, virtual: string, request: StatedRequest): string {
  return JSON.stringify([identity, virtual, requestDigest(request)])
}

/** The client's answers, in the request that it has come back with, as the responses that the member waits for. */
export function responsesIn(request: RequestMessage, { asked }: ParkedCall): readonly Uint8Array[] {
  const given = memberBytes(valueBytes(request.raw, ['params', 'inputResponses']) ?? Buffer.from('{}'))
  return asked.map(({ id, key }) => {
    const result = given.get(key)
    const isResult = result !== undefined && isJsonObject(JSON.parse(Buffer.from(result).toString('utf8')))
    const head = Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},`)
    return isResult
      ? Buffer.concat([head, Buffer.from('"result":'), result, Buffer.from('}')])
      : Buffer.concat([head, Buffer.from('"error":{"code":-32603,"message":"It was not answered"}}')])
  })
}
