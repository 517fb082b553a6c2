/** All records of one owner, over as many pages as there are. */
import type { Key, StoredRecord, TokenStore } from './token-store.ts'

/** The records of `owner` in `space`. What changes meanwhile may be among them or not. */
export async function* everyRecord(
  store: TokenStore,
  space: string,
  owner: string,
): AsyncGenerator<StoredRecord & { readonly key: Key }> {
  let after: string | undefined
  do {
    const page = await store.list(space, owner, after === undefined ? {} : { after })
    yield* page.records
    after = page.next
  } while (after !== undefined)
}
