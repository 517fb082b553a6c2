/** API keys whose records nobody can read let nobody in, hide no other, and are in the way of no new one. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { generateKey } from '../../src/core/sealing.ts'
import { createApiKeys } from '../../src/identity/api-keys.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createTestClock } from '../support/keys.ts'
import { alice } from './setup.ts'

async function setUp() {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warnings.mockRestore())
  const inner = memoryStore()
  const store = sealed(inner, [generateKey()])
  const keys = createApiKeys({ store, clock: createTestClock(), cacheMs: 0, maxKeysPerOwner: 3 })
  const bad = await keys.create({ owner: alice, name: 'bad' })
  const spoil = async (space: string, target = inner) => {
    const [record] = (await inner.scan(space)).records
    if (record === undefined) throw new Error('nothing to spoil')
    await target.put(record.key, Buffer.from('{"junk":"hush-hush"}'), { ifVersion: record.version })
  }
  return { store, inner, keys, bad, spoil, warnings }
}

test.each(['junk', 'sealed junk'])('%s in place of a key', async (kind) => {
  const { store, inner, keys, bad, spoil, warnings } = await setUp()
  await spoil('api-keys', kind === 'junk' ? inner : store)
  const good = await keys.create({ owner: alice, name: 'good' })
  for (const _ of [1, 2]) expect((await keys.list(alice)).map(({ name }) => name)).toEqual(['good'])
  expect(warnings.mock.calls.filter(([text]) => String(text).includes('API keys are left out'))).toHaveLength(1)
  expect(JSON.stringify(warnings.mock.calls)).not.toContain('hush')
  await expect(keys.verify(bad.key)).rejects.toThrow('the record')
  expect(await keys.verify(good.key)).toMatchObject({ kind: 'found' })
  expect(await keys.revoke(alice, bad.id)).toBe(true)
  expect(await keys.verify(bad.key)).toEqual({ kind: 'unknown' })
})

test.each(['junk', 'sealed junk'])('%s in place of an entry of the index', async (kind) => {
  const { store, inner, keys, bad, spoil } = await setUp()
  await spoil('api-keys-by-owner', kind === 'junk' ? inner : store)
  const good = await keys.create({ owner: alice, name: 'good' })
  expect((await keys.list(alice)).map(({ name }) => name)).toEqual(['good'])
  // Which key it is cannot be told, so that nobody hears that it has ended.
  await expect(keys.revoke(alice, bad.id)).rejects.toThrow('the record')
  expect(await keys.revoke(alice, good.id)).toBe(true)
  expect(await keys.revokeAll(alice)).toBe(0)
})
