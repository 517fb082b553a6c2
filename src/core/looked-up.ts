/** Something that is looked up once, when it is first needed, and kept. A failure counts for a moment: what is down is not asked by every request. */

/** See the top of the file. */
export interface LookedUp<T> {
  /** Looks it up, or gives what is there. Rejects as the lookup did, at once for a second after that. */
  get(): Promise<T>
  /** What {@link LookedUp.get} last gave; `undefined` where nobody has asked, or a failure is forgotten. */
  readonly begun: Promise<T> | undefined
}

/** After a failure it is not tried again for so long. */
const RETRY_MS = 1_000

/** Nothing is looked up yet. */
export function lookedUp<T>(look: () => Promise<T>): LookedUp<T> {
  let begun: Promise<T> | undefined
  return {
    get() {
      if (begun === undefined) {
        const looking = look()
        begun = looking
        looking.catch(() => {
          setTimeout(() => {
            if (begun === looking) begun = undefined
          }, RETRY_MS).unref()
        })
      }
      return begun
    },
    get begun() {
      return begun
    },
  }
}
