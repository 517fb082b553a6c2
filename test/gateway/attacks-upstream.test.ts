/** Upstreams that mean no good, or are broken as if they did, through the whole gateway. */
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { socketUpstream } from '../mcp/relay-wire.ts'
import { done, event, listen, type Stub, startConsentWorld, startStub } from './attack-parts.ts'
import {
  ask,
  callTool,
  initialize,
  openSession,
  rpc,
  send,
  startWorld,
  type World,
  type WorldOptions,
} from './world.ts'

const FEW = { to: 'user:corp/*', on: '*', tools: ['ok'] } as const

async function open(
  options: Partial<WorldOptions> = {},
): Promise<{ stub: Stub; world: World; url: string; token: string }> {
  const stub = await startStub()
  const world = await startWorld({
    servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
    access: [FEW],
    ...options,
  })
  return { stub, world, url: world.endpoint('dev/one'), token: await world.jwt('alice') }
}

const LIST = {
  tools: [
    { name: 'evil', inputSchema: {} },
    { name: 'ok', inputSchema: {} },
  ],
}
const listAnswer = (id: unknown) => ({ jsonrpc: '2.0', id, result: LIST })

describe('lists where none were asked for', () => {
  test('on the stream of a GET are filtered, in batches, in several lines, and in odd spellings', async () => {
    const { stub, url, token } = await open()
    stub.answer = (request, response) => {
      if (request.method !== 'GET') return false
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event(listAnswer(1)))
      response.write(event([listAnswer(2), listAnswer('3')]))
      response.write(`data: ${JSON.stringify(listAnswer(4)).replaceAll(',', ',\ndata: ')}\r\n\r\n`)
      response.write(event({ jsonrpc: '2.0', id: 5, Result: { Tools: LIST.tools } }))
      response.write(
        event({
          jsonrpc: '2.0',
          id: 6,
          result: { tools: LIST.tools, TOOLS: LIST.tools, resources: [{ uri: 'evil://x' }] },
        }),
      )
      response.write(`event: odd\nid: 7\n${event(listAnswer(7))}`)
      response.end('data: end\n\n'.replace('end', '{"jsonrpc":"2.0","method":"notifications/end"}'))
      return true
    }
    const headers = await openSession(url, token)
    const stream = await rpc(url, { token, headers: { ...headers, 'last-event-id': '0' }, method: 'GET' })
    expect(stream.text).toContain('notifications/end')
    expect(stream.text).not.toContain('evil')
    expect(stream.text.match(/"ok"/g)?.length).toBeGreaterThanOrEqual(5)
  })

  // Servers on the SDK send an answer to the last request of its id, so that a client which uses one twice gets this.
  test('in the answer to a call are filtered in both eras, as JSON and in events, whole and in pieces', async () => {
    const { stub, url, token } = await open()
    const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'ok' }
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const modernCall = ask('tools/call', { name: 'ok', arguments: {}, _meta })
    for (const [type, text] of [
      ['application/json', JSON.stringify(listAnswer(1))],
      ['application/json', JSON.stringify([{ jsonrpc: '2.0', id: 2, result: {} }, listAnswer(1)])],
      ['application/json', JSON.stringify(listAnswer(1)).replace('tools', 'to\\u006fLs')],
      ['text/event-stream', event(listAnswer(1))],
      ['text/event-stream', `: here\n\n${event({ jsonrpc: '2.0', method: 'notifications/x' })}${event(listAnswer(1))}`],
    ] as const) {
      for (const at of [text.length, 20]) {
        stub.answer = (_, response, body) => {
          if (!body.includes('tools/call')) return false
          response.writeHead(200, { 'content-type': type }).write(text.slice(0, at))
          setImmediate(() => response.end(text.slice(at)))
          return true
        }
        for (const got of [
          await rpc(url, { token, body: callTool('ok') }),
          await rpc(url, { token, headers: modern, body: modernCall }),
        ]) {
          expect(got.status).toBe(200)
          expect(got.text).toContain('"ok"')
          expect(got.text).not.toContain('evil')
        }
      }
    }
    expect((await rpc(url, { token, body: callTool('evil') })).json.error.code).toBe(-32602)
  })

  test('for another request id, in an error, in initialize, or with the status of one, are filtered where a list was asked for', async () => {
    const { stub, url, token } = await open()
    for (const [status, answer] of [
      [200, listAnswer(99)],
      [200, listAnswer(null)],
      [200, { ...listAnswer(1), error: { code: 1, message: 'x', data: 1 } }],
      [201, listAnswer(1)],
      [200, [listAnswer(1), listAnswer(2)]],
    ] as const) {
      stub.answer = (_, response) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
        return true
      }
      const got = await rpc(url, { token, body: ask('tools/list') })
      expect([JSON.stringify(answer), got.text.includes('evil')]).toEqual([JSON.stringify(answer), false])
    }
  })

  test('with names of HTML and control characters: such entries are left out, or go on as JSON and nothing else', async () => {
    const { stub, world, url, token } = await open({
      access: [
        { to: 'user:corp/*', on: '*', tools: ['*'] },
        { to: 'user:corp/zoe@example.com', on: '*' },
      ],
    })
    const names = ['<script>alert(1)</script>', 'a\u0000b', 'a\r\nx: y', '\u202Eevil', 'x'.repeat(5000), '', 'good']
    stub.answer = (_, response, body) => {
      if (!body.includes('tools/list')) return false
      const tools = [...names, 1, null, {}].map((name) => ({ name, inputSchema: {} }))
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } }))
      return true
    }
    const got = await rpc(url, { token, body: ask('tools/list') })
    expect(got.headers.get('content-type')).toMatch(/^application\/json/)
    const told = got.json.result.tools.map(({ name }: { name: string }) => name)
    expect(told).toContain('good')
    for (const bad of ['a\u0000b', 'a\r\nx: y', 'x'.repeat(5000), '', 1]) expect(told).not.toContain(bad)
    // A call of such a name is no header field of its own.
    await rpc(url, { token: await world.jwt('zoe'), body: callTool('a\r\nx: y') })
    expect(stub.requests.at(-1)?.headers.x).toBeUndefined()
  })
})

describe('an answer that has no end or is not what it says', () => {
  test('of 200 MB in one line, in JSON and in events: what is filtered is given up, and the gateway goes on', async () => {
    const { stub, url, token } = await open()
    const piece = Buffer.alloc(1024 * 1024, 0x78)
    for (const [type, first] of [
      ['application/json', '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"'],
      ['text/event-stream', 'data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"'],
    ] as const) {
      let sent = 0
      stub.answer = (_, response, body) => {
        if (!body.includes('tools/list')) return false
        response.writeHead(200, { 'content-type': type })
        response.write(first)
        const more = () => {
          while (sent < 200 && !response.destroyed) {
            sent++
            if (!response.write(piece)) return void response.once('drain', more)
          }
          response.end()
        }
        more()
        return true
      }
      const before = process.memoryUsage().rss
      const answer = await rpc(url, { token, body: ask('tools/list') }).catch((error: unknown) => error)
      if (answer instanceof Error) expect(answer).toBeInstanceOf(TypeError)
      else expect((answer as { status: number }).status).toBe(502)
      expect(sent).toBeLessThan(200)
      expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024)
    }
    stub.answer = () => false
    expect((await rpc(url, { token, body: callTool('ok') })).status).toBe(200)
  })

  test('that dribbles or never begins is given up after the time that is set; one that streams may take its time', async () => {
    const { stub, url, token } = await open({ limits: { answerMs: 300 } })
    const timers = new Set<NodeJS.Timeout>()
    onTestFinished(() => timers.forEach(clearInterval))
    stub.answer = (_, response, body) => {
      if (!body.includes('tools/list')) return true
      response.writeHead(200, { 'content-type': 'application/json' })
      timers.add(setInterval(() => response.write(' '), 20))
      return true
    }
    expect((await rpc(url, { token, body: callTool('ok') })).status).toBe(504)
    expect((await rpc(url, { token, body: ask('tools/list') })).status).toBe(504)
    stub.answer = () => false
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const stream = listen(await send(url, { token, method: 'GET' }))
    await expect.poll(stream.text).toBe(': here\n\n')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await Promise.race([stream.ended, Promise.resolve('open')])).toBe('open')
  })

  test('of another type, coding or length is 502, and none of it is shown', async () => {
    const { stub, url, token } = await open()
    const json = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { secret: 'inside' } })
    for (const [headers, body] of [
      [{ 'content-type': 'text/html' }, json],
      [{ 'content-type': 'text/event-stream, application/json' }, json],
      [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, gzipSync(json)],
      [{ 'content-type': 'application/json', 'content-encoding': 'br, gzip' }, gzipSync(json)],
      [{ 'content-type': 'application/jsonp' }, json],
      [{}, json],
    ] as const) {
      stub.answer = (_, response) => done(response.writeHead(200, headers).end(body))
      for (const message of [callTool('ok'), ask('tools/list'), initialize()]) {
        const answer = await rpc(url, { token, body: message, headers: { 'accept-encoding': 'identity' } })
        expect([JSON.stringify(headers), answer.status, answer.text.includes('inside')]).toEqual([
          JSON.stringify(headers),
          502,
          false,
        ])
        expect(answer.json.id).toBe(1)
      }
    }
  })

  test.each([
    ['is longer than it says', 'content-length: 5\r\n\r\n{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['is shorter than it says', 'content-length: 500\r\n\r\n{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['has two lengths', 'content-length: 36\r\ncontent-length: 5\r\n\r\n{"jsonrpc":"2.0","id":1,"result":{}}'],
    [
      'has a length and chunks',
      'content-length: 36\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{"jsonrpc":"2.0","id":1,"result":{}}',
    ],
    ['has broken chunks', 'transfer-encoding: chunked\r\n\r\nzz\r\n{"jsonrpc":"2.0"'],
    ['splits its headers', 'x: y\nset-cookie: a=b\r\ncontent-length: 36\r\n\r\n{"jsonrpc":"2.0","id":1,"result":{}}'],
  ])('that %s is cut off and shows nobody else’s', async (_, rest) => {
    const upstream = await socketUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${rest}`)
      if (rest.includes('500')) socket.end()
    })
    onTestFinished(() => upstream.close())
    const world = await startWorld({
      servers: { 'dev/one': { url: upstream.url, auth: { type: 'none' } } },
      access: [{ to: 'user:corp/*', on: '*' }],
      limits: { answerMs: 1_000 },
    })
    const token = await world.jwt('alice')
    const answer = await rpc(world.endpoint('dev/one'), { token, body: callTool('ok') }).catch(
      (error: unknown) => error,
    )
    if (answer instanceof Error) return
    const { status, json, headers } = answer as Awaited<ReturnType<typeof rpc>>
    expect(headers.get('set-cookie')).toBeNull()
    expect(status >= 500 || json === undefined || JSON.stringify(json.result) === '{}').toBe(true)
  })

  test('that begins with 1xx is taken as what comes then; one that switches protocols is none', async () => {
    const json = '{"jsonrpc":"2.0","id":1,"result":{}}'
    for (const [begin, status] of [
      ['HTTP/1.1 103 Early Hints\r\nset-cookie: a=b\r\n\r\n', 200],
      ['HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 502],
    ] as const) {
      const upstream = await socketUpstream((socket) => {
        socket.write(
          `${begin}HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`,
        )
      })
      onTestFinished(() => upstream.close())
      const world = await startWorld({
        servers: { 'dev/one': { url: upstream.url, auth: { type: 'none' } } },
        access: [{ to: 'user:corp/*', on: '*' }],
      })
      const answer = await rpc(world.endpoint('dev/one'), { token: await world.jwt('alice'), body: callTool('ok') })
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([status, null])
    }
  })

  test('that breaks off right behind its last byte is told to the audit all the same, once for each request', async () => {
    const { stub, world, url, token } = await open()
    const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'up', version: '0' } }
    stub.answer = (request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': 'abc' })
      response.write(event({ jsonrpc: '2.0', id: 1, result }))
      // Before the gateway has sealed the session's id.
      setImmediate(() => request.socket.resetAndDestroy())
      return true
    }
    for (let times = 1; times <= 20; times++) {
      await rpc(url, { token, body: initialize() }).catch(() => {})
      await expect.poll(() => world.audits.filter(({ type }) => type === 'request')).toHaveLength(times)
    }
  })

  test('that is said to be short and does not come is given up where it is read whole', async () => {
    const { stub, url, token } = await open({ limits: { answerMs: 300 } })
    stub.answer = (_, response, body) => {
      if (!body.includes('tools/list')) return false
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{"jsonrpc"')
      return true
    }
    const { status, json } = await rpc(url, { token, body: ask('tools/list') })
    expect([status, json.error.code]).toEqual([504, 5040])
  })

  test('that breaks off is not a whole one to the client, in JSON, in events, and while lists are filtered', async () => {
    const { stub, url, token } = await open()
    for (const [type, body, message] of [
      ['text/event-stream', 'data: {"jsonrpc"', callTool('ok')],
      ['text/event-stream', event({ jsonrpc: '2.0', method: 'notifications/x' }), ask('tools/list')],
      ['application/json', `{"jsonrpc":"2.0","id":1,"result":{"x":"${'x'.repeat(200_000)}`, callTool('ok')],
      ['application/json', '{"jsonrpc":"2.0","id":1,"result":{"tools":[', ask('tools/list')],
    ] as const) {
      stub.answer = (_, response) => {
        response.writeHead(200, { 'content-type': type })
        response.write(body, () => setTimeout(() => response.destroy(), 20))
        return true
      }
      const response = await send(url, { token, body: message })
      if (response.status === 200) expect(await listen(response).ended).toBe('cut')
      else expect(response.status).toBe(502)
    }
  })
})

describe('an upstream that takes no token', () => {
  test('costs the authorization server one redemption, however many ask at once and however often they come back', async () => {
    const { url, provider, connect, notes } = await startConsentWorld()
    const token = await connect('alice')
    notes.answer = (_, response) => done(response.writeHead(401, { 'www-authenticate': 'Bearer' }).end())
    const redeemed = () => provider.asked.filter(({ parameters }) => parameters.grant_type === 'refresh_token').length
    const calls = await Promise.all(
      Array.from({ length: 8 }, (_, id) => rpc(url, { token, body: callTool('ok', {}, id) })),
    )
    expect(calls.map(({ json }) => json.error.code)).toEqual(calls.map(() => 4011))
    const before = redeemed()
    // One that came late may have found the new token, and tried once more.
    expect(before).toBeLessThanOrEqual(2)
    for (let turn = 0; turn < 5; turn++) {
      expect((await rpc(url, { token, body: callTool('ok') })).json.error.code).toBe(4011)
    }
    expect(redeemed()).toBe(before)
  })

  test('and comes to its senses is used again at once', async () => {
    const { url, connect, notes } = await startConsentWorld()
    const { answer } = notes
    const token = await connect('alice')
    notes.answer = (_, response) => done(response.writeHead(401).end())
    expect((await rpc(url, { token, body: callTool('ok') })).json.error.code).toBe(4011)
    notes.answer = answer
    expect((await rpc(url, { token, body: callTool('ok') })).json.result).toBeDefined()
  })
})
