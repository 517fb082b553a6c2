/** Bounds how much costly work runs at once and how much may wait: anybody can ask for a password to be checked. */

/** Runs work when there is room for it. May be shared, so that a bound holds for several users of it together. */
export interface WorkLimiter {
  /**
   * The work's result; `'busy'`, at once, when too much waits already, or later, when nobody wants it any more by the time that
   * there is room. The work is then not started.
   *
   * @param isWanted - asked of work that waits
   */
  run<Result>(work: () => Promise<Result>, isWanted?: () => boolean): Promise<Result | 'busy'> | 'busy'
}

/** At most `maxConcurrent` at once and `maxQueued` waiting, first come first served. */
export function createWorkLimiter(limits: { maxConcurrent: number; maxQueued: number }): WorkLimiter {
  let waiting: Waiting[] = []
  let running = 0

  async function start<Result>(work: () => Promise<Result>): Promise<Result> {
    running++
    try {
      return await work()
    } finally {
      running--
      startNext()
    }
  }

  function startNext(): void {
    let next = waiting.shift()
    while (next !== undefined && !next.isWanted()) {
      next.leave()
      next = waiting.shift()
    }
    next?.start()
  }

  /** Whoever has gone keeps nobody else out. */
  function dropUnwanted(): void {
    waiting = waiting.filter((each) => {
      const isWanted = each.isWanted()
      if (!isWanted) each.leave()
      return isWanted
    })
  }

  return {
    run(work, isWanted = () => true) {
      if (running < limits.maxConcurrent) return start(work)
      if (waiting.length >= limits.maxQueued) dropUnwanted()
      if (waiting.length >= limits.maxQueued) return 'busy'
      return new Promise((resolve) =>
        waiting.push({ start: () => resolve(start(work)), leave: () => resolve('busy'), isWanted }),
      )
    },
  }
}

/** Work that waits for room. */
interface Waiting {
  start(): void
  leave(): void
  isWanted(): boolean
}
