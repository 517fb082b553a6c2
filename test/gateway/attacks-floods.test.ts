/** One caller who asks for too much: the others are served, and memory stays within bounds. */
import { connect } from 'node:net'
import type { GatewayLimits } from 'sallyport/gateway'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectRaw } from '../support/raw-client.ts'
import { listen, modern, startConsentWorld, startStub } from './attack-parts.ts'
import { ask, callTool, EVERYTHING, initialize, openSession, rpc, send, startWorld } from './world.ts'

async function open(limits: GatewayLimits = {}) {
  const stub = await startStub()
  const world = await startWorld({
    servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
    access: [{ ...EVERYTHING, tools: ['ok'], arguments: { 'filter.dataset': ['x'] } }, EVERYTHING],
    limits,
  })
  return { stub, world, url: world.endpoint('dev/one'), token: await world.jwt('alice') }
}

/** How long the event loop is held up at most while something is done, in milliseconds. */
async function heldUp(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 5)
  await work()
  clearInterval(timer)
  return Math.max(longest, performance.now() - last)
}

describe('bodies of 4 MB', () => {
  const MIB = 1024 * 1024
  const size = 4 * MIB - 200
  const inParams = (text: string) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","arguments":${text}}}`
  const members = (key: (index: number) => string) => {
    const all: string[] = []
    for (let length = 0, index = 0; length < size - 100; index++) {
      const member = `"${key(index)}":0`
      length += Buffer.byteLength(member) + 1
      if (length < size - 100) all.push(member)
    }
    return `{${all.join()}}`
  }

  test.each<[string, () => string, number[]]>([
    ['nested brackets', () => '['.repeat(size), [400]],
    ['nested objects', () => '{"a":'.repeat(size / 5), [400]],
    ['nested brackets in arguments', () => inParams('['.repeat(size / 2) + ']'.repeat(size / 2)), [400]],
    [
      'nested objects in arguments, closed',
      () => inParams(`${'{"a":'.repeat(size / 6)}0${'}'.repeat(size / 6)}`),
      [400],
    ],
    ['lists side by side', () => inParams(`[${'[],'.repeat(size / 3 - 100)}[]]`), [413]],
    ['a batch of numbers', () => `[${'1,'.repeat(size / 2 - 1)}1]`, [400]],
    ['plain keys', () => inParams(members((index) => `k${index}`)), [413]],
    ['keys beyond ASCII', () => inParams(members((index) => `é${index}`)), [413]],
    ['objects with two keys each', () => inParams(`[${'{"a":1,"b":2},'.repeat(size / 14 - 100)}{}]`), [413]],
    ['one key of combining characters', () => inParams(`{"a${'\u0301\u0323'.repeat(size / 4 - 100)}":1}`), [400]],
    [
      'a key of combining characters inside of an argument that a grant looks at',
      () => inParams(`{"filter":{"dataset":"x","a${'\u0301\u0323'.repeat(size / 4 - 100)}":1}}`),
      [200],
    ],
    ['escapes', () => inParams(`"${'\\u0041'.repeat(size / 6 - 100)}"`), [200]],
    ['one number', () => inParams('9'.repeat(size - 200)), [400]],
    [
      'one name',
      () => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${'x'.repeat(size - 100)}"}}`,
      [200],
    ],
    ['one method', () => `{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(size - 100)}"}`, [200]],
    ['one id', () => `{"jsonrpc":"2.0","method":"ping","id":"${'x'.repeat(size - 100)}"}`, [200]],
  ])('of %s are read or refused in time by their length', async (_, make, statuses) => {
    const { url, token } = await open()
    const body = make()
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(4 * MIB)
    await rpc(url, { token, body: callTool('ok') })
    let status = 0
    const ms = await heldUp(async () => {
      status = (await rpc(url, { token, body })).status
    })
    expect(statuses).toContain(status)
    // The stub and the client of the test read all of it in this process too, several times, on a machine that others use. What
    // takes time by the square of the length would take minutes.
    expect(ms).toBeLessThan(10_000)
  })
})

describe('keys and values of a body', () => {
  const call = (text: string) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","arguments":${text}}}`
  const members = (count: number) => `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join()}}`

  test('are as many as the limits say, and one more is refused before anything is made of it', async () => {
    const { url, token, stub, world } = await open({ maxKeys: 106, maxValues: 310 })
    // Six keys and seven values are those of the message itself.
    const answers: unknown[] = []
    for (const text of [members(100), members(101), `[${'1,'.repeat(302)}1]`, `[${'1,'.repeat(303)}1]`]) {
      const { status, json } = await rpc(url, { token, body: call(text) })
      answers.push([status, json.error])
    }
    expect(answers).toEqual([
      [200, undefined],
      [413, { code: 4130, message: 'The message has more than 106 keys in its objects' }],
      [200, undefined],
      [413, { code: 4130, message: 'The message has more than 310 values' }],
    ])
    expect(stub.requests).toHaveLength(2)
    expect(await world.told(({ reason }) => reason === 'too_large')).toMatchObject({ outcome: 'refused', status: 413 })
  })

  test('count together, wherever in a batch or an argument they are', async () => {
    const { url, token, stub } = await open({ maxKeys: 100 })
    const session = await openSession(url, token, '2025-03-26')
    const before = stub.requests.length
    const batch = `[${Array.from({ length: 20 }, (_, index) => call(members(1)).replace('"id":1', `"id":${index}`)).join()}]`
    expect((await rpc(url, { token, headers: session, body: batch })).status).toBe(413)
    const rows = `{"rows":[${Array.from({ length: 50 }, () => '{"a":1,"b":2}').join()}]}`
    expect((await rpc(url, { token, headers: session, body: call(rows) })).status).toBe(413)
    const deep = '{"a":'.repeat(50) + members(50) + '}'.repeat(50)
    expect((await rpc(url, { token, headers: session, body: call(deep) })).status).toBe(413)
    expect(stub.requests).toHaveLength(before)
  })
})

describe('a body that comes slowly', () => {
  test('is not even begun to be read of somebody who is nobody', async () => {
    const { url } = await open()
    const { host, port, pathname } = new URL(url)
    for (const authorization of ['', 'authorization: Bearer nonsense\r\n']) {
      const connection = await connectRaw(Number(port))
      onTestFinished(() => connection.close())
      connection.write(
        `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${authorization}content-type: application/json\r\ncontent-length: 4000000\r\n\r\n{`,
      )
      expect((await connection.answer('POST')).status).toBe(401)
    }
  })

  test('of hundreds does not keep others waiting', async () => {
    const { world, url, token, stub } = await open()
    const { host, port, pathname } = new URL(url)
    const sockets = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = connect({ port: Number(port), host: '127.0.0.1' })
        socket.on('error', () => {})
        await new Promise((resolve) => socket.once('connect', resolve))
        socket.write(
          `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"a":`,
        )
        return socket
      }),
    )
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
    })
    const bob = await world.jwt('bob')
    for (let turn = 0; turn < 20; turn++)
      expect((await rpc(url, { token: bob, body: callTool('ok') })).status).toBe(200)
    expect(stub.requests).toHaveLength(20)
    for (const socket of sockets) socket.destroy()
    await expect
      .poll(() => world.audits.filter((told) => told.type === 'request' && told.outcome === 'aborted').length)
      .toBe(300)
  })
})

describe('thousands', () => {
  test('of sessions: each is an id and nothing more', async () => {
    const { world, url, token } = await open()
    const first = await openSession(url, token)
    for (let round = 0; round < 40; round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => rpc(url, { token, body: initialize() })))
      expect(answers.every(({ status }) => status === 200)).toBe(true)
    }
    expect((await rpc(url, { token, headers: first, body: ask('tools/list') })).status).toBe(200)
    expect((await rpc(url, { token: await world.jwt('bob'), body: initialize() })).status).toBe(200)
  })

  test.each(['dev/one', 'team/all'])('of resources to be told of at %s are refused', async (name) => {
    const stub = await startStub()
    const world = await startWorld({
      servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
      virtualServers: { 'team/all': { tools: {}, resources: { 'dev/one': '*' } } },
      access: [{ to: 'user:corp/*', on: '*' }],
    })
    const resourceSubscriptions = Array.from({ length: 1_001 }, (_, index) => `notes:${index}`)
    const request = modern('subscriptions/listen', { notifications: { resourceSubscriptions } })
    const answer = await rpc(world.endpoint(name), { token: await world.jwt('alice'), ...request })
    expect([answer.json.error.code, stub.requests]).toEqual([-32602, []])
  })

  test('of made-up session ids, sessions of others and tokens leave those of others as they are', async () => {
    const { world, url, token } = await open()
    const own = await openSession(url, token)
    const mallory = await world.jwt('mallory')
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          rpc(url, {
            token: index % 2 === 0 ? mallory : `eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.${round}-${index}`,
            headers: { 'mcp-session-id': index % 4 === 0 ? own['mcp-session-id'] : `${round}.${index}` },
            body: ask('tools/list'),
          }),
        ),
      )
      expect(answers.every(({ status }) => status === 404 || status === 401 || status === 503)).toBe(true)
    }
    expect((await rpc(url, { token, headers: own, body: ask('tools/list') })).status).toBe(200)
  })

  test('of requests without a connection: one link, and one record of it', async () => {
    const { world, link, url } = await startConsentWorld()
    const token = await world.jwt('alice')
    const links = new Set<string>()
    for (let round = 0; round < 10; round++) {
      for (const each of await Promise.all(Array.from({ length: 30 }, () => link(token)))) links.add(each)
    }
    expect(links.size).toBe(1)
    for (const space of ['consent-links', 'open-consent-links']) {
      expect((await world.store.scan(space, { limit: 100 })).records).toHaveLength(1)
    }
    expect((await rpc(url, { token, body: ask('ping') })).json.error.code).toBe(4011)
  })

  test('of keys: fifty, and the rest is refused', async () => {
    const { world, token } = await open()
    const me = await world.gateway.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    const made = await Promise.allSettled(
      Array.from({ length: 80 }, (_, index) => world.gateway.keys.create(me, { name: `k${index}` })),
    )
    expect(made.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(50)
    expect((await world.gateway.keys.list(me)).length).toBeLessThanOrEqual(50)
  })

  test('of streams of one caller leave calls to the others, and end with the caller’s access', async () => {
    const { world, url, token, stub } = await open({ streamsPerCaller: 400 })
    const session = await openSession(url, token)
    const streams = await Promise.all(
      Array.from({ length: 400 }, async () => listen(await send(url, { token, headers: session, method: 'GET' }))),
    )
    await expect.poll(() => streams.every((stream) => stream.text().includes('here'))).toBe(true)
    const bob = await world.jwt('bob')
    for (let turn = 0; turn < 10; turn++)
      expect((await rpc(url, { token: bob, body: callTool('ok') })).status).toBe(200)
    await world.gateway.access.set([{ to: 'user:corp/bob@example.com', on: '*' }])
    expect(new Set(await Promise.all(streams.map(({ ended }) => ended)))).toEqual(new Set(['cut']))
    expect((await rpc(url, { token: bob, body: callTool('ok') })).status).toBe(200)
    expect(stub.requests.length).toBeGreaterThan(400)
  })
})
