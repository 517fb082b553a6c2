/** A virtual account whose record nobody can read hides no other, may not be used, and can be deleted. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { generateKey } from '../../src/core/sealing.ts'
import { createApiKeys } from '../../src/identity/api-keys.ts'
import { virtualAccountId } from '../../src/identity/identity.ts'
import { createVirtualAccounts } from '../../src/identity/virtual-accounts.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createTestClock } from '../support/keys.ts'

const KEY = { space: 'virtual-accounts', owner: 'broken', id: 'account' }
const ways = [
  ['does not open', false, 'junk'],
  ['is no JSON', true, 'hush-hush'],
  ['has no incarnation', true, '{"createdAt":1,"groups":["admins"]}'],
  ['has rights that make no sense', true, '{"createdAt":1,"incarnation":"x","groups":"admins"}'],
] as const

async function setUp(isSealed: boolean, junk: string) {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warnings.mockRestore())
  const inner = memoryStore()
  const store = sealed(inner, [generateKey()])
  const clock = createTestClock()
  const keys = createApiKeys({ store, clock, cacheMs: 0 })
  const disconnect = vi.fn(async () => {})
  const accounts = createVirtualAccounts({
    store,
    clock,
    keys,
    disconnect,
    configured: {},
    integrations: ['corp'],
    cacheMs: 0,
  })
  await accounts.create('good')
  const { owner } = await accounts.create('broken', { groups: ['batch'] })
  const found = await inner.get(KEY)
  const target = isSealed ? store : inner
  await target.put(KEY, Buffer.from(junk), { ifVersion: found?.version ?? null })
  return { accounts, keys, owner, disconnect, warnings }
}

test.each(ways)(
  'one whose record %s is left out, may not be used, and makes room by delete',
  async (_, isSealed, junk) => {
    const { accounts, owner, disconnect, warnings } = await setUp(isSealed, junk)
    for (const list of [accounts.list, accounts.known, accounts.list]) {
      expect((await list()).map(({ name }) => name)).toEqual(['good'])
    }
    expect(warnings.mock.calls.filter(([text]) => String(text).includes('virtual accounts are left out'))).toHaveLength(
      1,
    )
    expect(JSON.stringify(warnings.mock.calls)).not.toContain('hush')
    await expect(accounts.get('broken')).rejects.toThrow('broken/account')
    await expect(accounts.withId(virtualAccountId('broken'))).rejects.toThrow('cannot be read')
    expect(await accounts.withId(virtualAccountId('good'))).toMatchObject({ name: 'good' })
    await expect(accounts.create('broken')).rejects.toThrow('delete it first')
    disconnect.mockClear()
    expect(await accounts.delete('broken')).toBe(true)
    expect(disconnect).toHaveBeenCalledWith(virtualAccountId('broken'))
    expect(await accounts.get('broken')).toBeUndefined()
    expect((await accounts.create('broken')).owner).not.toEqual(owner)
    expect(await accounts.list()).toMatchObject([{ name: 'broken' }, { name: 'good' }])
  },
)

test('nor may it be used by a configuration of its name, whose keys are others', async () => {
  const { accounts } = await setUp(false, 'junk')
  accounts.reconfigure({ broken: { groups: ['admins'] } }, ['corp'])
  await expect(accounts.get('broken')).rejects.toThrow('does not open')
  expect((await accounts.list()).map(({ name }) => name)).toEqual(['good'])
})
