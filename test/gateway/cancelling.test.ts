/** B6: who can give a call up by `notifications/cancelled`: the client that has made it, at any moment. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { type ClientMessageParts, createClientMessages } from '../../src/gateway/virtual/client-messages.ts'
import type { VirtualContext } from '../../src/gateway/virtual/context.ts'
import { event, listen, modern, type Stub, startStub } from './attack-parts.ts'
import { open, startVirtual } from './virtual-parts.ts'
import { callTool, openSession, rpc, send } from './world.ts'

/** A legacy member that answers `slow` when it is told to, and `stream` with progress and then nothing. */
async function startSlow() {
  const stub = await startStub()
  const waiting = new Map<string, ServerResponse>()
  stub.answer = (_request, response, body) => {
    const { id, params } = JSON.parse(body || '{}')
    const name: unknown = params?.name
    if (name !== 'slow' && name !== 'stream') return false
    waiting.set(name, response)
    response.once('close', () => waiting.delete(name))
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (name === 'stream') response.write(event({ jsonrpc: '2.0', method: 'notifications/progress', params: PROGRESS }))
    else response.flushHeaders()
    response.on('finish-it', () => response.end(event({ jsonrpc: '2.0', id, result: { content: [] } })))
    return true
  }
  return { stub, waiting, finish: (name: string) => waiting.get(name)?.emit('finish-it') }
}

const PROGRESS = { progressToken: 1, progress: 1 }
const LEGACY = { 'mcp-protocol-version': '2025-11-25' }

function cancel(requestId: number, more: object = {}): object {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, ...more } }
}

/** Two virtual servers over one member, for two keys of one virtual account. */
async function startKeys(stub: Stub) {
  const chosen = { tools: { 'dev/one': '*' } } as const
  const world = await startVirtual({ 'dev/one': open(stub.url, { era: 'legacy' }) }, chosen, {
    virtualServers: { 'team/all': chosen, 'team/other': chosen },
    virtualAccounts: { ci: {} },
    access: [{ to: 'virtual-account:ci', on: 'team/*' }],
  })
  const key = async (name: string) => (await world.gateway.keys.create({ virtualAccount: 'ci' }, { name })).key
  return {
    ...world,
    other: world.endpoint('team/other'),
    keys: [await key('worker-1'), await key('worker-2')] as const,
  }
}

test('without a session neither another key of the account nor the same one at another server ends a call', async () => {
  const { stub, waiting, finish } = await startSlow()
  const { url, other, keys } = await startKeys(stub)
  const [first, second] = keys
  const call = () => rpc(url, { token: first, headers: LEGACY, body: callTool('slow') })
  const answered = call()
  await expect.poll(() => waiting.has('slow')).toBe(true)
  expect((await rpc(url, { token: second, headers: LEGACY, body: cancel(1) })).status).toBe(202)
  expect((await rpc(other, { token: first, headers: LEGACY, body: cancel(1) })).status).toBe(202)
  finish('slow')
  expect((await answered).text).toContain('"content":[]')
  // Its own it does.
  const given = call()
  await expect.poll(() => waiting.has('slow')).toBe(true)
  await rpc(url, { token: first, headers: LEGACY, body: cancel(1) })
  await expect.poll(() => waiting.has('slow')).toBe(false)
  expect((await given).text).not.toContain('"content"')
})

test('a modern client gives up by going away: a message ends no call, which could be one of another client', async () => {
  const { stub, waiting, finish } = await startSlow()
  const { url, keys } = await startKeys(stub)
  const [token] = keys
  const answered = rpc(url, { token, ...modern('tools/call', { name: 'slow' }) })
  await expect.poll(() => waiting.has('slow')).toBe(true)
  const { headers, body } = modern('notifications/cancelled', { requestId: 1 })
  const { id: _, ...notification } = body as { id: unknown }
  expect((await rpc(url, { token, headers, body: notification })).status).toBe(202)
  finish('slow')
  expect((await answered).json.result.content).toEqual([])
})

test('a call of a batch that is given up while another one is not answered ends, and the batch with it', async () => {
  const { stub, waiting, finish } = await startSlow()
  const { url, token } = await startVirtual(
    { 'dev/one': open(stub.url, { era: 'legacy' }) },
    { tools: { 'dev/one': '*' } },
  )
  const headers = await openSession(url, token, '2025-03-26')
  const body = [callTool('slow', {}, 1), callTool('stream', {}, 2)]
  const batch = listen(await send(url, { token, headers, body }))
  await expect.poll(() => waiting.size).toBe(2)
  await rpc(url, { token, headers, body: cancel(2) })
  await expect.poll(() => waiting.has('stream')).toBe(false)
  finish('slow')
  expect(await batch.ended).toBe('whole')
  expect(batch.text()).toContain('"id":1')
  expect(batch.text()).not.toContain('"id":2')
})

test('a call ends at once, however slow another member of the session is to take the note', async () => {
  const { stub, waiting } = await startSlow()
  const other = await startStub()
  // Never answered.
  other.answer = (_request, _response, body) => body.includes('notifications/cancelled')
  const { url, token } = await startVirtual(
    { 'dev/one': open(stub.url, { era: 'legacy' }), 'dev/two': open(other.url, { era: 'legacy' }) },
    { tools: { 'dev/one': ['stream'], 'dev/two': ['ok'] } },
  )
  const headers = await openSession(url, token)
  await rpc(url, { token, headers, body: callTool('ok', {}, 1) })
  const call = listen(await send(url, { token, headers, body: callTool('stream', {}, 2) }))
  await expect.poll(call.text).toContain('progress')
  const leaving = new AbortController()
  const note = rpc(url, { token, headers, body: cancel(2), signal: leaving.signal }).catch(() => {})
  // The other member is given ten seconds.
  await expect.poll(() => waiting.has('stream'), { timeout: 8_000 }).toBe(false)
  await expect.poll(stub.methods).toContain('notifications/cancelled')
  leaving.abort()
  await note
})

test('a call ends also where nobody can find out which members to tell', async () => {
  const cancelled: unknown[] = []
  const parts = {
    sessions: { links: () => Promise.reject(new Error('the store is away')) },
    calls: { cancel: (_context: unknown, id: unknown) => cancelled.push(id) },
  } as unknown as ClientMessageParts
  const context = { session: {}, virtual: {} } as unknown as VirtualContext
  const params = { requestId: 2 }
  const raw = Buffer.from(JSON.stringify(cancel(2)))
  const message = { kind: 'notification', method: 'notifications/cancelled', params, raw } as const
  await createClientMessages(parts).take(context, message)
  expect(cancelled).toEqual([2])
})

test('a modern client that goes away while its answers are brought to a legacy member has that told', async () => {
  const stub = await startStub()
  const answered: unknown[] = []
  stub.answer = (_request, response, body) => {
    const { id, method } = JSON.parse(body || '{}')
    // Taken, and not confirmed.
    if (method === undefined && body !== '') return answered.push(id) > 0
    if (method !== 'tools/call') return false
    const params = { message: 'Sure?', requestedSchema: { type: 'object', properties: {} } }
    const question = (key: string) => event({ jsonrpc: '2.0', id: key, method: 'elicitation/create', params })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    return response.write(question('q1') + question('q2')) || true
  }
  const { url, token } = await startVirtual(
    { 'dev/one': open(stub.url, { era: 'legacy' }) },
    { tools: { 'dev/one': '*' } },
  )
  const call = (more: object) =>
    modern('tools/call', { name: 'ok', ...more }, { capabilities: { elicitation: { form: {} } } })
  const { requestState, inputRequests } = (await rpc(url, { token, ...call({}) })).json.result
  const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, { action: 'decline' }]))
  const leaving = new AbortController()
  const { signal } = leaving
  const gone = rpc(url, { token, ...call({ requestState, inputResponses }), signal }).catch(() => {})
  // Neither waits for the other, which would be ten seconds.
  await expect.poll(() => answered, { timeout: 8_000 }).toHaveLength(2)
  leaving.abort()
  await expect.poll(stub.methods, { timeout: 8_000 }).toContain('notifications/cancelled')
  await gone
})
