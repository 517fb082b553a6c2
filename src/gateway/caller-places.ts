/**
 * How much one caller may have under way at one server, so that slow calls of one do not take all connections to an upstream from
 * the others. A place is taken before anything is sent on, and given back when the answer is whole or nobody waits for it any more.
 */
import { Readable } from 'node:stream'
import type { Reply } from '../http/gate.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { errorsReply } from '../mcp/json-rpc-reply.ts'
import { isLasting } from '../mcp/lasting.ts'
import type { Ended } from './ending.ts'
import type { Exchange } from './exchange.ts'
import { Place, type UnderWay } from './place.ts'

/** Bounds, for each caller and server. */
export interface PlaceLimits {
  /** Requests whose answers are not whole yet. As many may be under way of what asks for no answer. */
  readonly callsPerCaller: number
  /** Streams that stay open to listen. */
  readonly streamsPerCaller: number
}

/** See the top of the file. */
export interface CallerPlaces {
  /**
   * Takes a place for an exchange whose messages have been read; the answer, 429, where all of them are taken. It is given back by
   * {@link leavePlace}, once for whatever comes of the exchange.
   */
  take(exchange: Exchange): Ended | undefined
}

/** Callers whose counts are kept although they have nothing under way: to forget and remember each with every request costs more. */
const KEPT = 1_024
const RETRY_AFTER = { 'retry-after': '1' }

/** Places by `limits`. */
export function createCallerPlaces({ callsPerCaller, streamsPerCaller }: PlaceLimits): CallerPlaces {
  const most: UnderWay = { calls: callsPerCaller, streams: streamsPerCaller, others: callsPerCaller }
  /** By server, and then by caller. */
  const counts = new Map<string, Map<string, UnderWay>>()
  let size = 0
  let sweepAt = KEPT

  function sweep(): void {
    for (const [server, callers] of counts) {
      for (const [who, { calls, streams, others }] of callers) if (calls + streams + others === 0) callers.delete(who)
      if (callers.size === 0) counts.delete(server)
    }
    size = [...counts.values()].reduce((sum, callers) => sum + callers.size, 0)
    sweepAt = Math.max(KEPT, 2 * size)
  }

  function countOf(exchange: Exchange): UnderWay {
    const server = nameOf(exchange) ?? exchange.endpoint.label
    const who = placeOwner(exchange)
    const known = counts.get(server)?.get(who)
    if (known !== undefined) return known
    if (size >= sweepAt) sweep()
    const made = { calls: 0, streams: 0, others: 0 }
    const callers = counts.get(server) ?? new Map<string, UnderWay>()
    counts.set(server, callers.set(who, made))
    size++
    return made
  }

  return {
    take(exchange) {
      const kind = kindOf(exchange)
      const count = countOf(exchange)
      if (count[kind] >= most[kind]) return tooMany(exchange, kind)
      exchange.place = new Place(count, kind, most[kind])
      return undefined
    },
  }
}

/** Gives the place of an exchange back, if it has one: an answer that goes on as a stream keeps it until that is closed. */
export function leavePlace({ place }: Exchange, { body }: Reply): void {
  if (place === undefined) return
  // It closes in any case: when it has been read, when it fails, and when the client goes away.
  if (body instanceof Readable && !body.closed) body.once('close', () => place.giveBack())
  else place.giveBack()
}

function kindOf({ request, messages }: Exchange): keyof UnderWay {
  if (isLasting(request.method, messages)) return 'streams'
  for (const message of messages?.messages ?? []) if (message.kind === 'request') return 'calls'
  return 'others'
}

function nameOf({ server, virtual }: Exchange): string | undefined {
  return (server ?? virtual)?.name
}

/** Whose place it is. All who are nobody in particular have one identity, and must not be kept out by one of them. */
export function placeOwner({ caller, normalised }: Exchange): string {
  if (caller === undefined || caller.kind === 'anonymous') return `anonymous ${networkOf(normalised.clientAddress)}`
  return caller.identity.id
}

/** An IPv4 address; of an IPv6 address the first 64 bits, which is what one subscriber has (RFC 6177). */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [before = '', after] = address.toLowerCase().split('::')
  const groups = before === '' ? [] : before.split(':')
  const rest = after === undefined || after === '' ? [] : after.split(':')
  const gap = after === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length)
  const all = [...groups, ...Array.from({ length: gap }, () => '0'), ...rest]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}

const SAID: Readonly<Record<keyof UnderWay, string>> = {
  calls: 'calls',
  streams: 'open streams',
  others: 'messages',
}

function tooMany(exchange: Exchange, kind: keyof UnderWay): Ended {
  const reply = errorsReply(
    429,
    GatewayCode.TOO_MANY_CALLS,
    tooManyText(exchange, kind),
    exchange.messages,
    RETRY_AFTER,
  )
  return { reply, outcome: 'refused', reason: 'too_many_calls', detail: kind }
}

/** What somebody is told who has no place. */
export function tooManyText(exchange: Exchange, kind: keyof UnderWay): string {
  const name = nameOf(exchange)
  return `Too many ${SAID[kind]} of yours are under way${name === undefined ? '' : ` at ${name}`}: wait until one of them has ended`
}
