/**
 * Which era upstreams have shown in their answers (2026-07-28, Versioning, Backward Compatibility). A server that speaks both
 * is modern. Only what tells for certain counts: old servers carry out modern requests too, as if they were old ones.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import { JsonRpcCode, McpCode } from './error-codes.ts'
import { isJsonObject, type JsonObject } from './messages.ts'
import type { RelayServer } from './relay-call.ts'

/** What is known of servers. */
export interface ServerEras {
  of(server: RelayServer): 'modern' | 'legacy' | undefined
  /**
   * Learns from the answer to one request.
   *
   * @param answer - the JSON-RPC response; `undefined` where the body is none
   */
  learn(server: RelayServer, asked: AskedIn, status: number, answer: JsonObject | undefined): void
}

/** The request that was answered. */
export interface AskedIn {
  readonly era: 'modern' | 'legacy'
  readonly method: string
}

const MAX_SERVERS = 10_000
/** A server may be replaced by a newer one at any time. */
const BELIEVED_MS = 60 * 60 * 1000

/** Knows nothing at first. */
export function createServerEras(clock: Clock): ServerEras {
  const known = new LRUCache<string, { readonly era: 'modern' | 'legacy'; readonly until: number }>({
    max: MAX_SERVERS,
  })
  function of({ url }: RelayServer): 'modern' | 'legacy' | undefined {
    const entry = known.get(url.href)
    return entry !== undefined && clock.now() < entry.until ? entry.era : undefined
  }
  return {
    of,
    learn(server, asked, status, answer) {
      const era = eraShown(asked, status, answer)
      // One odd error makes no old server of a modern one.
      if (era === 'legacy' && of(server) === 'modern') return
      if (era !== undefined) known.set(server.url.href, { era, until: clock.now() + BELIEVED_MS })
    },
  }
}

const MODERN_ERRORS: ReadonlySet<unknown> = new Set([
  McpCode.HEADER_MISMATCH,
  McpCode.MISSING_CLIENT_CAPABILITY,
  McpCode.UNSUPPORTED_PROTOCOL_VERSION,
])
/** What says that a request is not understood; others may come from whatever is in front of the server. */
const NOT_UNDERSTOOD: ReadonlySet<number> = new Set([400, 404, 405, 406, 415, 422])

/** The era that an answer shows, if it shows one. */
export function eraShown(
  { era, method }: AskedIn,
  status: number,
  answer: JsonObject | undefined,
): 'modern' | 'legacy' | undefined {
  const code = isJsonObject(answer?.error) ? answer.error.code : undefined
  if (status === 400 && MODERN_ERRORS.has(code)) return 'modern'
  // That a server takes an old request does not say that it takes no new one.
  if (era === 'legacy') return undefined
  if (status === 200) {
    // Every modern result says what it is.
    if (isJsonObject(answer?.result)) return typeof answer.result.resultType === 'string' ? 'modern' : 'legacy'
    return method === 'server/discover' && code === JsonRpcCode.METHOD_NOT_FOUND ? 'legacy' : undefined
  }
  // Both eras have that.
  if (code === JsonRpcCode.INVALID_PARAMS) return undefined
  // Only modern servers say it with this status, and they have this one method.
  if (status === 404 && code === JsonRpcCode.METHOD_NOT_FOUND && method !== 'server/discover') return 'modern'
  return NOT_UNDERSTOOD.has(status) ? 'legacy' : undefined
}
