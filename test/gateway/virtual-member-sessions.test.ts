/** B7: a session at a member is for the credential that it was begun with. */
import type { McpServer } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import { startStub } from './attack-parts.ts'
import { startVirtual } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc, send } from './world.ts'

/** A server that says what each call and each end of a session came with. */
async function startCounting() {
  const stub = await startStub()
  const seen: string[] = []
  let made = 0
  stub.answer = (request, response, body) => {
    const { authorization, 'mcp-session-id': session } = request.headers
    const { id, method } = JSON.parse(body || '{}')
    if (request.method === 'DELETE') seen.push(`end ${authorization} ${session}`)
    if (method === 'tools/call') seen.push(`${authorization} ${session}`)
    if (method !== 'initialize') return false
    const serverInfo = { name: 'one', version: '1' }
    const result = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': `session-${++made}` })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    return true
  }
  return { stub, seen }
}

test('another one is begun for another credential, and each goes on with its own', async () => {
  const { stub, seen } = await startCounting()
  const auth: McpServer['auth'] = {
    type: 'header',
    headers: { authorization: 'Bearer {{token}}' },
    values: { token: 'everybody' },
    overrides: [{ to: 'group:corp/directors', values: { token: 'directors' } }],
  }
  const { url, jwt } = await startVirtual(
    { 'dev/one': { url: stub.url, era: 'legacy', auth } },
    { tools: { 'dev/one': '*' } },
  )
  const [director, plain] = [await jwt('alice', { groups: ['directors'] }), await jwt('alice', { groups: [] })]
  const headers = await openSession(url, director)
  for (const [index, token] of [director, plain, director, plain].entries()) {
    await rpc(url, { token, headers, body: callTool('ok', {}, index) })
  }
  const each = ['Bearer directors session-1', 'Bearer everybody session-2']
  expect(seen).toEqual([...each, ...each])
  // What a client answers is for the session that it was asked in.
  await rpc(url, { token: plain, headers, body: { jsonrpc: '2.0', id: 'dev/one:1', result: {} } })
  const told = stub.requests.filter(({ body }) => body.includes('"result"'))
  expect(told.every(({ headers: { authorization } }) => authorization === 'Bearer everybody')).toBe(true)
  expect((await send(url, { token: plain, headers, method: 'DELETE' })).status).toBe(204)
  await expect.poll(() => seen.slice(4)).toEqual(['end Bearer everybody session-2'])
})

test('those that are begun at the same moment are all kept', async () => {
  const { stub, seen } = await startCounting()
  const answer = stub.answer
  const waiting: (() => void)[] = []
  stub.answer = (request, response, body) => {
    if (!body.includes('"initialize"')) return answer(request, response, body)
    waiting.push(() => void answer(request, response, body))
    if (waiting.length === 4) for (const goOn of waiting) goOn()
    return true
  }
  const members = { 'dev/one': { url: stub.url, era: 'legacy' as const, auth: { type: 'none' as const } } }
  const { url, token } = await startVirtual(members, { tools: { 'dev/one': '*' } })
  const headers = await openSession(url, token)
  const call = (index: number) => {
    const own = { 'x-tfy-mcp-headers': JSON.stringify({ 'dev/one': { authorization: `Bearer ${index}` } }) }
    return rpc(url, { token, headers: { ...headers, ...own }, body: callTool('ok', {}, index) })
  }
  await Promise.all([0, 1, 2, 3].map(call))
  const first = [...seen].sort()
  for (const index of [0, 1, 2, 3]) await call(index)
  expect(seen.slice(4)).toEqual(first)
  expect(waiting).toHaveLength(4)
})

test('it goes on when a token says the same of the same person', async () => {
  const { stub, seen } = await startCounting()
  const members = { 'dev/one': { url: stub.url, era: 'legacy' as const, auth: { type: 'passthrough' as const } } }
  const { url, jwt } = await startVirtual(members, { tools: { 'dev/one': '*' } })
  const tokens = [
    await jwt('alice', { jti: 'a', groups: ['staff'] }),
    await jwt('alice', { jti: 'b', groups: ['staff'] }),
    await jwt('alice', { jti: 'c', groups: ['staff', 'directors'] }),
  ]
  const headers = await openSession(url, tokens[0])
  for (const [index, token] of tokens.entries()) await rpc(url, { token, headers, body: callTool('ok', {}, index) })
  expect(seen.map((each) => each.split(' ')[2])).toEqual(['session-1', 'session-1', 'session-2'])
  expect(new Set(seen.map((each) => each.split(' ')[1])).size).toBe(3)
  expect((await rpc(url, { token: tokens[0], headers, body: ask('tools/list') })).status).toBe(200)
})
