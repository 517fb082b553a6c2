/**
 * One timer for many deadlines that need not be kept to the second: a timer for each request costs as much as reading its answer.
 */

/** Something with a deadline. */
export interface Dated {
  /** Ends it if its time is over by `now`, of the clock of `performance.now()`. */
  endIfLate(now: number): void
}

/** See the top of the file. */
export interface Sweep {
  /** There is something with a deadline. */
  begin(): void
}

/** Looks at `all` every `everyMs` for as long as there are any. Does not keep the process alive. */
export function createSweep(all: () => readonly Dated[], everyMs: number): Sweep {
  let isSet = false

  function look(): void {
    isSet = false
    const now = performance.now()
    const found = all()
    for (const one of found) one.endIfLate(now)
    if (found.length > 0) begin()
  }

  function begin(): void {
    if (!isSet) setTimeout(look, everyMs).unref()
    isSet = true
  }

  return { begin }
}
