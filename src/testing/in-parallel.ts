/** Much work over a store that may be slow. */

/** As many as a store with few connections takes without making the last of them wait for long. */
const AT_ONCE = 50

/** Does `work` for each of a list, many at once; in the end all of it is done, or something of it has failed. */
export async function inParallel<T>(
  list: readonly T[],
  work: (one: T, index: number) => Promise<unknown>,
): Promise<void> {
  const left = list.entries()
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (const [index, one] of left) await work(one, index)
  })
  await Promise.all(workers)
}
