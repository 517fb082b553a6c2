/** Bounds how much costly work runs at once and how much may wait: anybody can ask for a password to be checked. */

/** Runs work when there is room for it. May be shared, so that a bound holds for several users of it together. */
export interface WorkLimiter {
  /** The work's result; `'busy'`, at once, when too much waits already. The work is then not started. */
  run<Result>(work: () => Promise<Result>): Promise<Result> | 'busy'
}

/** At most `maxConcurrent` at once and `maxQueued` waiting, first come first served. */
export function createWorkLimiter(limits: { maxConcurrent: number; maxQueued: number }): WorkLimiter {
  const waiting: (() => void)[] = []
  let running = 0
  const start = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    running++
    try {
      return await work()
    } finally {
      running--
      waiting.shift()?.()
    }
  }
  return {
    run(work) {
      if (running < limits.maxConcurrent) return start(work)
      if (waiting.length >= limits.maxQueued) return 'busy'
      return new Promise((resolve) => waiting.push(() => resolve(start(work))))
    },
  }
}
