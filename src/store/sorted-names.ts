/** Names in order, for listings by prefix. */

/** See the top of the file. */
export interface SortedNames {
  add(name: string): void
  remove(name: string): void
  /** The names behind `after`, of those that begin with `prefix`; names can come and go meanwhile. */
  from(after: string, prefix: string): Iterable<string>
}

/** A sorted array: adding moves what is behind, which is fast for as many names as fit in memory. */
export function createSortedNames(): SortedNames {
  const names: string[] = []

  /** How many names are before `name`. */
  function rank(name: string): number {
    let low = 0
    let high = names.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((names[middle] ?? '') < name) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    add(name) {
      const at = rank(name)
      if (names[at] !== name) names.splice(at, 0, name)
    },
    remove(name) {
      const at = rank(name)
      if (names[at] === name) names.splice(at, 1)
    },
    *from(after, prefix) {
      for (let last = after; ; ) {
        const at = rank(last)
        const name = names[at] === last ? names[at + 1] : names[at]
        if (name === undefined || !name.startsWith(prefix)) return
        yield name
        last = name
      }
    },
  }
}
