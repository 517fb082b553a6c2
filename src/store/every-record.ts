/** All records of a listing, over as many pages as there are. */
import type { Page, PageRequest } from './token-store.ts'

/**
 * The records of every page that `list` gives: `everyRecord((page) => store.list(space, owner, page))`. What changes
 * meanwhile may be among them or not.
 */
export async function* everyRecord(
  list: (page: PageRequest) => Promise<Page>,
): AsyncGenerator<Page['records'][number]> {
  let after: string | undefined
  do {
    const page = await list(after === undefined ? {} : { after })
    yield* page.records
    after = page.next
  } while (after !== undefined)
}
