/** Listings: everything once, in pages, while others write. */
import assert from 'node:assert/strict'
import type { Page, PageRequest, TokenStore } from '../store/token-store.ts'
import { inParallel } from './in-parallel.ts'
import {
  create,
  handlesTest,
  type KitTest,
  listAll,
  newKey,
  newSpace,
  readAll,
  scanAll,
  storeTest,
} from './test-kit.ts'

const names = (count: number, prefix = 'record') => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

async function fill(store: TokenStore, space: string, owner: string, ids: readonly string[]): Promise<void> {
  await inParallel(ids, (id) => create(store, { space, owner, id }, id))
}

/** So many records of one owner, alone in their space. */
async function many(store: TokenStore, count: number) {
  const key = newKey({ space: newSpace() })
  const ids = names(count).sort()
  await fill(store, key.space, key.owner, ids)
  return { ...key, ids }
}

export const pagingTests: readonly KitTest[] = [
  storeTest('list has every record of the owner once, with key, value and version', async (store) => {
    const { space, owner } = newKey()
    const ids = names(11)
    await fill(store, space, owner, ids)
    await create(store, { space, owner: `${owner}-other`, id: 'record-0' }, 'other')
    await inParallel([1, 4, 11, 1_000], async (limit) => {
      const records = await readAll((page) => store.list(space, owner, page), limit)
      assert.deepEqual(records.map(({ key }) => key.id).sort(), [...ids].sort(), `limit ${limit}`)
      await inParallel(records, async ({ key, value, version }) => {
        assert.deepEqual(key, { space, owner, id: key.id })
        assert.equal(new TextDecoder().decode(value), key.id)
        assert.equal(version, (await store.get(key))?.version)
      })
    })
  }),

  storeTest('list of nothing is an empty page', async (store) => {
    const { space, owner } = newKey()
    assert.deepEqual(await readAll((page) => store.list(space, owner, page), 10), [])
    assert.deepEqual(await readAll((page) => store.scan(newSpace(), page), 10), [])
  }),

  storeTest('the order is stable', async (store) => {
    const { space, owner } = newKey()
    await fill(store, space, owner, ['c', 'a', 'B', 'ä', 'b', 'A'])
    const once = await readAll((page) => store.list(space, owner, page), 2)
    const again = await readAll((page) => store.list(space, owner, page), 3)
    assert.deepEqual(
      again.map(({ key }) => key.id),
      once.map(({ key }) => key.id),
    )
  }),

  storeTest('limits out of range are brought into it', async (store) => {
    const { space, owner } = newKey()
    await fill(store, space, owner, names(3))
    await inParallel([0, -5, 0.5], async (limit) => {
      assert.ok((await store.list(space, owner, { limit })).records.length <= 1, `limit ${limit}`)
    })
    assert.equal((await readAll((page) => store.list(space, owner, page), 1e9)).length, 3)
  }),

  storeTest('a listing without a limit goes on after its first page', async (store) => {
    const { space, owner, ids } = await many(store, 250)
    for (const records of await Promise.all([listAll(store, space, owner), scanAll(store, space)]))
      assert.deepEqual(records.map(({ key }) => key.id).sort(), ids)
  }),

  storeTest('a listing does not end at the largest page', async (store) => {
    const { space, owner, ids } = await many(store, 1_010)
    const listings = await Promise.all([
      readAll((page) => store.list(space, owner, page), 1_000),
      readAll((page) => store.scan(space, page), 1_000),
    ])
    for (const records of listings) assert.deepEqual(records.map(({ key }) => key.id).sort(), ids)
  }),

  storeTest('scan has every record of the space once, and nothing of others', async (store) => {
    const space = newSpace()
    const owners = names(5, 'owner')
    await inParallel(owners, (owner) => fill(store, space, owner, names(3)))
    await fill(store, newSpace(), 'owner-0', names(3))
    await inParallel([1, 4, 100], async (limit) => {
      const records = await readAll((page) => store.scan(space, page), limit)
      const found = records.map(({ key }) => `${key.owner} ${key.id}`)
      assert.deepEqual(found.sort(), owners.flatMap((owner) => names(3).map((id) => `${owner} ${id}`)).sort())
      assert.ok(records.every(({ key }) => key.space === space))
    })
  }),

  handlesTest('list and scan have what stays once, while others come and go', 2, async ([store, other]) => {
    assert.ok(store !== undefined && other !== undefined)
    const owner = 'owner'
    const staying = names(12, 'm-staying')
    const going = names(12, 'm-going')
    const listings: Record<string, (space: string, page: PageRequest) => Promise<Page>> = {
      list: (space, page) => store.list(space, owner, page),
      scan: (space, page) => store.scan(space, page),
    }
    await inParallel(Object.entries(listings), async ([name, listing]) => {
      const space = newSpace()
      await fill(other, space, owner, [...staying, ...going])
      const records = await readAll(
        (page) => listing(space, page),
        5,
        async (pages) => {
          const gone = going[pages - 1]
          if (gone !== undefined) await other.delete({ space, owner, id: gone })
          // Before, among and behind what has been listed.
          if (pages < 10)
            await fill(other, space, owner, [`a-${name}-${pages}`, `m-${name}-${pages}`, `z-${name}-${pages}`])
        },
      )
      const found = records.map(({ key }) => key.id)
      assert.equal(new Set(found).size, found.length, `${name} has nothing twice`)
      assert.deepEqual(
        staying.filter((id) => !found.includes(id)),
        [],
        `${name} misses nothing that stays`,
      )
    })
  }),

  handlesTest('paging goes on where the last record of a page has gone', 2, async ([store, other]) => {
    assert.ok(store !== undefined && other !== undefined)
    const space = newSpace()
    const ids = names(9)
    await fill(store, space, 'owner', ids)
    const removed: string[] = []
    const listings = [
      (page: PageRequest) => store.list(space, 'owner', page),
      (page: PageRequest) => store.scan(space, page),
    ]
    for (const listing of listings) {
      const seen: string[] = []
      await readAll(
        async (page) => {
          const part = await listing(page)
          seen.push(...part.records.map(({ key }) => key.id))
          return part
        },
        4,
        async () => {
          const last = seen.at(-1)
          if (last === undefined || removed.includes(last)) return
          removed.push(last)
          await other.delete({ space, owner: 'owner', id: last })
        },
      )
      assert.equal(new Set(seen).size, seen.length)
      assert.deepEqual(
        ids.filter((id) => !seen.includes(id) && !removed.includes(id)),
        [],
      )
    }
  }),

  storeTest('a listing shows a record that was deleted and made again as it is now', async (store) => {
    const key = newKey({ space: newSpace() })
    await create(store, key, 'old')
    await store.delete(key)
    assert.deepEqual(await listAll(store, key.space, key.owner), [])
    assert.deepEqual(await scanAll(store, key.space), [])
    const version = await create(store, key, 'new')
    for (const records of [await listAll(store, key.space, key.owner), await scanAll(store, key.space)]) {
      assert.deepEqual(
        records.map((record) => [record.key, new TextDecoder().decode(record.value), record.version]),
        [[key, 'new', version]],
      )
    }
  }),
]
