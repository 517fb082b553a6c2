/** B6: what each era of a bridged server gets of clients of the other, line by line, and how its era is found out. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { startSdk1Server } from '../support/mcp/sdk1-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { modern, startStub } from './attack-parts.ts'
import { startAsking, startBridged } from './bridge-parts.ts'
import { during, textOf } from './virtual-parts.ts'
import { ask, callTool, initialize, openSession, rpc } from './world.ts'

describe('a legacy server', () => {
  test('B6 is probed once, and then shaken hands with; modern clients get no session id', async () => {
    const one = await during(startSdk1Server())
    const { url, token } = await startBridged(one.url)
    for (const text of ['a', 'b']) {
      const call = modern('tools/call', { name: 'echo', arguments: { text } })
      const answer = await rpc(url, { token, ...call })
      expect(answer.headers.get('mcp-session-id')).toBeNull()
      expect(answer.json.result).toEqual({
        content: [{ type: 'text', text }],
        resultType: 'complete',
        _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'sdk1', version: '1.0.0' } },
      })
    }
    expect(one.calls.flatMap(({ rpc: method }) => method ?? [])).toEqual([
      'server/discover',
      'initialize',
      'notifications/initialized',
      'tools/call',
      'tools/call',
    ])
    const session = one.calls.slice(3).map(({ headers }) => headers['mcp-session-id'])
    expect(new Set(session).size).toBe(1)
    expect(
      one.calls
        .slice(3)
        .map(({ body }) => body)
        .join(),
    ).not.toContain('io.modelcontextprotocol')
  })

  test('B6 is described to a modern client in its own words, and its lists are nobody else’s', async () => {
    const asking = await startAsking('legacy')
    const { url, token } = await startBridged(asking.url, { description: 'what people read who connect it' })
    const found = await rpc(url, { token, ...modern('server/discover') })
    const serverInfo = { name: 'asking', version: '2.0.0', title: 'The asking server' }
    expect(found.json.result).toEqual({
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: { listChanged: true }, logging: {} },
      instructions: 'Answer what you are asked.',
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
    })
    const list = await rpc(url, { token, ...modern('tools/list') })
    expect(list.json.result).toMatchObject({
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
    })
  })

  test('B6 configured as one is not probed', async () => {
    const one = await during(startSdk1Server())
    const { url, token } = await startBridged(one.url, { era: 'legacy' })
    await rpc(url, { token, ...modern('tools/list') })
    expect(one.calls.map(({ rpc: method }) => method)).not.toContain('server/discover')
  })

  test('B6 tells a modern client what it logs, from the level on that the request names', async () => {
    const asking = await startAsking('legacy')
    const { url, token } = await startBridged(asking.url)
    const call = modern('tools/call', { name: 'log' })
    const silent = await rpc(url, { token, ...call })
    expect(silent.text).not.toContain('notifications/message')
    const _meta = { ...call.body.params._meta, 'io.modelcontextprotocol/logLevel': 'info' }
    const body = { ...call.body, params: { ...call.body.params, _meta } }
    const { text } = await rpc(url, { token, ...call, body })
    expect(text.match(/at \w+/g)).toEqual(['at info', 'at error'])
  })

  test('B6 a header field that repeats an argument is checked, is missed once its tools are known, and is not the server’s', async () => {
    const stub = await startStub()
    const region = { type: 'string', 'x-mcp-header': 'Region' }
    const tools = [{ name: 'ok', inputSchema: { type: 'object', properties: { region } } }]
    stub.answer = (_request, response, body) => {
      const { id, method } = JSON.parse(body || '{}')
      if (method !== 'initialize' && method !== 'tools/list') return false
      const serverInfo = { name: 'stub', version: '1' }
      const described = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: method === 'initialize' ? described : { tools } }))
      return true
    }
    const { url, token } = await startBridged(stub.url, { era: 'legacy' })
    const say = async (fields: object) => {
      const call = modern('tools/call', { name: 'ok', arguments: { region: 'eu' } })
      const { status, json } = await rpc(url, { token, ...call, headers: { ...call.headers, ...fields } })
      return [status, json.error?.code]
    }
    expect(await say({})).toEqual([200, undefined])
    expect(stub.methods()).not.toContain('tools/list')
    expect(await say({ 'mcp-param-region': 'us' })).toEqual([400, -32020])
    expect(await say({})).toEqual([400, -32020])
    expect(await say({ 'mcp-param-region': 'eu' })).toEqual([200, undefined])
    expect(stub.requests.flatMap(({ headers }) => headers['mcp-param-region'] ?? [])).toEqual([])
  })

  test('B6 that does not have a method says so to a modern client', async () => {
    const one = await during(startSdk1Server())
    const { url, token } = await startBridged(one.url)
    for (const method of ['resources/subscribe', 'ping', 'logging/setLevel', 'initialize', 'tasks/list', 'made/up']) {
      const answer = await rpc(url, { token, ...modern(method, { uri: 'notes://readme' }) })
      expect([method, answer.status, answer.json.error.code]).toEqual([method, 404, -32601])
    }
    expect(one.calls.every(({ rpc: method }) => method !== 'made/up')).toBe(true)
  })

  test('B6 that becomes a modern one is found out', async () => {
    const stub = await startStub()
    let answers: 'legacy' | 'modern' = 'legacy'
    stub.answer = (_request, response, body) => {
      const { id, method } = JSON.parse(body || '{}')
      if (answers === 'legacy') {
        if (method !== 'server/discover') return false
        response.writeHead(400).end()
        return true
      }
      const isModern = body.includes('io.modelcontextprotocol/protocolVersion')
      const error = { code: -32022, message: 'too old', data: { supported: ['2026-07-28'], requested: 'none' } }
      const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {}, content: [] }
      response.writeHead(isModern ? 200 : 400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...(isModern ? { result } : { error }) }))
      return true
    }
    const { url, token } = await startBridged(stub.url)
    const call = modern('tools/call', { name: 'ok' })
    expect((await rpc(url, { token, ...call })).status).toBe(200)
    answers = 'modern'
    await expect.poll(async () => (await rpc(url, { token, ...call })).json.result).toMatchObject({ content: [] })
    answers = 'legacy'
    await expect.poll(async () => textOf((await rpc(url, { token, ...call })).json.result ?? {})).toBe('did ok')
  })
})

describe('a modern server', () => {
  test('B6 is offered to a legacy client as it describes itself, and is not asked for pings', async () => {
    const asking = await startAsking('modern')
    const { url, token } = await startBridged(asking.url)
    const answer = await rpc(url, { token, body: initialize('2025-06-18') })
    expect(answer.json.result).toEqual({
      protocolVersion: '2025-06-18',
      capabilities: { tools: { listChanged: true }, logging: {} },
      serverInfo: { name: 'asking', version: '2.0.0', title: 'The asking server' },
      instructions: 'Answer what you are asked.',
    })
    const headers = { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' }
    expect((await rpc(url, { token, headers, body: ask('ping') })).json.result).toEqual({})
    expect(asking.calls.map(({ rpc: method }) => method)).toEqual(['initialize', 'server/discover'])
    // What it has refused once it is not asked again.
    await rpc(url, { token, body: initialize() })
    expect(asking.calls.map(({ rpc: method }) => method)).toEqual(['initialize', 'server/discover'])
  })

  test('B6 gets requests of a legacy client with everything that its era wants, the level of logging too', async () => {
    const asking = await startAsking('modern', 'sse')
    const { url, token } = await startBridged(asking.url)
    const capabilities = { elicitation: {}, tasks: {} }
    const headers = await openSession(url, token, '2025-11-25', capabilities)
    await rpc(url, { token, headers, body: ask('logging/setLevel', { level: 'error' }) })
    const { text } = await rpc(url, { token, headers, body: callTool('log') })
    expect(text).toContain('at error')
    const [call] = asking.calls.filter(({ rpc: method }) => method === 'tools/call')
    expect(call?.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'log',
    })
    expect(call?.headers).not.toHaveProperty('mcp-session-id')
    expect(JSON.parse(call?.body ?? '').params._meta).toEqual({
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/logLevel': 'error',
    })
    const wrong = await rpc(url, { token, headers, body: ask('logging/setLevel', { level: 'loud' }) })
    expect(wrong.json.error.code).toBe(-32602)
  })

  test('B6 a legacy client sees nothing of the modern era in results', async () => {
    const young = await during(startSdk2Server({ eras: 'modern' }))
    const { url, token } = await startBridged(young.url)
    const headers = await openSession(url, token)
    for (const body of [
      ask('tools/list'),
      callTool('echo', { text: 'x' }),
      ask('resources/read', { uri: 'notes://readme' }),
    ]) {
      const { text } = await rpc(url, { token, headers, body })
      expect(text).toContain('result')
      expect(text).not.toMatch(/resultType|ttlMs|cacheScope|io\.modelcontextprotocol/)
    }
  })

  test('B7 sessions of legacy clients are served by any replica, and end with DELETE', async () => {
    const young = await during(startSdk2Server({ eras: 'modern' }))
    const first = await startBridged(young.url)
    const { store, keys, provider, token, origin } = first
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await startBridged(young.url, {}, { store, keys, url: origin, provider, server })
    const elsewhere = `http://127.0.0.1:${port}/mcp/dev/one/server`
    const headers = await openSession(first.url, token)
    const answer = await rpc(elsewhere, { token, headers, body: callTool('echo', { text: 'there' }) })
    expect(textOf(answer.json.result)).toBe('there')
    expect((await rpc(first.url, { token: await first.jwt('bob'), headers, body: ask('ping') })).status).toBe(404)
    expect((await rpc(first.url, { token, headers, method: 'DELETE' })).status).toBe(204)
    expect((await rpc(first.url, { token, headers, body: ask('ping') })).status).toBe(404)
  })

  test('2025-03-26: a batch is answered one by one', async () => {
    const young = await during(startSdk2Server({ eras: 'modern' }))
    const { url, token } = await startBridged(young.url)
    const headers = await openSession(url, token, '2025-03-26')
    const body = [callTool('echo', { text: 'a' }, 1), ask('ping', undefined, 2), callTool('nothing', {}, 3)]
    const { json } = await rpc(url, { token, headers, body })
    expect(json.map(({ id }: { id: number }) => id)).toEqual([1, 2, 3])
  })
})
