/** G5: names while the member that they are of, or could be of, does not list anything. */
import { expect, test } from 'vitest'
import { type Stub, startConsentWorld, startStub } from './attack-parts.ts'
import { open, startVirtual, textOf } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc } from './world.ts'

/** A server that lists this, or nothing where it is down; the rest as ever. */
async function startListing(lists: Readonly<Record<string, object>>): Promise<Stub & { isDown: boolean }> {
  const stub = Object.assign(await startStub(), { isDown: false })
  stub.answer = (_request, response, body) => {
    const { id, method, params } = JSON.parse(body || '{}')
    const known =
      lists[method] ?? (method === 'resources/read' ? { contents: [{ uri: params.uri, text: '' }] } : undefined)
    if (known === undefined) return false
    if (stub.isDown && method.endsWith('/list')) response.writeHead(503).end()
    else {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: known }))
    }
    return true
  }
  return stub
}

const tools = (...names: string[]) => ({ tools: names.map((name) => ({ name, inputSchema: { type: 'object' } })) })
const count = (stub: Stub, method: string) => stub.methods().filter((each) => each === method).length

test('a name that the configuration spells out is not listed with what another says of it', async () => {
  const bank = await startListing({ 'tools/list': tools('pay') })
  const evil = await startListing({ 'tools/list': tools('pay') })
  bank.isDown = true
  const { url, token } = await startVirtual(
    { 'dev/bank': open(bank.url, { era: 'legacy' }), 'dev/evil': open(evil.url, { era: 'legacy' }) },
    { tools: { 'dev/bank': ['pay'], 'dev/evil': '*' } },
  )
  const headers = await openSession(url, token)
  const list = await rpc(url, { token, headers, body: ask('tools/list') })
  expect(list.json.result.tools.map(({ name }: { name: string }) => name)).toEqual(['dev_evil_pay'])
  await rpc(url, { token, headers, body: callTool('pay') })
  await rpc(url, { token, headers, body: callTool('dev_evil_pay', {}, 2) })
  expect([count(bank, 'tools/call'), count(evil, 'tools/call')]).toEqual([1, 1])
})

test('a call goes to no member behind one that could have it and cannot list', async () => {
  let now = Date.now()
  const bank = await startListing({ 'tools/list': tools('pay_bill') })
  const evil = await startListing({ 'tools/list': tools('pay_bill', 'other') })
  bank.isDown = true
  const { url, token, audits } = await startVirtual(
    { 'dev/bank': open(bank.url, { era: 'legacy' }), 'dev/evil': open(evil.url, { era: 'legacy' }) },
    { tools: { 'dev/bank': ['pay_*'], 'dev/evil': '*' } },
    { clock: { now: () => now } },
  )
  const headers = await openSession(url, token)
  const refused = await rpc(url, { token, headers, body: callTool('pay_bill', { iban: 'DE1' }) })
  expect([refused.status, refused.json.error.code]).toEqual([503, 5030])
  expect([count(bank, 'tools/call'), count(evil, 'tools/call')]).toEqual([0, 0])
  expect(audits.at(-1)).toMatchObject({ outcome: 'failed', reason: 'unlisted' })
  expect(textOf((await rpc(url, { token, headers, body: callTool('other', {}, 2) })).json.result)).toBe('did other')
  bank.isDown = false
  now += 60_000
  expect(textOf((await rpc(url, { token, headers, body: callTool('pay_bill', {}, 3) })).json.result)).toBe(
    'did pay_bill',
  )
  expect([count(bank, 'tools/call'), count(evil, 'tools/call')]).toEqual([1, 1])
})

test('neither does a read, whatever those behind list or have templates for', async () => {
  const nothing = { 'resources/list': { resources: [] }, 'resources/templates/list': { resourceTemplates: [] } }
  const good = await startListing(nothing)
  const evil = await startListing({
    'resources/list': { resources: [{ uri: 'notes://42', name: 'x' }] },
    'resources/templates/list': { resourceTemplates: [{ uriTemplate: 'notes://{id}', name: 'n' }] },
  })
  good.isDown = true
  const { url, token } = await startVirtual(
    { 'dev/good': open(good.url, { era: 'legacy' }), 'dev/evil': open(evil.url, { era: 'legacy' }) },
    { tools: {}, resources: { 'dev/good': '*', 'dev/evil': '*' } },
  )
  const headers = await openSession(url, token)
  for (const uri of ['notes://42', 'notes://41']) {
    expect((await rpc(url, { token, headers, body: ask('resources/read', { uri }) })).status).toBe(503)
  }
  const subscribed = await rpc(url, { token, headers, body: ask('resources/subscribe', { uri: 'notes://42' }) })
  expect(subscribed.status).toBe(503)
  expect(count(evil, 'resources/read') + count(good, 'resources/read')).toBe(0)
})

test("a member that is still to be connected is passed by with require: 'any' only", async () => {
  const two = await startStub()
  const tools = { 'dev/notes': '*', 'dev/two': '*' } as const
  const { world } = await startConsentWorld({
    more: { 'dev/two': open(two.url, { era: 'legacy' }) },
    virtualServers: { 'team/any': { tools, require: 'any' }, 'team/all': { tools } },
  })
  const token = await world.jwt('alice')
  const call = async (server: string) => (await rpc(world.endpoint(server), { token, body: callTool('ok') })).json
  expect(textOf((await call('team/any')).result)).toBe('did ok')
  expect((await call('team/all')).error.code).toBe(4011)
  expect(count(two, 'tools/call')).toBe(1)
})
