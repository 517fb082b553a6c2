/** G5, B6: what members ask and tell in the middle of calls and between them, for clients of both eras. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { McpCall } from '../support/mcp/calls.ts'
import { startSdk1Server } from '../support/mcp/sdk1-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { freePort } from '../support/temp-server.ts'
import { listen, modern, startStub } from './attack-parts.ts'
import { client1, client2, during, open, startVirtual, textOf } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc, send } from './world.ts'

const CAN = { elicitation: { form: {} }, sampling: {} }
const MODEL = { model: 'm', role: 'assistant' as const, content: { type: 'text' as const, text: 'something' } }

/** Clients that answer what they are asked. */
const ASKED = {
  'SDK 1': async (url: string, token: string) => {
    const { ElicitRequestSchema, CreateMessageRequestSchema } = await import('@modelcontextprotocol/sdk/types.js')
    const client = await client1(url, token, { elicitation: {}, sampling: {} })
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => ({
      action: 'accept',
      content: answerTo(params.message),
    }))
    client.setRequestHandler(CreateMessageRequestSchema, async () => MODEL)
    return client
  },
  'SDK 2, legacy': (url: string, token: string) => asked2(url, token, 'legacy'),
  'SDK 2, modern': (url: string, token: string) => asked2(url, token, { pin: '2026-07-28' }),
} as const

async function asked2(url: string, token: string, mode: Parameters<typeof client2>[2]) {
  const client = await client2(url, token, mode, CAN)
  client.setRequestHandler('elicitation/create', async ({ params }) => ({
    action: 'accept',
    content: answerTo(params.message),
  }))
  client.setRequestHandler('sampling/createMessage', async () => MODEL)
  return client
}

function answerTo(message: string): Record<string, string | boolean> {
  return message === 'Which colour?' ? { colour: 'green' } : { sure: true }
}

describe.each(Object.keys(ASKED) as (keyof typeof ASKED)[])('a client on %s', (kind) => {
  test('is asked by a legacy member in the middle of a call', async () => {
    const one = await during(startSdk1Server())
    const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': { prefix: 'p_' } } })
    const client = await ASKED[kind](url, token)
    expect(textOf(await client.callTool({ name: 'p_ask', arguments: {} }))).toBe('chose green')
    expect(textOf(await client.callTool({ name: 'p_sample', arguments: {} }))).toBe('the model said something')
  })

  test('is asked by a modern member', async () => {
    const one = await during(startSdk2Server({ eras: 'modern' }))
    const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': { prefix: 'p_' } } })
    const client = await ASKED[kind](url, token)
    expect(textOf(await client.callTool({ name: 'p_confirm', arguments: {} }))).toBe('confirmed')
  })

  test('goes on with a stream that a legacy member breaks off', async () => {
    const one = await during(startSdk1Server())
    const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
    const client = await ASKED[kind](url, token)
    expect(textOf(await client.callTool({ name: 'count', arguments: { to: 3, breakAt: 2 } }))).toBe('counted to 3')
    expect(one.calls.some(({ method, headers }) => method === 'GET' && headers['last-event-id'] !== undefined)).toBe(
      true,
    )
  })
})

describe('a call that is given up', () => {
  test.each(['modern', 'legacy'] as const)('by a legacy client is given up at a %s member', async (eras) => {
    const one = await during(startSdk2Server({ eras }))
    const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
    const headers = await openSession(url, token)
    const waiting = once(one.events, 'waiting')
    const cancelled = once(one.events, 'cancelled')
    const response = send(url, { token, headers, body: callTool('wait', {}, 77) })
    await waiting
    const params = { requestId: 77 }
    const told = await rpc(url, { token, headers, body: { jsonrpc: '2.0', method: 'notifications/cancelled', params } })
    expect(told.status).toBe(202)
    await cancelled
    void (await response).body?.cancel()
  })

  test.each(['modern', 'legacy'] as const)(
    'by a modern client that goes away is given up at a %s member',
    async (eras) => {
      const one = await during(startSdk2Server({ eras }))
      const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
      const waiting = once(one.events, 'waiting')
      const cancelled = once(one.events, 'cancelled')
      const abort = new AbortController()
      const { headers, body } = modern('tools/call', { name: 'wait' })
      const response = send(url, { token, headers, body, signal: abort.signal }).catch(() => {})
      await waiting
      abort.abort()
      await cancelled
      await response
    },
  )
})

describe('what is told between calls', () => {
  test('reaches a legacy client on its stream, from members of both eras', async () => {
    const one = await during(startSdk1Server())
    const two = await during(startSdk2Server({ eras: 'modern' }))
    const { url, token } = await startVirtual(
      { 'dev/one': open(one.url), 'dev/two': open(two.url) },
      { tools: { 'dev/one': '*', 'dev/two': { prefix: 'two_' } } },
    )
    const headers = await openSession(url, token)
    const stream = listen(await send(url, { token, headers, method: 'GET' }))
    await one.call(({ method, status }) => method === 'GET' && status === 200)
    await two.call(({ rpc: method, status }) => method === 'subscriptions/listen' && status === 200)
    const changes = () => stream.text().match(/notifications\/tools\/list_changed/g)?.length ?? 0
    await one.toolsChanged()
    await expect.poll(changes).toBe(1)
    await two.toolsChanged()
    await expect.poll(changes).toBe(2)
    expect(stream.text()).not.toContain('subscription')
  })

  test('reaches a modern client that listens, under its own subscription id', async () => {
    const one = await during(startSdk1Server())
    const two = await during(startSdk2Server({ eras: 'modern' }))
    const three = await during(startSdk2Server({ eras: 'legacy' }))
    const { url, token } = await startVirtual(
      { 'dev/one': open(one.url), 'dev/two': open(two.url), 'dev/three': open(three.url) },
      { tools: { 'dev/one': '*' }, resources: { 'dev/two': '*', 'dev/three': '*' } },
    )
    const uris = ['notes://readme', 'mcp-member://dev/three/notes%3A%2F%2Freadme']
    const { headers, body } = modern('subscriptions/listen', {
      notifications: { toolsListChanged: true, resourceSubscriptions: uris },
    })
    const stream = listen(await send(url, { token, headers, body: { ...body, id: 'mine' } }))
    await one.call(({ method, status }) => method === 'GET' && status === 200)
    await two.call(({ rpc: method, status }) => method === 'subscriptions/listen' && status === 200)
    await three.call(({ method, status }) => method === 'GET' && status === 200)
    const told = () =>
      [...stream.text().matchAll(/^data: (.*)$/gm)].map(([, data = '']) => {
        const { method, params } = JSON.parse(data)
        return [
          method.replace('notifications/', ''),
          params._meta['io.modelcontextprotocol/subscriptionId'],
          params.uri,
        ]
      })
    await expect.poll(told).toEqual([['subscriptions/acknowledged', 'mine', undefined]])
    await one.toolsChanged()
    await expect.poll(told).toContainEqual(['tools/list_changed', 'mine', undefined])
    await two.resourceUpdated('notes://readme')
    await expect.poll(told).toContainEqual(['resources/updated', 'mine', uris[0]])
    await three.resourceUpdated('notes://readme')
    await expect.poll(told).toContainEqual(['resources/updated', 'mine', uris[1]])
    expect(told()).toHaveLength(4)
  })

  test.each([
    ['a legacy member', 'a legacy client', (port: number) => startSdk1Server({ port })],
    ['a modern member', 'a legacy client', (port: number) => startSdk2Server({ eras: 'modern', port })],
    ['a legacy member', 'a modern client', (port: number) => startSdk2Server({ eras: 'legacy', port })],
    ['a modern member', 'a modern client', (port: number) => startSdk2Server({ eras: 'modern', port })],
  ])('of %s that was restarted reaches %s on the stream that it has', async (member, client, start) => {
    const port = await freePort()
    const before = await start(port)
    const { url, token } = await startVirtual({ 'dev/one': open(before.url) }, { tools: { 'dev/one': '*' } })
    const mine = modern('subscriptions/listen', { notifications: { toolsListChanged: true } })
    const asked =
      client === 'a legacy client'
        ? { token, headers: await openSession(url, token), method: 'GET' }
        : { token, ...mine }
    const stream = listen(await send(url, asked))
    const isHeard = ({ method, rpc: asks, status }: Pick<McpCall, 'method' | 'rpc' | 'status'>) =>
      status === 200 && (member === 'a legacy member' ? method === 'GET' : asks === 'subscriptions/listen')
    await before.call(isHeard)
    await before.close()
    const after = await during(start(port))
    await after.call(isHeard)
    await after.toolsChanged()
    await expect.poll(stream.text).toContain('list_changed')
  })

  test('of resources that were subscribed to is asked for again where a legacy member was restarted', async () => {
    const start = (port: number) => startSdk2Server({ eras: 'legacy', port })
    const port = await freePort()
    const before = await start(port)
    const { url, token } = await startVirtual(
      { 'dev/one': open(before.url), 'dev/two': open((await during(startSdk2Server())).url) },
      { tools: {}, resources: { 'dev/two': '*', 'dev/one': '*' } },
    )
    const headers = await openSession(url, token)
    const stream = listen(await send(url, { token, headers, method: 'GET' }))
    await before.call(({ method, status }) => method === 'GET' && status === 200)
    const [readme, gone] = ['mcp-member://dev/one/notes%3A%2F%2Freadme', 'mcp-member://dev/one/notes%3A%2F%2Fnotes%2F3']
    for (const [method, uri] of [
      ['resources/subscribe', readme],
      ['resources/subscribe', gone],
      ['resources/unsubscribe', gone],
    ] as const) {
      expect((await rpc(url, { token, headers, body: ask(method, { uri }) })).json.result).toEqual({})
    }
    await before.close()
    const after = await during(start(port))
    await after.call(({ method, status }) => method === 'GET' && status === 200)
    const asked = after.calls.filter(({ rpc: method }) => method === 'resources/subscribe')
    expect(asked).toHaveLength(1)
    await after.resourceUpdated('notes://readme')
    await expect.poll(stream.text).toContain(readme)
  })

  test('is not asked for again and again where a member has no streams', async () => {
    const stub = await startStub()
    stub.answer = (request, response) => {
      if (request.method !== 'GET') return false
      response.writeHead(405).end()
      return true
    }
    const { url, token } = await startVirtual({ 'dev/one': open(stub.url) }, { tools: { 'dev/one': '*' } })
    const headers = await openSession(url, token)
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    listen(await send(url, { token, headers, method: 'GET' }))
    const gets = () => stub.requests.filter(({ method }) => method === 'GET').length
    await expect.poll(gets).toBe(1)
    for (let second = 0; second < 60; second++) await vi.advanceTimersByTimeAsync(1_000)
    expect(gets()).toBe(1)
  })

  test('makes lists fresh again', async () => {
    const one = await during(startSdk1Server())
    const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
    const headers = await openSession(url, token)
    const listed = () => one.calls.filter(({ rpc: method }) => method === 'tools/list').length
    await rpc(url, { token, headers, body: ask('tools/list') })
    await rpc(url, { token, headers, body: ask('tools/list') })
    expect(listed()).toBe(1)
    const stream = listen(await send(url, { token, headers, method: 'GET' }))
    await one.call(({ method, status }) => method === 'GET' && status === 200)
    await one.toolsChanged()
    await expect.poll(stream.text).toContain('list_changed')
    await rpc(url, { token, headers, body: ask('tools/list') })
    expect(listed()).toBe(2)
  })
})

test('a list that changes while it is told is not kept', async () => {
  const stub = await startStub()
  let events: ServerResponse | undefined
  let lists = 0
  let release = () => {}
  stub.answer = (request, response, body) => {
    if (request.method === 'GET') {
      events = response.writeHead(200, { 'content-type': 'text/event-stream' })
      return events.write(': here\n\n')
    }
    const { id, method } = JSON.parse(body || '{}')
    if (method !== 'tools/list') return false
    lists++
    const result = { tools: [{ name: `tool-${lists}`, inputSchema: { type: 'object' } }] }
    const answer = () => response.writeHead(200, { 'content-type': 'application/json' }).end(told({ id, result }))
    if (lists === 1) release = answer
    else answer()
    return true
  }
  const told = (message: object) => JSON.stringify({ jsonrpc: '2.0', ...message })
  const { url, token } = await startVirtual({ 'dev/one': open(stub.url) }, { tools: { 'dev/one': '*' } })
  const headers = await openSession(url, token)
  const stream = listen(await send(url, { token, headers, method: 'GET' }))
  const names = async () => {
    const { json } = await rpc(url, { token, headers, body: ask('tools/list') })
    return json.result.tools.map(({ name }: { name: string }) => name)
  }
  const first = names()
  await expect.poll(() => [lists, events !== undefined]).toEqual([1, true])
  events?.write(`data: ${told({ method: 'notifications/tools/list_changed' })}\n\n`)
  await expect.poll(stream.text).toContain('list_changed')
  release()
  expect(await first).toEqual(['tool-1'])
  expect(await names()).toEqual(['tool-2'])
})

describe('what is of one era only', () => {
  test('x-mcp-header: a modern member gets its fields, also for clients that know nothing of them; those that do must send what the arguments say', async () => {
    const seen: Record<string, unknown>[] = []
    const stub = await startStub()
    stub.answer = (request, response, body) => {
      const { id, method, params } = JSON.parse(body || '{}')
      const say = (result: object) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } }))
        return true
      }
      if (method === 'server/discover') return say({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } })
      const annotated = (name: string, annotation: string) => ({
        name,
        inputSchema: {
          type: 'object',
          properties: {
            region: { type: 'string', 'x-mcp-header': annotation },
            count: { type: 'integer', 'x-mcp-header': 'Count' },
          },
        },
      })
      if (method === 'tools/list')
        return say({ tools: [annotated('good', 'Region'), annotated('bad', 'a b')], ttlMs: 0 })
      seen.push({
        name: params.name,
        region: request.headers['mcp-param-region'],
        count: request.headers['mcp-param-count'],
        mcpName: request.headers['mcp-name'],
      })
      return say({ content: [] })
    }
    const { url, token } = await startVirtual({ 'dev/one': open(stub.url) }, { tools: { 'dev/one': { prefix: 'p_' } } })
    const headers = await openSession(url, token)
    const list = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(list.json.result.tools.map(({ name }: { name: string }) => name)).toEqual(['p_good'])
    await rpc(url, { token, headers, body: callTool('p_good', { region: 'é', count: 1 }) })
    const say = (args: object, fields: object) => {
      const call = modern('tools/call', { name: 'p_good', arguments: args })
      return rpc(url, { token, ...call, headers: { ...call.headers, ...fields } })
    }
    expect((await say({ region: 'eu' }, { 'mcp-param-region': 'eu', 'mcp-param-other': 'x' })).status).toBe(200)
    // What says the same in another way, or nothing.
    expect((await say({ count: 42, region: null }, { 'mcp-param-count': '42.0' })).status).toBe(200)
    for (const region of ['us', '=?base64?w6k?=', 'e\u00ad', undefined]) {
      const refused = await say({ region: 'eu' }, region === undefined ? {} : { 'mcp-param-region': region })
      expect([region, refused.status, refused.json.error.code]).toEqual([region, 400, -32020])
    }
    for (const count of ['43', '42.5', '4e1', '0x2a', '']) {
      const refused = await say({ count: 42 }, { 'mcp-param-count': count })
      expect([count, refused.status, refused.json.error.code]).toEqual([count, 400, -32020])
    }
    expect((await say({}, { 'mcp-param-region': 'eu' })).status).toBe(400)
    expect(seen).toEqual([
      { name: 'good', region: '=?base64?w6k=?=', count: '1', mcpName: 'good' },
      { name: 'good', region: 'eu', count: undefined, mcpName: 'good' },
      { name: 'good', region: undefined, count: '42', mcpName: 'good' },
    ])
  })

  test('a response of a client reaches the replica that waits for it', async () => {
    const one = await during(startSdk2Server({ eras: 'modern' }))
    const virtual = { tools: { 'dev/one': '*' } } as const
    const first = await startVirtual({ 'dev/one': open(one.url) }, virtual)
    const { store, keys, provider, token, origin } = first
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await startVirtual({ 'dev/one': open(one.url) }, virtual, { store, keys, url: origin, provider, server })
    const elsewhere = `http://127.0.0.1:${port}/mcp/team/all/server`
    const headers = await openSession(first.url, token, '2025-11-25', { elicitation: {} })
    const stream = listen(await send(first.url, { token, headers, body: callTool('confirm') }))
    await expect.poll(stream.text).toContain('elicitation/create')
    const [, data = ''] = /^data: (.*)$/m.exec(stream.text()) ?? []
    const { id } = JSON.parse(data)
    const result = { action: 'accept', content: { sure: true } }
    expect((await rpc(elsewhere, { token, headers, body: { jsonrpc: '2.0', id, result } })).status).toBe(202)
    expect(await stream.ended).toBe('whole')
    expect(stream.text()).toContain('confirmed')
  })

  test('an audit tells the member', async () => {
    const one = await during(startSdk2Server({ eras: 'modern' }))
    const world = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': { prefix: 'p_' } } })
    await rpc(world.url, { token: world.token, ...modern('tools/call', { name: 'p_echo', arguments: { text: 'x' } }) })
    const told = await world.told(({ methods }) => methods[0] === 'tools/call')
    expect(told).toMatchObject({
      server: 'team/all',
      member: 'dev/one',
      targets: [{ kind: 'tool', name: 'p_echo' }],
      outcome: 'relayed',
      credential: 'none',
      upstreamStatus: 200,
    })
  })
})

test('a handshake settles on a revision that has Streamable HTTP, and says what it wants', async () => {
  const one = await during(startSdk2Server())
  const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
  for (const [asked, settled] of [
    ['2025-03-26', '2025-03-26'],
    ['2024-11-05', '2025-11-25'],
    ['1900-01-01', '2025-11-25'],
  ]) {
    const params = { protocolVersion: asked, capabilities: {}, clientInfo: { name: 't', version: '0' } }
    const { json } = await rpc(url, { token, body: { jsonrpc: '2.0', id: 1, method: 'initialize', params } })
    expect([asked, json.result.protocolVersion]).toEqual([asked, settled])
  }
  const mute = await rpc(url, { token, body: { jsonrpc: '2.0', id: 1, method: 'initialize' } })
  expect(mute.json.error).toMatchObject({ code: -32602, message: expect.stringContaining('protocolVersion') })
})

test.each(['modern', 'legacy', 'both'] as const)('the doctor finds nothing wrong with a %s server', async (eras) => {
  const one = await during(startSdk2Server({ eras }))
  const { gateway } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
  const { findings, text } = await gateway.doctor('dev/one')
  expect([text, findings.filter(({ level }) => level !== 'good')]).toEqual([text, []])
  await expect(gateway.doctor('team/all')).rejects.toMatchObject({
    code: 'ERR_UNKNOWN_SERVER',
    message: expect.stringContaining('dev/one'),
  })
})
