/** Changes: where the store tells of them, others hear what was written. Stores that do not offer it pass. */
import assert from 'node:assert/strict'
import type { Key, TokenStore } from '../store/token-store.ts'
import { bytes, create, eventually, handlesTest, type KitTest, newKey } from './test-kit.ts'

function hears(heard: readonly (Key | 'all')[], { owner }: Key): boolean {
  return heard.some((key) => key === 'all' || key.owner === owner)
}

/** Writes until a change is heard by its key: listening may take a moment to begin. */
async function untilHeard(other: TokenStore, heard: readonly (Key | 'all')[]): Promise<void> {
  const keys = new Set<string>()
  await eventually('hearing of a change', async () => {
    const key = newKey()
    keys.add(key.owner)
    await create(other, key, 'one')
    return heard.some((one) => one !== 'all' && keys.has(one.owner)) ? true : undefined
  })
}

export const changeTests: readonly KitTest[] = [
  handlesTest('one handle hears what another writes, deletes and takes', 2, async ([store, other]) => {
    assert.ok(store !== undefined && other !== undefined)
    if (store.changes === undefined || store === other) return
    const heard: (Key | 'all')[] = []
    const stop = store.changes((key) => heard.push(key))
    await untilHeard(other, heard)
    const key = newKey()
    const changes: Record<string, () => Promise<unknown>> = {
      create: () => create(other, key, 'one'),
      write: async () => other.put(key, bytes('two'), { ifVersion: (await other.get(key))?.version ?? null }),
      delete: () => other.delete(key),
      'create again': () => create(other, key, 'three'),
      take: () => other.take(key),
    }
    for (const [name, change] of Object.entries(changes)) {
      heard.length = 0
      await change()
      await eventually(`hearing of ${name}`, () => (hears(heard, key) ? true : undefined))
    }
    const named = heard.find((one) => one !== 'all')
    if (named !== undefined) assert.deepEqual(named, key, 'a change names the key')
    stop()
  }),

  handlesTest('nothing is heard after unsubscribing', 2, async ([store, other]) => {
    assert.ok(store !== undefined && other !== undefined)
    if (store.changes === undefined || store === other) return
    const heard: (Key | 'all')[] = []
    const still: (Key | 'all')[] = []
    const stop = store.changes((key) => heard.push(key))
    const stopStill = store.changes((key) => still.push(key))
    await untilHeard(other, still)
    stop()
    heard.length = 0
    const key = newKey()
    await create(other, key, 'one')
    await eventually('the other listener hearing', () => (hears(still, key) ? true : undefined))
    assert.deepEqual(heard, [])
    stopStill()
  }),
]
