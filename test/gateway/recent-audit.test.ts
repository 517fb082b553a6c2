/** The latest events in memory: bounded, oldest first. */
import type { AuditEvent } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import { createRecentAudit } from '../../src/gateway/recent-audit.ts'
import { rpc, startWorld } from './world.ts'

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

test('what a listener does to an event is not done to what is remembered', async () => {
  const changed: AuditEvent[] = []
  const { gateway, endpoint, jwt } = await startWorld({
    recentAudit: 5,
    servers: { 'dev/one': { url: 'https://mcp.example.com/mcp', auth: { type: 'none' } } },
    access: [{ to: 'user:corp/*', on: 'dev/*', tools: ['fetch'] }],
    audit(event) {
      if (event.type !== 'request') return
      changed.push(event)
      Object.assign(event, { caller: null, detail: undefined })
      for (const list of [event.methods, event.targets]) (list as unknown[]).length = 0
    },
  })
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search' } }
  await rpc(endpoint('dev/one'), { token: await jwt('alice'), body })
  await expect.poll(() => changed).toHaveLength(1)
  expect(gateway.recentAudit()).toMatchObject([
    {
      type: 'request',
      caller: { subject: 'alice', externalIdentities: [] },
      methods: ['tools/call'],
      targets: [{ kind: 'tool', name: 'search' }],
    },
  ])
})
