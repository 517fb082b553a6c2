/** Filters lists by a judge that may take its time. One that answers at once is asked in a single pass over the bytes. */
import { type FilteredAnswer, filterAnswer, type ListFilter, type ListName } from './list-filter.ts'

/** A {@link ListFilter} whose `allows` may be asynchronous. */
export interface JudgedLists extends Omit<ListFilter, 'allows'> {
  readonly allows: (list: ListName, name: string) => boolean | Promise<boolean>
}

/** As `filterAnswer`; a promise where the judge has given one, which rejects as the judge's do. */
export function filterByJudge(bytes: Uint8Array, lists: JudgedLists): FilteredAnswer | Promise<FilteredAnswer> {
  const awaited = new Map<string, Promise<boolean>>()
  const known = new Map<string, boolean>()
  const first = filterAnswer(bytes, {
    ...lists,
    allows(list, name) {
      const key = keyOf(list, name)
      if (awaited.has(key)) return false
      const verdict = lists.allows(list, name)
      if (typeof verdict !== 'boolean') awaited.set(key, verdict)
      else known.set(key, verdict)
      return verdict === true
    },
  })
  if (awaited.size === 0) return first
  return filterAgain(bytes, lists, awaited, known)
}

async function filterAgain(
  bytes: Uint8Array,
  lists: JudgedLists,
  awaited: ReadonlyMap<string, Promise<boolean>>,
  known: Map<string, boolean>,
): Promise<FilteredAnswer> {
  await Promise.all([...awaited].map(async ([key, verdict]) => known.set(key, (await verdict) === true)))
  // What the first pass has not asked for, the second name of one entry, is refused.
  return filterAnswer(bytes, { ...lists, allows: (list, name) => known.get(keyOf(list, name)) === true })
}

function keyOf(list: ListName, name: string): string {
  return `${list} ${name}`
}
