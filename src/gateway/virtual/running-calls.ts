/** Calls that are under way in this process, so that whoever has made one can give it up. */
import type { Abort } from '../../http/abort.ts'
import type { AbortSource } from '../../http/gate.ts'
import type { RequestId } from '../../mcp/messages.ts'
import { isNobodys, type VirtualContext } from './context.ts'

/** See the top of the file. */
export interface RunningCalls {
  /** Remembers a call until what is returned is called. */
  add(context: VirtualContext, id: RequestId, abort: Abort): () => void
  /** A client gives a request up. Whether it was one of this process. Nobody in particular can: it could be anybody's. */
  cancel(context: VirtualContext, id: RequestId): boolean
}

/** Knows of none at first. */
export function createRunningCalls(): RunningCalls {
  const running = new Map<string, Running>()
  return {
    add(context, id, abort) {
      if (isNobodys(context)) return () => {}
      const key = keyOf(context, id)
      const one: Running = { abort }
      running.set(key, one)
      return () => {
        // Tables that the map has outgrown keep it alive until a full collection, but nothing behind it.
        one.abort = undefined
        if (running.get(key) === one) running.delete(key)
      }
    },
    cancel(context, id) {
      if (isNobodys(context)) return false
      const abort = running.get(keyOf(context, id))?.abort
      abort?.abort()
      return abort !== undefined
    },
  }
}

interface Running {
  abort: Abort | undefined
}

/** A client numbers its own requests: within a session, or an identity where there is none. */
function keyOf({ asker, session }: VirtualContext, id: RequestId): string {
  return JSON.stringify([asker.caller.identity.id, session?.key ?? null, id])
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
