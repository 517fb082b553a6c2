/** The longest time that a connection made no progress while somebody wanted it. */

/** See the top of the file. */
export interface Progress {
  made(connection: string): void
  /** Who works on it now. */
  held(connection: string, worker: string): void
  /** Everybody else waits for the leases of this one to end. */
  died(worker: string): void
  /**
   * Ends the measurement, in milliseconds: `stuck` since the last progress or the death of whoever worked on it, `waited`
   * since the last progress, over any number of deaths.
   */
  end(): { stuck: number; waited: number }
}

/** Begins now, for these connections. */
export function watchProgress(connections: readonly string[]): Progress {
  const began = performance.now()
  const states = new Map(connections.map((name) => [name, { progress: began, free: began, holder: '' }]))
  let [stuck, waited] = [0, 0]
  function made(connection: string): void {
    const state = states.get(connection)
    if (state === undefined) return
    const now = performance.now()
    stuck = Math.max(stuck, now - state.free)
    waited = Math.max(waited, now - state.progress)
    states.set(connection, { progress: now, free: now, holder: '' })
  }
  return {
    made,
    held(connection, worker) {
      const state = states.get(connection)
      if (state !== undefined) state.holder = worker
    },
    died(worker) {
      const now = performance.now()
      for (const state of states.values()) {
        if (state.holder !== worker) continue
        stuck = Math.max(stuck, now - state.free)
        state.free = now
        state.holder = ''
      }
    },
    end() {
      for (const connection of states.keys()) made(connection)
      return { stuck: Math.round(stuck), waited: Math.round(waited) }
    },
  }
}
