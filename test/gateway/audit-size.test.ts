/** Whatever a caller sends, an event of it is small, and keeps nothing else of what was sent. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { RequestEvent } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import { META } from '../../src/mcp/eras.ts'
import { EVERYTHING, rpc, startWorld } from './world.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const LONG = 'y'.repeat(1_000_000)
const MIB = 2 ** 20

function heapInUse(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

async function start() {
  const servers = { 'dev/one': { url: 'http://127.0.0.1:1/mcp', auth: { type: 'none' } } } as const
  const world = await startWorld({ servers, access: [EVERYTHING], recentAudit: 500 })
  const token = await world.jwt('alice')
  async function tellOf(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<RequestEvent> {
    world.audits.length = 0
    await rpc(world.endpoint('dev/one'), { token, body, headers })
    return world.told(() => true)
  }
  return { world, tellOf }
}

test('a method that is told in part does not keep the whole of it', async () => {
  const { world, tellOf } = await start()
  const tell = (id: number) => tellOf({ jsonrpc: '2.0', id, method: `${id}${LONG}` })
  const { methods } = await tell(0)
  expect(methods).toEqual([`0${LONG}`.slice(0, 256)])
  const before = heapInUse()
  for (let id = 1; id <= 30; id++) await tell(id)
  expect(world.gateway.recentAudit()).toHaveLength(31)
  expect(heapInUse() - before).toBeLessThan(10 * MIB)
})

test('of a batch a hundred targets are told in all', async () => {
  const { tellOf } = await start()
  const batch = Array.from({ length: 100 }, (_, id) => {
    const resourceSubscriptions = Array.from({ length: 60 }, (_, index) => `x:${id}-${index}`)
    return { jsonrpc: '2.0', id, method: 'subscriptions/listen', params: { notifications: { resourceSubscriptions } } }
  })
  const { methods, targets } = await tellOf(batch)
  expect(methods).toHaveLength(100)
  expect(targets).toHaveLength(100)
  expect(targets[60]).toEqual({ kind: 'resource', name: 'x:1-0' })
})

const meta = (version: string) => ({ _meta: { [META.protocolVersion]: version, [META.clientCapabilities]: {} } })
const NOW = '2026-07-28'

test.each<[string, object, Record<string, string>]>([
  ['another method than the header field', { method: LONG, params: meta(NOW) }, { 'mcp-method': 'x' }],
  ['another version than the header field', { method: 'tools/list', params: meta(LONG) }, {}],
  ['a request without an id', { method: `tasks/${LONG}`, id: undefined }, {}],
])('%s is quoted in short', async (_, message, headers) => {
  const { tellOf } = await start()
  const fields = { 'mcp-protocol-version': NOW, ...headers }
  const event = await tellOf({ jsonrpc: '2.0', id: 1, ...message }, fields)
  expect(event).toMatchObject({ outcome: 'refused', detail: expect.stringContaining('yyyy') })
  expect(JSON.stringify(event).length).toBeLessThan(2_000)
})

test('a detail of the own code is cut', async () => {
  const decide = () => {
    throw new Error(LONG)
  }
  const world = await startWorld({
    servers: { 'dev/one': { url: 'http://127.0.0.1:1/mcp', auth: { type: 'none' } } },
    access: [EVERYTHING],
    decide,
  })
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } }
  await rpc(world.endpoint('dev/one'), { token: await world.jwt('alice'), body })
  const { detail } = await world.told(({ reason }) => reason === 'decide')
  expect(detail).toMatch(/^decide\(\) failed: y+…$/)
  expect(detail).toHaveLength(1_001)
})
