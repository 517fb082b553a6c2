/**
 * Responses of clients to what the gateway itself has asked them on a stream, for a member that cannot (up to 2025-11-25 towards
 * the client, 2026-07-28 towards the member). The response may come to another replica: it is left in the store for the one that
 * waits (B7).
 */
import { SealError } from '../../core/errors.ts'
import type { Sealer } from '../../core/sealing.ts'
import type { AbortSource } from '../../http/gate.ts'
import type { RequestId } from '../../mcp/messages.ts'
import type { TokenStore } from '../../store/token-store.ts'
import type { VirtualSession } from './context.ts'

/** See the top of the file. */
export interface ClientAnswers {
  /** An id for a request to the client: only what has been asked can be answered, since an answer may have to be kept. */
  newId(session: VirtualSession): Promise<string>
  /** Whether an id is one of these. */
  isOurs(id: RequestId | undefined): id is string
  /** Waits for the response; `undefined` where none comes in time, or the client goes away. */
  wait(session: VirtualSession, id: string, signal: AbortSource): Promise<Uint8Array | undefined>
  /** A response has come. One to nothing that was asked in the session is passed over. */
  deliver(session: VirtualSession, id: string, bytes: Uint8Array): Promise<void>
}

const SPACE = 'virtual-answers'
const PREFIX = 'ask:'
/** A person may have to think. */
const WAIT_MS = 10 * 60 * 1000
const LEFT_MS = 60 * 1000
const POLL_MS = 500
/** What {@link Sealer.sealText} makes of nothing. */
const ID = /^ask:[\w.-]{1,256}$/

/**
 * Answers by way of `store`, which should seal.
 *
 * @param sealer - made for this purpose alone: `createSealer(keys, 'client-answer')`
 */
export function createClientAnswers(store: TokenStore, sealer: Sealer): ClientAnswers {
  const waiting = new Map<string, (bytes: Uint8Array) => void>()
  const keyOf = (session: VirtualSession, id: string) => `${session.key} ${id}`
  const record = (session: VirtualSession, id: string) => ({ space: SPACE, owner: session.key, id })

  async function wasAsked({ key }: VirtualSession, id: string): Promise<boolean> {
    try {
      await sealer.openText(id.slice(PREFIX.length), key)
      return true
    } catch (error) {
      if (error instanceof SealError) return false
      throw error
    }
  }

  return {
    // Never the same twice, nor to be made by anybody else.
    newId: async ({ key }) => PREFIX + (await sealer.sealText('', key)),
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
      else if (await wasAsked(session, id))
        await store.put(record(session, id), bytes, { ifVersion: null, ttlMs: LEFT_MS })
    },
  }
}
