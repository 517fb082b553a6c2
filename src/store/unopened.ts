/** Pages of records of which some do not open: for those who can do without them, and must not fail for good by one. */
import { SealError } from '../core/errors.ts'
import { everyRecord } from './every-record.ts'
import type { Key, Page, PageRequest, StoredRecord, TokenStore } from './token-store.ts'

/** Some records of a page do not open (`ERR_SEAL`). A key that is missing altogether is another error, and has no such page. */
export class UnopenedRecords extends SealError {
  /** The page without them. */
  readonly page: Page
  readonly keys: readonly Key[]

  constructor(message: string, page: Page, keys: readonly Key[], options?: ErrorOptions) {
    super(message, options)
    this.page = page
    this.keys = keys
  }
}

/** What of a page opens; `lost` is told of the rest. */
export async function readable(reading: Promise<Page>, lost: (error: UnopenedRecords) => void): Promise<Page> {
  try {
    return await reading
  } catch (error) {
    if (!(error instanceof UnopenedRecords)) throw error
    lost(error)
    return error.page
  }
}

/** As `everyRecord`; what does not open comes too, without its value. */
export async function* everyKey(
  list: (page: PageRequest) => Promise<Page>,
): AsyncGenerator<{ readonly key: Key; readonly value?: Uint8Array }> {
  const unopened: Key[] = []
  yield* everyRecord((page) => readable(list(page), ({ keys }) => unopened.push(...keys)))
  for (const key of unopened) yield { key }
}

/** The record, for whoever writes it anew. One that does not open is removed, and is none then. */
export async function getOrRemove(
  store: Pick<TokenStore, 'get' | 'delete'>,
  key: Key,
): Promise<StoredRecord | undefined> {
  try {
    return await store.get(key)
  } catch (error) {
    unlessSealed(error)
    await store.delete(key)
    return undefined
  }
}

/** Takes a record that does not open for one that is not there, where nothing depends on it but what is shown. */
export function unlessSealed(error: unknown): undefined {
  if (!(error instanceof SealError)) throw error
}
