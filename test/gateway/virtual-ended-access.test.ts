/** G5, G1, G13, G23: access to a virtual server, or to what is behind it, that ends while somebody is connected. */
import type { ServerResponse } from 'node:http'
import { createGateway } from 'sallyport/gateway'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { event, listen, modern, type Stub, startConsentWorld, startStub } from './attack-parts.ts'
import { open, startVirtual } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc, send } from './world.ts'

const NEVER = 3_600_000
const GRANT = { to: 'user:corp/*', on: 'team/all' } as const
const isOpen = (...streams: { readonly ended: Promise<string> }[]) =>
  Promise.race([...streams.map(({ ended }) => ended), Promise.resolve('open')])

/** A virtual server over two members that go on and on: `stream` is the first one's, `two_stream` the other's. */
async function startTwo(recheckMs = NEVER, clock = systemClock) {
  const [one, two] = [await startStub(), await startStub()]
  const world = await startVirtual(
    { 'dev/one': open(one.url, { era: 'legacy' }), 'dev/two': open(two.url, { era: 'legacy' }) },
    { tools: { 'dev/one': ['ok', 'stream'], 'dev/two': { include: ['ok', 'stream'], prefix: 'two_' } } },
    {
      virtualAccounts: { ci: {} },
      access: [GRANT, { to: 'virtual-account:ci', on: 'team/*' }],
      limits: { recheckMs },
      clock,
    },
  )
  return { ...world, one, two }
}

/** The stream of a GET, which has reached all `members`, and a call whose answer goes on and on. */
async function listenTwice(url: string, token: string, members: readonly Stub[], tool = 'stream') {
  const gets = (stub: Stub) => stub.requests.filter(({ method }) => method === 'GET').length
  const before = members.map(gets)
  const headers = await openSession(url, token)
  const get = listen(await send(url, { token, headers, method: 'GET' }))
  const post = listen(await send(url, { token, headers, body: callTool(tool) }))
  await expect.poll(() => post.text()).toContain('begun')
  await expect.poll(() => members.map(gets)).toEqual(before.map((count) => count + 1))
  return { headers, get, post }
}

describe('a stream and a long answer of a virtual server', () => {
  test('end when the key is revoked', async () => {
    const { gateway, url, one, two } = await startTwo()
    const { key, id } = await gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
    const { get, post } = await listenTwice(url, key, [one, two])
    await gateway.keys.revoke({ virtualAccount: 'ci' }, id)
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect((await rpc(url, { token: key, body: ask('ping') })).status).toBe(401)
  })

  test('end when the JWT expires', async () => {
    let ahead = 0
    const { told, url, token, one, two } = await startTwo(20, { now: () => Date.now() + ahead })
    const { get, post } = await listenTwice(url, token, [one, two])
    ahead = 306_000
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect(await told(({ reason }) => reason === 'access_ended')).toMatchObject({ outcome: 'unauthenticated' })
  })

  test('end when the grant on it is taken away, members granted or not', async () => {
    const { gateway, url, token, one, two } = await startTwo()
    const { get, post, headers } = await listenTwice(url, token, [one, two])
    await gateway.access.set([{ to: 'user:corp/*', on: 'dev/*' }])
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect((await rpc(url, { token, headers, body: ask('ping') })).status).toBe(404)
  })

  test('of a tool end when the grant of that tool is taken away', async () => {
    const { gateway, told, url, token, one, two } = await startTwo()
    await gateway.access.set([{ ...GRANT, tools: ['two_stream', 'ok'] }])
    const { get, post, headers } = await listenTwice(url, token, [one, two], 'two_stream')
    await gateway.access.set([{ ...GRANT, tools: ['ok'] }])
    expect(await post.ended).toBe('cut')
    expect(await told(({ reason }) => reason === 'access_ended')).toMatchObject({
      outcome: 'denied',
      targets: [{ kind: 'tool', name: 'two_stream' }],
    })
    expect(await isOpen(get)).toBe('open')
    expect((await rpc(url, { token, headers, body: callTool('two_stream') })).json.error.code).toBe(-32602)
  })

  test('go on when something else changes', async () => {
    const { gateway, url, token, one, two } = await startTwo()
    const { get, post } = await listenTwice(url, token, [one, two])
    await gateway.servers.set('dev/one', open(one.url, { era: 'legacy', label: 'Another label' }))
    await gateway.access.add({ to: 'user:corp/zoe@example.com', on: 'dev/two' })
    expect(await isOpen(get, post)).toBe('open')
  })

  test('end with the last trace at members: nothing goes on there for a client that has lost access', async () => {
    const { gateway, url, token, one, two } = await startTwo()
    let left = 0
    for (const stub of [one, two]) {
      stub.answer = (request, response) => {
        if (request.method === 'GET') {
          left++
          response.once('close', () => left--)
        }
        return false
      }
    }
    await listenTwice(url, token, [one, two])
    await expect.poll(() => left).toBe(2)
    await gateway.access.set([])
    await expect.poll(() => left).toBe(0)
  })
})

test('a stream over a modern member, which knows of no session, ends with it too', async () => {
  const one = await startStub()
  let left = 0
  let listened = 0
  one.answer = (_request, response, body) => {
    const { id, method } = JSON.parse(body || '{}')
    if (method === 'subscriptions/listen') {
      listened++
      response.once('close', () => left++)
      const params = { notifications: {}, _meta: { 'io.modelcontextprotocol/subscriptionId': id } }
      const message = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params }
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${JSON.stringify(message)}\n\n`)
      return true
    }
    if (method !== 'server/discover') return false
    const capabilities = { tools: { listChanged: true } }
    const kept = { ttlMs: 0, cacheScope: 'private' }
    const serverInfo = { name: 'one', version: '1' }
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities, serverInfo, ...kept }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    return true
  }
  const servers = { 'dev/one': open(one.url, { era: 'modern' }) }
  const { url, token } = await startVirtual(servers, { tools: { 'dev/one': '*' } })
  const [headers, others] = [await openSession(url, token), await openSession(url, token)]
  const streams = [headers, headers, others].map(async (each) =>
    listen(await send(url, { token, headers: each, method: 'GET' })),
  )
  const [first, second] = await Promise.all(streams)
  await expect.poll(() => listened).toBe(3)
  expect((await send(url, { token, headers, method: 'DELETE' })).status).toBe(204)
  expect(await Promise.all([first?.ended, second?.ended])).toEqual(['whole', 'whole'])
  await expect.poll(() => left).toBe(2)
})

test('a stream ends with its session, and opens no other at the members', async () => {
  const one = await startStub()
  const sessions = new Map<string, ServerResponse | undefined>()
  one.answer = (request, response, body) => {
    const id = String(request.headers['mcp-session-id'])
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hi\n\n')
      sessions.set(id, response)
      return true
    }
    if (request.method === 'DELETE') {
      sessions.get(id)?.end()
      response.writeHead(200).end()
      return true
    }
    const { id: asked, method } = JSON.parse(body)
    if (method !== 'initialize') return false
    const made = `session-${sessions.size}`
    sessions.set(made, undefined)
    const serverInfo = { name: 'one', version: '1' }
    const result = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': made })
    response.end(JSON.stringify({ jsonrpc: '2.0', id: asked, result }))
    return true
  }
  const servers = { 'dev/one': open(one.url, { era: 'legacy' }) }
  const { url, token } = await startVirtual(servers, { tools: { 'dev/one': '*' } })
  const headers = await openSession(url, token)
  const stream = listen(await send(url, { token, headers, method: 'GET' }))
  await expect.poll(() => [...sessions.values()].filter((each) => each !== undefined)).toHaveLength(1)
  const before = sessions.size
  await send(url, { token, headers, method: 'DELETE' })
  await stream.ended
  expect(sessions.size).toBe(before)
})

describe('a member that becomes another one', () => {
  test('under its name: who listens listens anew, a call ends where it began, and the next goes to the new one', async () => {
    const { gateway, url, token, one, two } = await startTwo()
    const other = await startStub()
    const { get, post, headers } = await listenTwice(url, token, [one, two])
    await gateway.servers.set('dev/one', open(other.url, { era: 'legacy' }))
    expect(await get.ended).toBe('cut')
    expect(await isOpen(post)).toBe('open')
    const calls = (stub: Stub) => stub.methods().filter((method) => method === 'tools/call').length
    expect((await rpc(url, { token, headers, body: callTool('ok') })).json.result).toBeDefined()
    expect([calls(one), calls(other)]).toEqual([1, 1])
    // What was settled with the old one is no session of the new one.
    expect(other.methods()).toEqual(['initialize', 'notifications/initialized', 'tools/call'])
  })

  test('under its name: who listens by subscriptions/listen listens anew', async () => {
    const { gateway, url, token, one, two } = await startTwo()
    const other = await startStub()
    const request = modern('subscriptions/listen', { notifications: { toolsListChanged: true } })
    const stream = listen(await send(url, { token, ...request }))
    const gets = (stub: Stub) => stub.requests.filter(({ method }) => method === 'GET').length
    await expect.poll(() => [one, two].map(gets)).toEqual([1, 1])
    await gateway.servers.set('dev/one', open(other.url, { era: 'legacy' }))
    expect(await stream.ended).toBe('cut')
    expect(other.requests).toEqual([])
  })

  test('does not get what a client answers to a question of the old one', async () => {
    const { gateway, url, token, one } = await startTwo()
    one.answer = (_request, response, body) => {
      if (!body.includes('"stream"')) return false
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event({ jsonrpc: '2.0', id: 9, method: 'elicitation/create', params: { message: 'Which PIN?' } }))
      return true
    }
    const headers = await openSession(url, token, '2025-11-25', { elicitation: {} })
    const stream = listen(await send(url, { token, headers, body: callTool('stream') }))
    await expect.poll(stream.text).toContain('elicitation/create')
    const [, data = ''] = /^data: (.*)$/m.exec(stream.text()) ?? []
    const { id } = JSON.parse(data)
    const answer = { jsonrpc: '2.0', id, result: { action: 'accept', content: { pin: '1234' } } }
    const other = await startStub()
    await gateway.servers.set('dev/one', open(other.url, { era: 'legacy' }))
    const [before, told] = [one.requests.length, await rpc(url, { token, headers, body: answer })]
    expect([told.status, one.requests.length - before, other.requests]).toEqual([202, 0, []])
    // The right one gets it.
    await gateway.servers.set('dev/one', open(one.url, { era: 'legacy' }))
    expect((await rpc(url, { token, headers, body: answer })).status).toBe(202)
    expect(one.requests.at(-1)?.body).toContain('1234')
  })

  test('is not told of the end of a session that was with the old one', async () => {
    const { gateway, url, token, one, two } = await startTwo()
    const headers = await openSession(url, token)
    for (const name of ['ok', 'two_ok']) await rpc(url, { token, headers, body: callTool(name) })
    const other = await startStub()
    await gateway.servers.set('dev/one', open(other.url, { era: 'legacy' }))
    expect((await send(url, { token, headers, method: 'DELETE' })).status).toBe(204)
    const deleted = (stub: Stub) => stub.requests.filter(({ method }) => method === 'DELETE').length
    await expect.poll(() => deleted(two)).toBe(1)
    expect([one, other].map(deleted)).toEqual([0, 0])
  })

  test('with another credential: who listens does so no longer with the old one', async () => {
    const { gateway, url, token, one, two } = await startTwo()
    const { get } = await listenTwice(url, token, [one, two])
    const headers = { authorization: 'Bearer new' }
    await gateway.servers.set('dev/two', open(two.url, { era: 'legacy', auth: { type: 'header', headers } }))
    expect(await get.ended).toBe('cut')
  })

  test('is taken out of the virtual server: who listens listens anew, and its tools are gone', async () => {
    const { gateway, config, url, token, one, two } = await startTwo()
    const { get, headers } = await listenTwice(url, token, [one, two])
    const { servers, access } = config
    await gateway.configure({
      servers,
      access: access ?? [],
      virtualAccounts: { ci: {} },
      virtualServers: { 'team/all': { tools: { 'dev/one': ['ok', 'stream'] } } },
    })
    expect(await get.ended).toBe('cut')
    const before = two.requests.length
    expect((await rpc(url, { token, headers, body: callTool('two_ok') })).json.error.code).toBe(-32602)
    expect(two.requests.length).toBe(before)
  })

  test('and the virtual server with it: streams and calls are gone at once', async () => {
    const { gateway, config, url, token, one, two } = await startTwo()
    const { get, post, headers } = await listenTwice(url, token, [one, two])
    await gateway.configure({ servers: config.servers, virtualAccounts: { ci: {} } })
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect((await rpc(url, { token, headers, body: ask('ping') })).status).toBe(404)
  })
})

/** A member with accounts of each user's own beside one without; alice and bob have connected it. */
async function startConnected(recheckMs = NEVER) {
  const plain = await startStub()
  const consent = await startConsentWorld({
    more: { 'dev/plain': open(plain.url, { era: 'legacy' }) },
    virtualServers: {
      'team/all': {
        require: 'any',
        tools: { 'dev/notes': { include: ['ok', 'stream'], prefix: 'notes_' }, 'dev/plain': ['ok', 'stream'] },
      },
    },
    limits: { recheckMs },
  })
  const { world, notes, connect } = consent
  const url = world.endpoint('team/all')
  const [alice, bob] = [await connect('alice'), await connect('bob')]
  async function disconnect(token: string) {
    const me = await world.gateway.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    expect(await world.gateway.connections.revoke(me, 'dev/notes')).toBe(true)
  }
  return { world, url, notes, plain, alice, bob, disconnect }
}

describe("a member's connection that its owner ends", () => {
  test('ends what goes through it, and neither a call to another member nor anything of somebody else', async () => {
    const { url, notes, plain, alice, bob, disconnect } = await startConnected()
    const hers = await listenTwice(url, alice, [notes, plain], 'notes_stream')
    const beside = await listenTwice(url, alice, [notes, plain], 'stream')
    const his = await listenTwice(url, bob, [notes, plain], 'notes_stream')
    await disconnect(alice)
    expect([await hers.get.ended, await hers.post.ended, await beside.get.ended]).toEqual(['cut', 'cut', 'cut'])
    expect(await isOpen(beside.post, his.get, his.post)).toBe('open')
    // She can listen to the others at once.
    const again = listen(await send(url, { token: alice, headers: hers.headers, method: 'GET' }))
    const gets = () => plain.requests.filter(({ method }) => method === 'GET').length
    await expect.poll(gets).toBe(4)
    expect(await isOpen(again)).toBe('open')
  })

  test('ends a subscription of the modern era', async () => {
    const { url, notes, alice, disconnect } = await startConnected()
    const before = notes.requests.length
    const request = modern('subscriptions/listen', { notifications: { toolsListChanged: true } })
    const stream = listen(await send(url, { token: alice, ...request }))
    await expect.poll(() => notes.requests.slice(before).some(({ method }) => method === 'GET')).toBe(true)
    await disconnect(alice)
    expect(await stream.ended).toBe('cut')
  })

  test('elsewhere is noticed within recheckMs', async () => {
    const { world, url, notes, plain, alice } = await startConnected(50)
    const { get, post } = await listenTwice(url, alice, [notes, plain], 'notes_stream')
    // Another replica: the same store, and no word to this one.
    const other = createGateway(world.config)
    onTestFinished(() => other.close())
    const me = await other.identify(`Bearer ${alice}`)
    if (me === null) throw new Error('nobody')
    expect(await other.connections.revoke(me, 'dev/notes')).toBe(true)
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
  })
})
