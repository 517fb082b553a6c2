/** Reading ahead in the messages of a call without losing any: what a member does next can decide how its client is answered. */
import type { UpstreamMessage } from './upstream-messages.ts'

/** Messages with the next of them already asked for. */
export interface Ahead {
  /**
   * The next message, or the end, which stays there until it is taken; `undefined` where neither has come within `ms` milliseconds.
   * By default it waits.
   */
  peek(ms?: number): Promise<IteratorResult<UpstreamMessage> | undefined>
  /** Takes what was looked at. */
  take(): void
  /** All that is not read, whether looked at or not. */
  readonly messages: AsyncGenerator<UpstreamMessage>
}

/** Nothing is read before somebody looks. */
export function readAhead(source: AsyncGenerator<UpstreamMessage>): Ahead {
  let next: Promise<IteratorResult<UpstreamMessage>> | undefined

  function ask(): Promise<IteratorResult<UpstreamMessage>> {
    if (next === undefined) {
      next = source.next()
      // Whoever reads it is told; nobody need be there yet.
      next.catch(() => {})
    }
    return next
  }

  async function* rest(): AsyncGenerator<UpstreamMessage> {
    try {
      for (;;) {
        const { value, done } = await ask()
        next = undefined
        if (done === true) return
        yield value
      }
    } finally {
      source.return(undefined).catch(() => {})
    }
  }

  return {
    async peek(ms) {
      if (ms === undefined) return ask()
      let timer: NodeJS.Timeout | undefined
      const quiet = new Promise<undefined>((resolve) => {
        timer = setTimeout(resolve, ms, undefined)
      })
      try {
        return await Promise.race([ask(), quiet])
      } finally {
        clearTimeout(timer)
      }
    },
    take() {
      next = undefined
    },
    messages: rest(),
  }
}
