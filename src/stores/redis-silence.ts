/**
 * Finds connections on which commands wait and nothing at all comes back any more:
 * a firewall or a machine that has gone closes nothing, and TCP takes a quarter of an
 * hour to notice.
 */

/** See the top of the file. */
export interface Silence {
  /** A command that the server is to answer; its end is a sign of life, unless the signal has ended it. */
  over<T>(command: Promise<T>, signal: AbortSignal): Promise<T>
  /** Any other sign of life. */
  heard(): void
  /** No more is to be found. */
  close(): void
}

/**
 * @param timeoutMs - how long nothing may come while a command waits
 * @param giveUp - ends the connection, if there is one
 */
export function createSilence(timeoutMs: number, giveUp: () => void): Silence {
  let waiting = 0
  let timer: NodeJS.Timeout | undefined

  function heard(): void {
    if (waiting > 0) timer?.refresh()
    else close()
  }

  function close(): void {
    clearTimeout(timer)
    timer = undefined
  }

  function begin(): void {
    waiting++
    timer ??= setTimeout(() => {
      timer = undefined
      giveUp()
    }, timeoutMs).unref()
  }

  return {
    async over(command, signal) {
      begin()
      try {
        const answer = await command
        waiting--
        heard()
        return answer
      } catch (error) {
        waiting--
        // What has been taken back, perhaps unsent, says nothing of the connection.
        if (!signal.aborted) heard()
        throw error
      }
    },
    heard,
    close,
  }
}
