/** Calls that are under way in this process, so that whoever has made one can give it up. */
import type { Abort } from '../../http/abort.ts'
import type { AbortSource } from '../../http/gate.ts'
import type { RequestId } from '../../mcp/messages.ts'
import { isNobodys, type VirtualContext } from './context.ts'

/** See the top of the file. */
export interface RunningCalls {
  /** Remembers a call until what is returned is called, or it is given up. */
  add(context: VirtualContext, id: RequestId, abort: Abort): () => void
  /** A client gives a request up. Whether it was one of this process. Where it could be another's, nobody can. */
  cancel(context: VirtualContext, id: RequestId): boolean
}

/** Knows of none at first. */
export function createRunningCalls(): RunningCalls {
  const running = new Map<string, Running>()
  return {
    add(context, id, abort) {
      if (!canCancel(context)) return () => {}
      const key = keyOf(context, id)
      const one: Running = { abort }
      running.set(key, one)
      const done = () => {
        abort.removeEventListener('abort', done)
        // Tables that the map has outgrown keep it alive until a full collection, but nothing behind it.
        one.abort = undefined
        if (running.get(key) === one) running.delete(key)
      }
      // Of an answer that nobody reads, nothing else tells that it is over.
      abort.addEventListener('abort', done)
      return done
    },
    cancel(context, id) {
      if (!canCancel(context)) return false
      const abort = running.get(keyOf(context, id))?.abort
      abort?.abort()
      return abort !== undefined
    },
  }
}

interface Running {
  abort: Abort | undefined
}

/** A modern client gives up by going away (2026-07-28, Cancellation); nobody knows whose a message of nobody in particular is. */
function canCancel(context: VirtualContext): boolean {
  return context.era.era === 'legacy' && !isNobodys(context)
}

/** A client numbers its own requests. Without a session, those of one key at one virtual server count as one client. */
function keyOf({ asker: { caller }, session, virtual }: VirtualContext, id: RequestId): string {
  return JSON.stringify([caller.identity.id, virtual.name, session?.key ?? caller.keyId ?? null, id])
}

/** Has `abort` abort when `source` does, which is mostly that the client goes away. */
export function abortWith(abort: Abort, source: AbortSource): Abort {
  if (source.aborted) abort.abort()
  else {
    const onAbort = () => abort.abort()
    source.addEventListener('abort', onAbort)
    abort.addEventListener('abort', () => source.removeEventListener('abort', onAbort))
  }
  return abort
}
