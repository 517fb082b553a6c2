/** G5: what a member lists with one credential is shown to nobody with another, nor to one who has none any more. */
import type { IncomingHttpHeaders } from 'node:http'
import type { McpServer } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import { modern, type Stub, startConsentWorld, startStub } from './attack-parts.ts'
import { GRANT, startVirtual } from './virtual-parts.ts'
import { ask, openSession, rpc } from './world.ts'

/** Resources that may be kept for an hour, named by the credential that they are asked for with. */
function listsByCredential(stub: Stub, nameOf = (headers: IncomingHttpHeaders) => String(headers.authorization)): void {
  const before = stub.answer
  stub.answer = (request, response, body) => {
    if (before(request, response, body)) return true
    if (!body.includes('"resources/list"')) return false
    const result = { ttlMs: 3_600_000, resources: [{ uri: `notes://of/${nameOf(request.headers)}`, name: 'x' }] }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result }))
    return true
  }
}

const RESOURCES = { tools: {}, resources: { 'dev/notes': '*' } } as const
const listed = async (url: string, token: string) =>
  (await rpc(url, { token, headers: await openSession(url, token), body: ask('resources/list') })).text

test('the values of a group are not those of the same person without it', async () => {
  const notes = await startStub()
  listsByCredential(notes)
  const auth: McpServer['auth'] = {
    type: 'header',
    headers: { authorization: 'Bearer {{token}}' },
    values: { token: 'everybody' },
    overrides: [{ to: 'group:corp/directors', values: { token: 'directors' } }],
  }
  const { url, jwt } = await startVirtual({ 'dev/notes': { url: notes.url, era: 'legacy', auth } }, RESOURCES)
  const [director, plain] = [await jwt('alice', { groups: ['directors'] }), await jwt('alice', { groups: [] })]
  expect(await listed(url, director)).toContain('directors')
  expect(await listed(url, plain)).toContain('everybody')
  expect(await listed(url, director)).toContain('directors')
  const asked = notes.methods().filter((method) => method === 'resources/list')
  expect(asked).toHaveLength(2)
})

test('another key is asked with at once', async () => {
  const notes = await startStub()
  listsByCredential(notes)
  const server = (key: string): McpServer => ({
    url: notes.url,
    era: 'legacy',
    auth: { type: 'header', headers: { authorization: `Bearer ${key}` } },
  })
  const { url, token, gateway } = await startVirtual({ 'dev/notes': server('admin') }, RESOURCES)
  expect(await listed(url, token)).toContain('admin')
  await gateway.servers.set('dev/notes', server('small'))
  expect(await listed(url, token)).toContain('small')
})

test('a key that the member does not take any more lists nothing, not even what it did', async () => {
  const notes = await startStub()
  let isRevoked = false
  notes.answer = (_request, response) => {
    if (isRevoked) response.writeHead(401).end()
    return isRevoked
  }
  listsByCredential(notes)
  const auth: McpServer['auth'] = { type: 'header', headers: { authorization: 'Bearer key' } }
  let now = Date.now()
  const members = { 'dev/notes': { url: notes.url, era: 'legacy' as const, auth } }
  const { url, token } = await startVirtual(members, RESOURCES, { clock: { now: () => now } })
  const headers = await openSession(url, token)
  const list = async () => (await rpc(url, { token, headers, body: ask('resources/list') })).text
  expect(await list()).toContain('notes://of')
  isRevoked = true
  now += 3_600_000
  expect(await list()).not.toContain('notes://of')
})

test('an account that was disconnected lists nothing, and the next one its own', async () => {
  const { world, notes, connect, server } = await startConsentWorld()
  listsByCredential(notes)
  const alice = await connect('alice')
  await world.gateway.configure({
    servers: { 'dev/notes': server },
    virtualServers: { 'team/all': RESOURCES },
    access: [GRANT, { to: 'user:corp/*', on: '*' }],
  })
  const url = world.endpoint('team/all')
  const headers = await openSession(url, alice)
  const list = () => rpc(url, { token: alice, headers, body: ask('resources/list') })
  const first = (await list()).text
  expect(first).toContain('notes://of')
  const me = await world.gateway.identify(`Bearer ${alice}`)
  if (me === null) throw new Error('nobody')
  expect(await world.gateway.connections.revoke(me, 'dev/notes')).toBe(true)
  expect((await list()).json.error.code).toBe(4011)
  await connect('alice')
  const second = (await list()).text
  expect(second).toContain('notes://of')
  expect(second).not.toBe(first)
})

test('a virtual account of a name that there was before finds nothing of it', async () => {
  const { world, notes, browserOf } = await startConsentWorld({
    access: [
      { to: 'user:corp/*', on: '*' },
      { to: 'virtual-account:late', on: '*' },
    ],
    virtualServers: { 'team/all': RESOURCES },
  })
  listsByCredential(notes)
  await world.gateway.virtualAccounts.create('late', { owners: ['user:corp/ann@example.com'] })
  const who = { authorization: `Bearer ${await world.jwt('ann')}` }
  const link = await world.gateway.connections.connectUrl({ server: 'dev/notes', who, forVirtualAccount: 'late' })
  const browser = browserOf('ann')
  expect((await browser.submit(await browser.load(link), {})).status).toBe(200)
  const list = async () => {
    const { key } = await world.gateway.keys.create({ virtualAccount: 'late' }, { name: 'x' })
    return (await rpc(world.endpoint('team/all'), { token: key, ...modern('resources/list') })).text
  }
  expect(await list()).toContain('notes://of')
  expect(await world.gateway.virtualAccounts.delete('late')).toBe(true)
  await world.gateway.virtualAccounts.create('late', { owners: ['user:corp/bob@example.com'] })
  expect(await list()).not.toContain('notes://of')
})
