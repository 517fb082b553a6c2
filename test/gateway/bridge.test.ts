import { describe, expect, test } from 'vitest'
import { startEverythingServer } from '../support/mcp/everything-server.ts'
import { startSdk1Server } from '../support/mcp/sdk1-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { modern, startStub } from './attack-parts.ts'
import { startBridged } from './bridge-parts.ts'
import { CLIENTS, client1, client2, during, MEMBERS, textOf } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc } from './world.ts'

describe.each(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[])('a client on %s', (client) => {
  test.each(Object.keys(MEMBERS) as (keyof typeof MEMBERS)[])('uses a server on %s', async (server) => {
    const one = await during<Awaited<ReturnType<typeof startSdk1Server>>>(MEMBERS[server]() as never)
    const { url, token } = await startBridged(one.url)
    const caller = await CLIENTS[client](url, token)
    expect(caller.getServerVersion()).toMatchObject({
      name: server.startsWith('SDK 1') ? 'sdk1' : 'sdk2',
      version: '1.0.0',
    })
    const { tools } = await caller.listTools()
    expect(tools.map(({ name }) => name)).toContain('echo')
    expect(textOf(await caller.callTool({ name: 'echo', arguments: { text: 'hi' } }))).toBe('hi')
    expect((await caller.getPrompt({ name: 'greet', arguments: { name: 'Ada' } })).messages).toHaveLength(1)
    const { contents } = await caller.readResource({ uri: 'notes://readme' })
    expect(contents).toMatchObject([{ uri: 'notes://readme', text: 'read me' }])
    await expect(caller.readResource({ uri: 'notes://nowhere' })).rejects.toThrow()
  })
})

describe('server-everything, which is legacy,', () => {
  test('B6 serves a modern client', async () => {
    const everything = await during(startEverythingServer())
    const { url, token } = await startBridged(everything.url)
    const client = await client2(
      url,
      token,
      { pin: '2026-07-28' },
      { elicitation: { form: {} }, sampling: {}, roots: {} },
    )
    client.setRequestHandler('sampling/createMessage', async () => ({
      model: 'm',
      role: 'assistant',
      content: { type: 'text', text: 'something' },
    }))
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toBe('Echo: hi')
    const sampled = await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'x' } })
    expect(textOf(sampled)).toContain('something')
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(1)
  })
})

describe('a server that speaks both eras', () => {
  test('B6 is relayed as ever: bytes and session ids are as without the bridge', async () => {
    const both = await during(startSdk2Server())
    const { url, token } = await startBridged(both.url)
    const odd = Buffer.from(
      JSON.stringify(callTool('echo', { text: 'as it was' }))
        .replace('"id":1', '"id" :  1')
        .replace('{', '{ "extra":7e2,'),
    )
    const headers = await openSession(url, token)
    expect(headers['mcp-session-id'].length).toBeGreaterThan(43)
    await rpc(url, { token, headers: { ...headers, 'content-type': 'application/json' }, body: odd })
    const { headers: said, body } = modern('tools/call', { name: 'echo', arguments: { text: 'new' } })
    const young = JSON.stringify(body).replace('"id":1', '"id" :  1')
    const answer = await rpc(url, { token, headers: { ...said, 'content-type': 'application/json' }, body: young })
    expect(textOf(answer.json.result)).toBe('new')
    const bodies = both.calls.filter(({ rpc: method }) => method === 'tools/call').map((each) => each.body)
    expect(bodies).toEqual([odd.toString(), young])
  })
})

describe.each([
  ['legacy', 'modern'],
  ['modern', 'legacy'],
] as const)('a %s client at a %s server', (client, eras) => {
  /** One request, as the client's era has it. */
  async function caller(url: string, token: string, more: Readonly<Record<string, string>> = {}) {
    const session = client === 'legacy' ? await openSession(url, token) : {}
    return (method: string, params: Readonly<Record<string, unknown>> = {}) => {
      const { headers, body } =
        client === 'modern' ? modern(method, params) : { headers: {}, body: ask(method, params) }
      return rpc(url, { token, headers: { ...session, ...headers, ...more }, body })
    }
  }

  test('G15 grants hold in lists and calls, under the server’s own names', async () => {
    const one = await during(startSdk2Server({ eras }))
    const access = [{ to: 'user:corp/*', on: 'dev/one', tools: ['e*', 'add'], resources: ['notes://notes/*'] }]
    const { url, token, told } = await startBridged(one.url, {}, { access })
    const call = await caller(url, token)
    const { tools } = (await call('tools/list')).json.result
    expect(tools.map(({ name }: { name: string }) => name)).toEqual(['echo', 'add'])
    expect((await call('resources/list')).json.result.resources).toEqual([])
    expect((await call('prompts/list')).json.result.prompts).toEqual([])
    expect((await call('resources/templates/list')).json.result.resourceTemplates).toHaveLength(1)
    expect(textOf((await call('tools/call', { name: 'echo', arguments: { text: 'x' } })).json.result)).toBe('x')
    expect((await call('tools/call', { name: 'whoami' })).json.error).toMatchObject({
      code: -32602,
      message: 'Unknown tool: whoami',
    })
    expect((await call('resources/read', { uri: 'notes://readme' })).json.error.message).toBe('Resource not found')
    const event = await told(({ targets }) => targets[0]?.name === 'echo')
    expect(event).toMatchObject({ server: 'dev/one', outcome: 'relayed', credential: 'none', upstreamStatus: 200 })
    expect(event).not.toHaveProperty('member', 'dev/one')
  })

  test('G12 x-tfy-mcp-headers has the plain form', async () => {
    const one = await during(startSdk2Server({ eras }))
    const { url, token } = await startBridged(one.url)
    const own = { 'x-tfy-mcp-headers': JSON.stringify({ 'X-Workspace': 'research' }) }
    const call = await caller(url, token, own)
    await call('tools/call', { name: 'echo', arguments: { text: 'x' } })
    const sent = await one.call(({ rpc: method }) => method === 'tools/call')
    expect(sent.headers['x-workspace']).toBe('research')
    expect(sent.headers).not.toHaveProperty('x-tfy-mcp-headers')
  })

  test('names that a virtual server would not have are kept, and pages stay the server’s', async () => {
    const stub = await startStub()
    stub.answer = (_request, response, body) => {
      const { id, method, params } = JSON.parse(body || '{}')
      const isModern = eras === 'modern'
      const say = (status: number, message: object) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, ...message }))
        return true
      }
      if (method === 'server/discover') {
        const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
        return isModern ? say(200, { result }) : say(400, {})
      }
      if (isModern && method === 'initialize') return say(404, { error: { code: -32601, message: 'no' } })
      if (method === 'tools/list') {
        const tool = (name: string) => ({ name, inputSchema: { type: 'object' } })
        const modernly = isModern ? { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public' } : {}
        const last = params?.cursor === 'two'
        const tools = [tool(last ? 'zwei' : 'mit Leerzeichen/é')]
        return say(200, { result: { ...modernly, tools, ...(last ? {} : { nextCursor: 'two' }) } })
      }
      if (method !== 'tools/call') return false
      return say(200, { result: { resultType: 'complete', content: [{ type: 'text', text: params.name }] } })
    }
    const { url, token } = await startBridged(stub.url)
    const call = await caller(url, token)
    const first = (await call('tools/list')).json.result
    expect([first.tools[0].name, first.nextCursor]).toEqual(['mit Leerzeichen/é', 'two'])
    const second = (await call('tools/list', { cursor: 'two' })).json.result
    expect([second.tools[0].name, second.nextCursor]).toEqual(['zwei', undefined])
    const said = Buffer.from('mit Leerzeichen/é').toString('base64')
    const { headers, body } = modern('tools/call', { name: 'mit Leerzeichen/é' })
    if (client === 'modern') {
      const named = { ...headers, 'mcp-name': `=?base64?${said}?=` }
      expect(textOf((await rpc(url, { token, headers: named, body })).json.result)).toBe('mit Leerzeichen/é')
    } else {
      expect(textOf((await call('tools/call', { name: 'mit Leerzeichen/é' })).json.result)).toBe('mit Leerzeichen/é')
    }
  })

  test('a server that dies answers nothing of what is known of it', async () => {
    const one = await startSdk2Server({ eras })
    const { url, token } = await startBridged(one.url)
    const call = await caller(url, token)
    expect((await call('tools/list')).status).toBe(200)
    await one.close()
    for (const [method, params] of [
      ['tools/list', {}],
      ['tools/call', { name: 'echo' }],
    ] as const) {
      const answer = await call(method, params)
      expect([answer.status, answer.json.error.code]).toEqual([502, 5020])
      expect(answer.json.error.message).toBe('dev/one cannot be reached.')
    }
  })
})

test('clients of every kind use one server of each era at the same time', async () => {
  const old = await during(startSdk1Server())
  const young = await during(startSdk2Server({ eras: 'modern' }))
  const servers = [await startBridged(old.url), await startBridged(young.url)]
  const answers = await Promise.all(
    servers.flatMap(({ url, token }) =>
      [
        client1(url, token),
        client2(url, token, 'auto'),
        client2(url, token, 'legacy'),
        client2(url, token, { pin: '2026-07-28' }),
      ].map(async (connecting, index) => {
        const client = await connecting
        const texts = [0, 1, 2].map((each) => `${index} ${each}`)
        const said = texts.map(async (text) => textOf(await client.callTool({ name: 'echo', arguments: { text } })))
        return (await Promise.all(said)).join() === texts.join()
      }),
    ),
  )
  expect(answers).toEqual(Array(8).fill(true))
})
