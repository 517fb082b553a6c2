/**
 * A map whose entries are gone when their time is over. What has expired is
 * invisible at once, and its memory comes back as the map is used: every write
 * looks at a few entries, so that there is no timer and no long pause.
 */

/** An entry has a time after which it is not there; `Infinity` for never. */
interface Expiring {
  readonly expiresAt: number
}

/** See the top of the file. */
export interface ExpiringMap<Entry extends Expiring> {
  get(name: string): Entry | undefined
  set(name: string, entry: Entry): void
  delete(name: string): void
  clear(): void
  /** How many entries take up memory, expired ones among them. */
  readonly size: number
}

/** More than one for each that is added, so that the sweep overtakes what comes in. */
const LOOKED_AT_PER_WRITE = 4

/** @param onDelete - told of every entry that leaves the map */
export function createExpiringMap<Entry extends Expiring>(
  now: () => number,
  onDelete: (name: string) => void = () => {},
): ExpiringMap<Entry> {
  const entries = new Map<string, Entry>()
  let sweep = entries.entries()

  function remove(name: string): void {
    if (entries.delete(name)) onDelete(name)
  }

  function visible(name: string): Entry | undefined {
    const entry = entries.get(name)
    if (entry === undefined || now() < entry.expiresAt) return entry
    remove(name)
    return undefined
  }

  function sweepSome(): void {
    for (let looked = 0; looked < LOOKED_AT_PER_WRITE; looked++) {
      const { value, done } = sweep.next()
      if (done) {
        sweep = entries.entries()
        return
      }
      visible(value[0])
    }
  }

  return {
    get: visible,
    set(name, entry) {
      sweepSome()
      entries.set(name, entry)
    },
    delete: remove,
    clear() {
      for (const name of [...entries.keys()]) remove(name)
    },
    get size() {
      return entries.size
    },
  }
}
