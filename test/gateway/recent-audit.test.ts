/** The latest events in memory: bounded, oldest first. */
import { expect, test } from 'vitest'
import { createRecentAudit } from '../../src/gateway/recent-audit.ts'
import { startWorld } from './world.ts'

test('the last ones are remembered, in the order in which they happened', () => {
  const recent = createRecentAudit(3)
  const at = () => recent?.list().map((event) => event.at)
  expect(at()).toEqual([])
  for (let time = 1; time <= 3; time++) recent?.add({ type: 'key', at: time } as never)
  expect(at()).toEqual([1, 2, 3])
  for (let time = 4; time <= 8; time++) recent?.add({ type: 'key', at: time } as never)
  expect(at()).toEqual([6, 7, 8])
})

test('a gateway without pages remembers none, unless it is told to', async () => {
  const none = await startWorld({})
  await none.gateway.identify(`Bearer ${await none.jwt('alice')}`)
  await none.gateway.keys.create({ virtualAccount: 'x' }, { name: 'x' }).catch(() => {})
  expect(none.gateway.recentAudit()).toEqual([])
  const some = await startWorld({ recentAudit: 2, virtualAccounts: { ci: {} } })
  for (const name of ['a', 'b', 'c']) await some.gateway.keys.create({ virtualAccount: 'ci' }, { name })
  expect(some.gateway.recentAudit()).toMatchObject([{ name: 'b' }, { name: 'c' }])
})
