/** `callsPerCaller` and `streamsPerCaller`: slow calls of one caller leave connections to the others, and every way out gives a place back. */
import type { ServerResponse } from 'node:http'
import { generateKey } from 'sallyport'
import type { GatewayLimits } from 'sallyport/gateway'
import { describe, expect, test } from 'vitest'
import { networkOf } from '../../src/gateway/caller-places.ts'
import { event, listen, modern, startConsentWorld, startStub } from './attack-parts.ts'
import { ask, callTool, EVERYTHING, openSession, type Rpc, rpc, send, startWorld, type World } from './world.ts'

/** Calls of `slow` wait until they are let go; those of `stream` begin at once and then wait. */
async function open(limits: GatewayLimits = { callsPerCaller: 2, streamsPerCaller: 2 }) {
  const stub = await startStub()
  const held: { readonly response: ServerResponse; readonly id: unknown }[] = []
  stub.answer = (_request, response, body) => {
    if (!body.includes('"slow"')) return false
    held.push({ response, id: JSON.parse(body).id })
    return true
  }
  const world = await startWorld({
    servers: {
      'dev/one': { url: stub.url, auth: { type: 'none' } },
      'dev/two': { url: stub.url, auth: { type: 'none' } },
    },
    virtualServers: { 'all/tools': { tools: { 'dev/one': ['*'] } } },
    virtualAccounts: { ci: {} },
    access: [EVERYTHING, { to: 'anonymous', on: 'dev/*' }, { to: 'virtual-account:ci', on: '*' }],
    limits,
  })
  return {
    stub,
    world,
    held,
    url: world.endpoint('dev/one'),
    token: await world.jwt('alice'),
    /** As many slow calls have reached the upstream. */
    arrived: (count: number) => expect.poll(() => held.length).toBe(count),
    letGo() {
      for (const { response, id } of held.splice(0)) {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } }))
      }
    },
  }
}

const slow = (id: number | string = 1) => callTool('slow', {}, id)
const ok = async (url: string, token?: string) => (await rpc(url, { token, body: callTool('ok') })).status
/** Two calls fit, and a third does not: nothing is left of what was before. */
async function expectTwoPlaces({ url, token, held, arrived, letGo }: Awaited<ReturnType<typeof open>>) {
  expect(held).toHaveLength(0)
  const two = [rpc(url, { token, body: slow() }), rpc(url, { token, body: slow() })]
  await arrived(2)
  expect(await ok(url, token)).toBe(429)
  letGo()
  expect((await Promise.all(two)).map(({ status }) => status)).toEqual([200, 200])
  expect(await ok(url, token)).toBe(200)
}

describe('calls at the same time', () => {
  test('beyond callsPerCaller are answered 429 with the id, and told; others are not kept waiting', async () => {
    const opened = await open()
    const { url, token, world, stub, arrived, letGo } = opened
    const two = [rpc(url, { token, body: slow() }), rpc(url, { token, body: slow() })]
    await arrived(2)
    const third = await rpc(url, { token, body: callTool('ok', {}, 'third') })
    expect([third.status, third.headers.get('retry-after')]).toEqual([429, '1'])
    expect(third.json).toEqual({
      jsonrpc: '2.0',
      id: 'third',
      error: { code: 4290, message: expect.stringContaining('Too many calls of yours are under way at dev/one') },
    })
    expect(await world.told(({ status }) => status === 429)).toMatchObject({
      outcome: 'refused',
      reason: 'too_many_calls',
      detail: 'calls',
      caller: { subject: 'alice' },
      server: 'dev/one',
      methods: ['tools/call'],
      upstreamStatus: null,
    })
    expect(stub.requests).toHaveLength(2)
    // Somebody else, and another server.
    expect(await ok(url, await world.jwt('bob'))).toBe(200)
    expect(await ok(world.endpoint('dev/two'), token)).toBe(200)
    letGo()
    expect((await Promise.all(two)).map(({ status }) => status)).toEqual([200, 200])
    await expectTwoPlaces(opened)
  })

  test('of many in one moment: as many go on as there are places, and none more', async () => {
    const { url, token, arrived, letGo } = await open({ callsPerCaller: 5 })
    const all = Array.from({ length: 40 }, (_, index) => rpc(url, { token, body: slow(index) }))
    await arrived(5)
    let refused = 0
    for (const each of all) void each.then(({ status }) => status === 429 && refused++)
    await expect.poll(() => refused).toBe(35)
    letGo()
    expect((await Promise.all(all)).filter(({ status }) => status === 200)).toHaveLength(5)
  })

  test('of one person count together whatever they call with; those of a virtual account are its own', async () => {
    const { world, url, token, arrived, letGo } = await open()
    const me = await world.gateway.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    const { key } = await world.gateway.keys.create(me, { name: 'laptop' })
    const { key: service } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
    const two = [rpc(url, { token, body: slow() }), rpc(url, { token: key, body: slow() })]
    await arrived(2)
    expect([await ok(url, token), await ok(url, key), await ok(url, service)]).toEqual([429, 429, 200])
    letGo()
    await Promise.all(two)
  })

  test('without anybody’s name count by where they come from', async () => {
    const { world, url, arrived, letGo } = await open()
    const two = [rpc(url, { body: slow() }), rpc(url, { body: slow() })]
    await arrived(2)
    expect([await ok(url), await ok(url, await world.jwt('alice'))]).toEqual([429, 200])
    letGo()
    await Promise.all(two)
    expect(await ok(url)).toBe(200)
  })

  test('in a batch that begins with subscriptions/listen are calls all the same, and not a stream', async () => {
    const { world, url, token, held, arrived } = await open({ callsPerCaller: 1, streamsPerCaller: 1, connections: 1 })
    const gone = new AbortController()
    const batch = [ask('subscriptions/listen', { notifications: {} }, 1), slow(2)]
    const first = rpc(url, { token, body: batch, signal: gone.signal }).catch(() => undefined)
    await arrived(1)
    expect((await rpc(url, { token, body: batch })).status).toBe(429)
    expect(world.audits.at(-1)).toMatchObject({ reason: 'too_many_calls', detail: 'calls' })
    gone.abort()
    await first
    expect(held).toHaveLength(1)
  })

  test('to a virtual server count too', async () => {
    const { world, token, arrived, letGo } = await open()
    const url = world.endpoint('all/tools')
    const headers = await openSession(url, token)
    const two = [1, 2].map((id) => rpc(url, { token, headers, body: slow(id) }))
    await arrived(2)
    const third = await rpc(url, { token, headers, body: slow(3) })
    expect([third.status, third.json.error.code, third.json.id]).toEqual([429, 4290, 3])
    expect((await rpc(url, { token: await world.jwt('bob'), body: ask('ping') })).status).not.toBe(429)
    letGo()
    expect((await Promise.all(two)).map(({ status }) => status)).toEqual([200, 200])
    expect((await rpc(url, { token, headers, body: ask('tools/list') })).status).toBe(200)
  })

  test('to a virtual server count one by one where they come in a batch', async () => {
    const { world, token, held, stub, arrived, letGo } = await open({ callsPerCaller: 3 })
    const url = world.endpoint('all/tools')
    const headers = await openSession(url, token, '2025-03-26')
    const listed = stub.requests.length
    const first = rpc(url, { token, headers, body: slow('alone') })
    await arrived(1)
    // What it begins with makes no stream of it.
    const body = [ask('subscriptions/listen', { notifications: {} }, 0), ...[1, 2, 3, 4].map(slow)]
    const batch = rpc(url, { token, headers, body })
    await arrived(2)
    expect((await rpc(url, { token, headers, body: slow(9) })).status).toBe(429)
    expect((await rpc(url, { token: await world.jwt('bob'), body: ask('ping') })).status).not.toBe(429)
    letGo()
    const { status, json } = await batch
    expect([status, (await first).status]).toEqual([200, 200])
    expect(json.map(({ id, error }: { id: number; error?: { code: number } }) => [id, error?.code])).toEqual([
      [0, -32601],
      [1, undefined],
      [2, 4290],
      [3, 4290],
      [4, 4290],
    ])
    expect(json[2].error.message).toContain('Too many calls of yours are under way at all/tools')
    expect(stub.requests.slice(listed).filter(({ body }) => body.includes('"slow"'))).toHaveLength(2)
    expect(await world.told(({ methods }) => methods.length === 5)).toMatchObject({
      outcome: 'refused',
      reason: 'method',
    })
    // All of them are given back, also by a client that goes away.
    for (let round = 1; round <= 2; round++) {
      const going = new AbortController()
      const three = [5, 6, 7].map(slow)
      const gone = rpc(url, { token, headers, body: three, signal: going.signal }).catch(() => 'gone')
      await arrived(3)
      going.abort()
      expect(await gone).toBe('gone')
      await expect.poll(() => aborted(world)).toBe(round)
      held.length = 0
    }
    const whole = rpc(url, { token, headers, body: [5, 6, 7].map(slow) })
    await arrived(3)
    letGo()
    expect((await whole).json.filter(({ result }: { result?: object }) => result !== undefined)).toHaveLength(3)
  })

  test('to a virtual server that ask for no answer go one after the other where they come in a batch', async () => {
    const stub = await startStub()
    const world = await startWorld({
      servers: { 'dev/one': { url: stub.url, auth: { type: 'none' }, era: 'legacy' } },
      virtualServers: { 'all/tools': { tools: { 'dev/one': ['*'] } } },
      access: [EVERYTHING],
    })
    const [url, token] = [world.endpoint('all/tools'), await world.jwt('alice')]
    const headers = await openSession(url, token, '2025-03-26')
    const call = () => rpc(url, { token, headers, body: callTool('ok') })
    await call()
    const held: ServerResponse[] = []
    stub.answer = (_request, response, body) => body.includes('notifications/cancelled') && held.push(response) > 0
    const cancel = (requestId: number) => ({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })
    const told = rpc(url, { token, headers, body: [1, 2, 3].map(cancel) })
    for (let count = 1; count <= 3; count++) {
      await expect.poll(() => held.length).toBe(count)
      expect((await call()).status).toBe(200)
      expect(held).toHaveLength(count)
      held.at(-1)?.writeHead(202).end()
    }
    expect((await told).status).toBe(202)
  })

  test('leave room to give one up, or to answer the server: those are counted apart', async () => {
    const { world, url, token, stub, held, arrived, letGo } = await open()
    const two = [rpc(url, { token, body: slow(1) }), rpc(url, { token, body: slow(2) })]
    await arrived(2)
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
    const answer = { jsonrpc: '2.0', id: 7, result: {} }
    expect((await rpc(url, { token, body: cancel })).status).toBe(202)
    expect((await rpc(url, { token, body: answer })).status).toBe(202)
    // They are bounded as well.
    const heldBack: ServerResponse[] = []
    const before = stub.answer
    stub.answer = (request, response, body) => {
      if (!body.includes('notifications/progress')) return before(request, response, body)
      heldBack.push(response)
      return true
    }
    const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } }
    const told = [rpc(url, { token, body: progress }), rpc(url, { token, body: progress })]
    await expect.poll(() => heldBack.length).toBe(2)
    const refused = await rpc(url, { token, body: progress })
    expect([refused.status, refused.json.error.code, refused.json.id]).toEqual([429, 4290, undefined])
    expect(await world.told(({ detail }) => detail === 'others')).toMatchObject({ reason: 'too_many_calls' })
    for (const response of heldBack) response.writeHead(202).end()
    await Promise.all(told)
    expect((await rpc(url, { token, body: cancel })).status).toBe(202)
    expect(held).toHaveLength(2)
    letGo()
    await Promise.all(two)
  })
})

describe('a place is given back', () => {
  test('by a client that goes away before there is an answer', async () => {
    const opened = await open()
    const { url, token, world, held, arrived } = opened
    for (let round = 1; round <= 3; round++) {
      const going = new AbortController()
      const gone = [1, 2].map((id) => rpc(url, { token, body: slow(id), signal: going.signal }).catch(() => 'gone'))
      await arrived(2)
      going.abort()
      expect(await Promise.all(gone)).toEqual(['gone', 'gone'])
      await expect
        .poll(() => world.audits.filter((told) => told.type === 'request' && told.outcome === 'aborted').length)
        .toBe(2 * round)
      held.length = 0
    }
    await expectTwoPlaces(opened)
  })

  test('by a stream when it ends, when its client leaves in the middle, and when the upstream breaks off', async () => {
    const opened = await open()
    const { url, token, stub, world } = opened
    const streams: ServerResponse[] = []
    const before = stub.answer
    stub.answer = (request, response, body) => {
      if (!body.includes('"stream"')) return before(request, response, body)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } }))
      streams.push(response)
      return true
    }
    const ways: ((stream: ServerResponse, client: AbortController) => void)[] = [
      (stream) => stream.end(event({ jsonrpc: '2.0', id: 1, result: {} })),
      (_stream, client) => client.abort(),
      (stream) => stream.destroy(),
    ]
    for (const [round, end] of ways.entries()) {
      const clients = [new AbortController(), new AbortController()]
      const both = await Promise.all(
        clients.map(async ({ signal }) => listen(await send(url, { token, body: callTool('stream'), signal }))),
      )
      await expect.poll(() => both.every((each) => each.text().includes('"x"'))).toBe(true)
      // Half-way: it is still under way.
      expect(await ok(url, token)).toBe(429)
      for (const [index, stream] of streams.splice(0).entries()) end(stream, clients[index] as AbortController)
      await Promise.all(both.map(({ ended }) => ended))
      await expect
        .poll(() => world.audits.filter((told) => told.type === 'request' && told.status === 200).length)
        .toBe(2 * round + 2 + round)
      expect(await ok(url, token)).toBe(200)
    }
    await expectTwoPlaces(opened)
  })

  test('by a stream that the gateway ends', async () => {
    const { url, token, world } = await open()
    const both = await Promise.all(
      [1, 2].map(async (id) => listen(await send(url, { token, body: callTool('stream', {}, id) }))),
    )
    await expect.poll(() => both.every((each) => each.text().includes('begun'))).toBe(true)
    expect(await ok(url, token)).toBe(429)
    await world.gateway.access.set([])
    await Promise.all(both.map(({ ended }) => ended))
    await world.gateway.access.set([EVERYTHING])
    expect(await ok(url, token)).toBe(200)
  })

  test('by every failure: nobody there, a broken answer, a timeout, a refusal, a credential that is missing', async () => {
    const opened = await open({ callsPerCaller: 1, answerMs: 1_000 })
    const { url, token, stub } = opened
    const answers: (typeof stub.answer)[] = [
      (_request, response) => Boolean(response.destroy()),
      (_request, response) => Boolean(response.writeHead(200, { 'content-type': 'text/html' }).end('<p>')),
      (_request, response) => Boolean(response.writeHead(500).end('no')),
      (_request, response) => Boolean(response.writeHead(401).end()),
      () => true,
    ]
    const statuses: number[] = []
    for (const answer of answers) {
      stub.answer = answer
      statuses.push(await ok(url, token))
      statuses.push((await rpc(url, { token, body: callTool('evil\u0000') })).status)
    }
    expect(statuses.filter((status) => status === 429)).toEqual([])
    expect(statuses).toContain(504)
    stub.answer = () => false
    expect(await ok(url, token)).toBe(200)
  })

  test('by a decision function that fails or says no', async () => {
    const stub = await startStub()
    const verdicts: (() => boolean)[] = []
    const world = await startWorld({
      servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
      access: [EVERYTHING],
      decide: ({ wanted }) => (wanted.kind === 'connect' ? true : (verdicts.shift() ?? (() => true))()),
      limits: { callsPerCaller: 1 },
    })
    const [url, token] = [world.endpoint('dev/one'), await world.jwt('alice')]
    for (let round = 0; round < 3; round++) {
      verdicts.push(
        () => {
          throw new Error('down')
        },
        () => false,
      )
      expect([await ok(url, token), await ok(url, token), await ok(url, token)]).toEqual([503, 200, 200])
    }
    expect(stub.requests).toHaveLength(3)
  })

  test('by somebody who has to consent first', async () => {
    const { world, url, link } = await startConsentWorld({ limits: { callsPerCaller: 1 } })
    const token = await world.jwt('alice')
    for (let round = 0; round < 3; round++) expect(await link(token)).toContain('/connect')
    expect((await rpc(url, { token, body: ask('ping') })).status).toBe(200)
  })
})

describe('streams that listen', () => {
  test('have places of their own, for GET and subscriptions/listen together, and take none from calls', async () => {
    const { world, url, token, stub } = await open()
    stub.answer = (_request, response, body) => {
      if (!body.includes('subscriptions/listen')) return false
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(': here\n\n')
      return true
    }
    const headers = await openSession(url, token)
    const get: Rpc = { token, headers, method: 'GET' }
    const subscribe: Rpc = { token, ...modern('subscriptions/listen', { notifications: {} }) }
    const clients = [new AbortController(), new AbortController()]
    const streams = await Promise.all(
      [get, subscribe].map(async (request, index) => {
        const signal = (clients[index] as AbortController).signal
        return listen(await send(url, { ...request, signal }))
      }),
    )
    await expect.poll(() => streams.every((stream) => stream.text().includes('here'))).toBe(true)
    for (const request of [get, subscribe]) {
      const refused = await rpc(url, request)
      expect([refused.status, refused.json.error.code, refused.headers.get('retry-after')]).toEqual([429, 4290, '1'])
    }
    expect(await world.told(({ status }) => status === 429)).toMatchObject({
      reason: 'too_many_calls',
      detail: 'streams',
    })
    expect(await ok(url, token)).toBe(200)
    const bob = await world.jwt('bob')
    const other = listen(await send(url, { ...get, token: bob, headers: await openSession(url, bob) }))
    await expect.poll(() => other.text()).toContain('here')
    for (const client of clients) client.abort()
    expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual(['cut', 'cut'])
    await expect.poll(async () => aborted(world)).toBe(2)
    const again = listen(await send(url, get))
    await expect.poll(() => again.text()).toContain('here')
  })

  test('can be turned off', async () => {
    const { url, token } = await open({ streamsPerCaller: 0 })
    const headers = await openSession(url, token)
    expect((await rpc(url, { token, headers, method: 'GET' })).status).toBe(429)
    expect(await ok(url, token)).toBe(200)
  })
})

test('who is nobody in particular counts by an IPv4 address, or by the 64 bits that a subscriber has', () => {
  expect(networkOf('203.0.113.9')).toBe('203.0.113.9')
  const same = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::', '2001:0DB8:0000:0001:0:0:0:2', '2001:db8::1:2:3:4:5']
  expect(new Set(same.map(networkOf))).toEqual(new Set(['2001:db8:0:1::/64']))
  expect(networkOf('2001:db8:0:2::1')).not.toBe(networkOf('2001:db8:0:1::1'))
  expect([networkOf('::1'), networkOf('fe80::1'), networkOf('::')]).toEqual([
    '0:0:0:0::/64',
    'fe80:0:0:0::/64',
    '0:0:0:0::/64',
  ])
})

test('a configuration with a limit that is none is refused', async () => {
  const wrong = startWorld({
    keys: [generateKey()],
    servers: {},
    limits: { callsPerCaller: 0, streamsPerCaller: -1, maxKeys: 1.5 },
  })
  const message = await wrong.then(String, String)
  for (const key of ['callsPerCaller', 'streamsPerCaller', 'maxKeys']) expect(message).toContain(`limits.${key}`)
})

function aborted(world: World): number {
  return world.audits.filter((told) => told.type === 'request' && told.outcome === 'aborted').length
}
