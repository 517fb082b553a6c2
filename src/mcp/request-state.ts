/**
 * `requestState` of our own, which a client brings back when it tries again after consent (2026-07-28, Multi Round-Trip
 * Requests). The client could bring anything, so it is sealed, to one caller, server and request, for a short time. It grants
 * nothing: the connection is looked up again in any case.
 *
 * In front of it is the id of the key that it is sealed with. A gateway behind this one has states that look the same but for
 * that id, and needs them back: gateways in a row have different keys.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { SealError } from '../core/errors.ts'
import type { Sealer } from '../core/sealing.ts'
import { isJsonObject, type JsonObject, type RequestMessage } from './messages.ts'
import type { SessionPlace } from './session-id.ts'
import { NAMED_BY } from './targets.ts'

/** The request that a state belongs to. */
export type StatedRequest = Pick<RequestMessage, 'method' | 'params'>

/** What a request brings back. */
export type FoundState =
  /** Nothing. */
  | 'none'
  /** The upstream's own, which goes on untouched. It may be another gateway. */
  | 'foreign'
  /** Ours, and good: it is cut out before the message goes on. */
  | 'ours'
  /** Ours by its looks, but of another caller, server or request, too old, or changed: -32602. */
  | 'bad'

/** Makes states and reads them. */
export interface RequestStates {
  seal(request: StatedRequest, place: SessionPlace): Promise<string>
  read(request: StatedRequest, place: SessionPlace): Promise<FoundState>
}

/** Settings of {@link createRequestStates}. */
export interface RequestStateSettings {
  readonly clock: Clock
  /** How long a state is good for, in milliseconds: as long as the link that goes with it. */
  readonly lifetimeMs: number
}

/** By which ours are told from an upstream's: `sallyport.<id of the key>.<sealed>`. */
const OURS = /^sallyport\.([\w-]{1,64})\.([\w.-]*)$/
/** More than any of ours has. */
const MAX_LENGTH = 4096

/** @param sealer - made for this purpose alone: `createSealer(keys, 'request-state')`; its key ids may be there after its first use only */
export function createRequestStates(sealer: Sealer, { clock, lifetimeMs }: RequestStateSettings): RequestStates {
  return {
    async seal(request, place) {
      const inside: Sealed = { d: requestDigest(request), e: clock.now() + lifetimeMs }
      const sealed = await sealer.sealText(JSON.stringify(inside), textOf(place))
      return `sallyport.${sealer.keyId}.${sealed}`
    },
    async read(request, place) {
      const state = request.params?.requestState
      if (state === undefined) return 'none'
      const [, keyId, sealed = ''] = (typeof state === 'string' ? OURS.exec(state) : undefined) ?? []
      if (keyId === undefined) return 'foreign'
      const opened = await open(sealed.length > MAX_LENGTH ? '' : sealed, place)
      // Only now: the keys may have had to be looked up.
      if (!sealer.keyIds.includes(keyId)) return 'foreign'
      if (opened?.keyId !== keyId) return 'bad'
      const { d: digest, e: end } = JSON.parse(opened.plaintext) as Sealed
      return clock.now() < end && digest === requestDigest(request) ? 'ours' : 'bad'
    },
  }

  async function open(sealed: string, place: SessionPlace) {
    try {
      return await sealer.openText(sealed, textOf(place))
    } catch (error) {
      if (error instanceof SealError) return undefined
      throw error
    }
  }
}

/** What is inside. Server and caller are the place that it opens at. */
interface Sealed {
  /** Digest of the request. */
  readonly d: string
  /** Epoch milliseconds. */
  readonly e: number
}

function textOf({ server, identity }: SessionPlace): string {
  return JSON.stringify([server, identity])
}

/** Of what the request asks for: method, target, arguments. The id and `_meta` are another's in each attempt. */
export function requestDigest({ method, params }: StatedRequest): string {
  const member = NAMED_BY.get(method)
  const asked = [method, member === undefined ? null : (params?.[member] ?? null), sorted(params?.arguments ?? null)]
  return createHash('sha256').update(JSON.stringify(asked)).digest('base64url')
}

/** With its keys in order: a client may well write an object in another one the second time. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isJsonObject(value)) return value
  const object: JsonObject = value
  // Pairs, since an object would put `__proto__` and numbers elsewhere.
  return {
    '': Object.keys(object)
      .sort()
      .map((key) => [key, sorted(object[key])]),
  }
}
