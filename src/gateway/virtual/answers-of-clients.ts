/**
 * Responses of clients to what the gateway itself has asked them on a stream, for a member that cannot (up to 2025-11-25 towards
 * the client, 2026-07-28 towards the member). The response may come to another replica: it is left in the store for the one that
 * waits (B7).
 */
import { randomUUID } from 'node:crypto'
import type { AbortSource } from '../../http/gate.ts'
import type { RequestId } from '../../mcp/messages.ts'
import type { TokenStore } from '../../store/token-store.ts'
import type { VirtualSession } from './context.ts'

/** See the top of the file. */
export interface ClientAnswers {
  /** An id for a request to the client. */
  newId(): string
  /** Whether an id is one of these. */
  isOurs(id: RequestId | undefined): id is string
  /** Waits for the response; `undefined` where none comes in time, or the client goes away. */
  wait(session: VirtualSession, id: string, signal: AbortSource): Promise<Uint8Array | undefined>
  /** A response has come. */
  deliver(session: VirtualSession, id: string, bytes: Uint8Array): Promise<void>
}

const SPACE = 'virtual-answers'
const PREFIX = 'ask:'
/** A person may have to think. */
const WAIT_MS = 10 * 60 * 1000
const LEFT_MS = 60 * 1000
const POLL_MS = 500
const ID = /^ask:[\w-]{36}$/

/** Answers by way of `store`, which should seal. */
export function createClientAnswers(store: TokenStore): ClientAnswers {
  const waiting = new Map<string, (bytes: Uint8Array) => void>()
  const keyOf = (session: VirtualSession, id: string) => `${session.key} ${id}`
  const record = (session: VirtualSession, id: string) => ({ space: SPACE, owner: session.key, id })

  return {
    newId: () => PREFIX + randomUUID(),
    isOurs: (id): id is string => typeof id === 'string' && ID.test(id),
    wait(session, id, signal) {
      return new Promise((resolve) => {
        const key = keyOf(session, id)
        const until = performance.now() + WAIT_MS
        const done = (bytes: Uint8Array | undefined) => {
          clearInterval(timer)
          signal.removeEventListener('abort', onAbort)
          waiting.delete(key)
          resolve(bytes)
        }
        const onAbort = () => done(undefined)
        const timer = setInterval(() => {
          if (performance.now() > until) return done(undefined)
          // A store that is down now may be there the next time.
          store.take(record(session, id)).then(
            (found) => found !== undefined && waiting.has(key) && done(found.value),
            () => {},
          )
        }, POLL_MS)
        waiting.set(key, done)
        signal.addEventListener('abort', onAbort)
        if (signal.aborted) onAbort()
      })
    },
    async deliver(session, id, bytes) {
      const here = waiting.get(keyOf(session, id))
      if (here !== undefined) here(bytes)
      else await store.put(record(session, id), bytes, { ifVersion: null, ttlMs: LEFT_MS })
    },
  }
}
