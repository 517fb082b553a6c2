/** Things filed under globs, each of which is tried once however many things are under it. */
import { compileGlob } from '../match/glob.ts'

/** Finds what is filed under globs that match a text. */
export interface GlobIndex<Item> {
  /** `glob` must have passed `globProblem`. */
  add(glob: string, item: Item): void
  /** What is filed under each glob that matches `text`, in the order in which it was added. */
  find(text: string): readonly (readonly Item[])[]
}

interface Pattern<Item> {
  readonly start: string
  readonly end: string
  readonly fits: (text: string) => boolean
  readonly items: Item[]
}

/** An empty index. */
export function createGlobIndex<Item>(): GlobIndex<Item> {
  const exact = new Map<string, Item[]>()
  const patterns = new Map<string, Pattern<Item>>()
  return {
    add(glob, item) {
      const items = exact.get(glob) ?? patterns.get(glob)?.items
      if (items !== undefined) items.push(item)
      else if (glob.includes('*')) patterns.set(glob, { ...ends(glob), fits: compileGlob(glob), items: [item] })
      else exact.set(glob, [item])
    },
    find(text) {
      const same = exact.get(text)
      const found = same === undefined ? [] : [same]
      for (const { start, end, fits, items } of patterns.values()) {
        // Most do not match, and this says so for a fraction of the price.
        if (text.startsWith(start) && text.endsWith(end) && fits(text)) found.push(items)
      }
      return found
    },
  }
}

/** What a text must at least begin and end with to match. */
function ends(glob: string): { start: string; end: string } {
  return { start: glob.slice(0, glob.indexOf('*')), end: glob.slice(glob.lastIndexOf('*') + 1) }
}
