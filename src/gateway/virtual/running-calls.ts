/** Calls that are under way in this process, so that whoever has made one can give it up. */
import type { AbortSource } from '../../http/gate.ts'
import type { RequestId } from '../../mcp/messages.ts'
import type { VirtualContext } from './context.ts'

/** See the top of the file. */
export interface RunningCalls {
  /** Remembers a call until what is returned is called. */
  add(context: VirtualContext, id: RequestId, abort: AbortController): () => void
  /** A client gives a request up. Whether it was one of this process. */
  cancel(context: VirtualContext, id: RequestId): boolean
}

/** Knows of none at first. */
export function createRunningCalls(): RunningCalls {
  const running = new Map<string, AbortController>()
  return {
    add(context, id, abort) {
      const key = keyOf(context, id)
      running.set(key, abort)
      return () => {
        if (running.get(key) === abort) running.delete(key)
      }
    },
    cancel(context, id) {
      const found = running.get(keyOf(context, id))
      found?.abort()
      return found !== undefined
    },
  }
}

/** A client numbers its own requests: within a session, or an identity where there is none. */
function keyOf({ asker, session }: VirtualContext, id: RequestId): string {
  return JSON.stringify([asker.caller.identity.id, session?.key ?? null, id])
}

/** Has `abort` abort when `source` does, which is mostly that the client goes away. */
export function abortWith(abort: AbortController, source: AbortSource): AbortController {
  if (source.aborted) abort.abort()
  else {
    const onAbort = () => abort.abort()
    source.addEventListener('abort', onAbort)
    abort.signal.addEventListener('abort', () => source.removeEventListener('abort', onAbort))
  }
  return abort
}
