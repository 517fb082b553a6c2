/** The kit passes a store that does as the contract allows, and otherwise than our own in everything else. */
import { expect, test } from 'vitest'
import { everyRecord } from '../../src/store/every-record.ts'
import {
  type Key,
  keyText,
  type Page,
  type PageRequest,
  pageLimit,
  type TokenStore,
} from '../../src/store/token-store.ts'
import { changed, changedHandles, failing } from './kit-runs.ts'

/** Lists backwards, with a Buffer for every value, and begins every page with an empty one. */
function unusual(store: TokenStore): Partial<TokenStore> {
  const withBuffer = <R extends { readonly value: Uint8Array }>(record: R) => ({
    ...record,
    value: Buffer.from(record.value),
  })
  async function paged(all: AsyncIterable<Page['records'][number]>, page: PageRequest | undefined): Promise<Page> {
    const [kind, behind = ''] = page?.after?.split(' ') ?? []
    if (kind !== 'full') return { records: [], next: `full ${behind}` }
    const records: Page['records'][number][] = []
    for await (const record of all) records.push(withBuffer(record))
    const rest = records
      .map((record) => ({ name: keyText(record.key), record }))
      .filter(({ name }) => behind === '' || name < behind)
      .sort((one, other) => (one.name < other.name ? 1 : -1))
    const shown = rest.slice(0, pageLimit(page))
    const last = shown.at(-1)
    const part = shown.map(({ record }) => record)
    return last !== undefined && shown.length < rest.length
      ? { records: part, next: `empty ${last.name}` }
      : { records: part }
  }
  async function buffered(found: ReturnType<TokenStore['get']>) {
    const record = await found
    return record && withBuffer(record)
  }
  return {
    get: (key: Key) => buffered(store.get(key)),
    take: (key: Key) => buffered(store.take(key)),
    async list(space, owner, page) {
      await store.list(space, owner)
      return paged(
        everyRecord((part) => store.list(space, owner, part)),
        page,
      )
    },
    async scan(space, page) {
      await store.scan(space)
      return paged(
        everyRecord((part) => store.scan(space, part)),
        page,
      )
    },
  }
}

test('B10 the kit passes a correct store that is unusual', { timeout: 60_000 }, async () => {
  expect(await failing(changed(unusual), { oneHandle: true })).toEqual([])
  expect(await failing(changedHandles(unusual), {})).toEqual([])
})
