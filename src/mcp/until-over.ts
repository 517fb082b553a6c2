/** An answer of an upstream, and what is to be done once when it is over: read to its response, given up, or aborted without being read. */
import type { AbortSource } from '../http/gate.ts'
import type { UpstreamMessage } from './upstream-messages.ts'

/** `messages`, and `over()` once when nobody reads on. */
export function untilOver(
  messages: AsyncGenerator<UpstreamMessage>,
  signal: AbortSource,
  over: () => void,
): AsyncGenerator<UpstreamMessage> {
  let isOver = false
  const end = () => {
    signal.removeEventListener('abort', end)
    if (!isOver) over()
    isOver = true
  }
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  return read()

  async function* read(): AsyncGenerator<UpstreamMessage> {
    try {
      for await (const message of messages) {
        // The last one: not everybody reads past it.
        if (message.kind === 'response') end()
        yield message
      }
    } finally {
      end()
    }
  }
}
