/** B12: WebSocket upgrades go through the same guard, whatever server they come in on. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { type Duplex, PassThrough, Readable } from 'node:stream'
import { type Auth, createGuard, type Gate, type GateRequest, type Outcome } from 'sallyport'
import * as forExpress from 'sallyport/express'
import * as forFastify from 'sallyport/fastify'
import * as forKoa from 'sallyport/koa'
import * as forNode from 'sallyport/node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { AUDIENCE, type KeyServer, startKeyServer } from '../support/identity-provider.ts'
import { askRaw, ConnectionEnded, connectRaw, type RawConnection, type RawRequest } from '../support/raw-client.ts'
import { type RunningApp, SERVERS } from '../support/servers.ts'
import { closeOf, deferred, expectProblem, expectReached, gateOf, passing, refusing } from './helpers.ts'
import { selfSigned } from './self-signed.ts'

const adapters = { express: forExpress, koa: forKoa, fastify: forFastify, node: forNode }
const CLOSING = { connection: 'close', 'keep-alive': undefined }

/** The request of a WebSocket handshake (RFC 6455 §4.1). */
const handshake = (target: string, headers: Readonly<Record<string, string>> = {}): RawRequest => ({
  target,
  headers: {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  },
})

let keys: KeyServer
let guard: Gate
beforeAll(async () => {
  keys = await startKeyServer()
  guard = createGuard({
    integrations: { corp: { issuer: keys.issuer, jwksUri: keys.jwksUri, audience: AUDIENCE } },
    internalNetworks: ['10.0.0.0/8'],
    routes: [
      { path: '/open', auth: { type: 'none' } },
      { path: '/basic', auth: { type: 'basic', username: 'hello', password: 'world', realm: 'orders' } },
      {
        path: '/jwt',
        auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com' }, cookie: 'session' },
      },
      { host: 'inside.svc', path: '/', exposed: false, auth: { type: 'none' } },
    ],
  })
})
afterAll(async () => {
  await guard.close()
  await keys.close()
})

/** Opens a WebSocket and waits for what comes of it: the first message, or the status of the refusal. */
function open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<{ auth: Auth | null } | number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers, rejectUnauthorized: false })
    socket.once('message', (data) => {
      socket.terminate()
      resolve(JSON.parse(String(data)))
    })
    socket.once('unexpected-response', (request, response) => {
      response.resume()
      request.destroy()
      resolve(response.statusCode ?? 0)
    })
    socket.once('error', reject)
  })
}

describe.each(SERVERS)('$name', ({ framework, start }) => {
  const { authOf, guardUpgrade } = adapters[framework]
  const wss = new WebSocketServer({ noServer: true })
  let app: RunningApp
  const connections: RawConnection[] = []
  const handled: string[] = []
  const handler = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    handled.push(request.url ?? '')
    wss.handleUpgrade(request, socket, head, (client) => {
      client.send(JSON.stringify({ auth: authOf(request as never) ?? null }))
      client.on('message', (data) => client.send(String(data)))
    })
  }
  const url = (target: string) => `ws://127.0.0.1:${app.port}${target}`
  async function connect(options: { allowHalfOpen?: boolean } = {}): Promise<RawConnection> {
    const connection = await connectRaw(app.port, options)
    connections.push(connection)
    return connection
  }

  beforeEach(async () => {
    handled.length = 0
    app = await start({ gates: [guard] })
  })
  afterEach(async () => {
    for (const connection of connections.splice(0)) await connection.close()
    await app.close()
  })

  test('B12 with good credentials is accepted, and authOf tells who it is', async () => {
    app.server.on('upgrade', guardUpgrade(guard, handler))
    const token = await keys.sign({ email: 'alice@example.com' })
    for (let round = 0; round < 2; round++) {
      expect(await open(url('/jwt/live'), { authorization: `Bearer ${token}` })).toMatchObject({
        auth: { type: 'jwt', subject: 'alice', integration: 'corp', claims: { email: 'alice@example.com' } },
      })
    }
    const authorization = `Basic ${Buffer.from('hello:world').toString('base64')}`
    expect(await open(url('/basic/live'), { authorization })).toMatchObject({
      auth: { type: 'basic', subject: 'hello' },
    })
    expect(await open(url('/open/live'))).toEqual({ auth: { type: 'none', route: '/open' } })
  })

  test('B12 otherwise is refused, and the client sees with which status', async () => {
    app.server.on('upgrade', guardUpgrade(guard, handler))
    const other = await keys.sign({ email: 'alice@evil.com' })
    const cookie = `session=${await keys.sign({ email: 'alice@example.com' })}`
    expect(await open(url('/basic/live'))).toBe(401)
    expect(await open(url('/jwt/live'))).toBe(403)
    expect(await open(url('/jwt/live'), { authorization: 'Bearer abc' })).toBe(401)
    expect(await open(url('/jwt/live'), { authorization: `Bearer ${other}` })).toBe(403)
    expect(await open(url('/nowhere'))).toBe(404)
    expect(await open(url('/'), { host: 'inside.svc' })).toBe(404)
    expect(await open(url('/open%2Fbasic'))).toBe(400)
    // A cookie goes along with what other sites start.
    expect(await open(url('/jwt/live'), { cookie, origin: 'https://evil.example.com' })).toBe(403)
    expect(await open(url('/jwt/live'), { cookie, origin: `http://127.0.0.1:${app.port}` })).toMatchObject({
      auth: { subject: 'alice' },
    })
    expect(handled).toEqual(['/jwt/live'])
  })

  test('a refusal is a whole answer, and the last one on its connection', async () => {
    app.server.on('upgrade', guardUpgrade(guard, handler))
    const connection = await connect()
    const answer = await connection.ask(handshake('/basic/live'))
    const { 'keep-alive': _, ...headers } = CLOSING
    expect(answer.headers).not.toHaveProperty('keep-alive')
    expectProblem({ ...answer, headers: { ...answer.headers, 'keep-alive': 'none' } }, 401, {
      'www-authenticate': 'Basic realm="orders", charset="UTF-8"',
      ...headers,
    })
    expect(await connection.rest()).toHaveLength(0)
  })

  test('two Host or Authorization lines are refused', async () => {
    app.server.on('upgrade', guardUpgrade(guard, handler))
    for (const [name, value] of [
      ['Host', 'app.example.com'],
      ['Authorization', 'Basic aGVsbG86d29ybGQ='],
    ] as const) {
      const { target = '', headers = {} } = handshake('/basic/live', { host: 'app.example.com' })
      const lines = [...Object.entries(headers), [name, value], ...(name === 'Host' ? [] : [[name, value]])]
      const answer = await askRaw(app.port, { target, headers: lines as [string, string][] })
      expect(answer.status).toBe(400)
    }
    expect(handled).toEqual([])
  })

  test('without any upgrade listener a handshake is a request like any other, and guarded', async () => {
    expect((await askRaw(app.port, handshake('/basic/whoami'))).status).toBe(401)
    expectReached(await askRaw(app.port, handshake('/open/whoami')))
  })

  test('ordinary requests go their way', async () => {
    app.server.on('upgrade', guardUpgrade(guard, handler))
    expectReached(await askRaw(app.port, { target: '/open/whoami' }))
    expect((await askRaw(app.port, { target: '/basic/whoami' })).status).toBe(401)
    expect(handled).toEqual([])
  })

  describe('other listeners of the server', () => {
    test.each([
      ['at once', (gate: Gate) => gate],
      ['later', (gate: Gate) => gateOf(async (request) => gate.handle(request))],
    ])('hear nothing of a refused upgrade, decided %s', async (_when, given) => {
      const heard: string[] = []
      app.server.on('upgrade', () => heard.push('before'))
      app.server.on('upgrade', guardUpgrade(given(refusing(403)), handler))
      app.server.on('upgrade', () => heard.push('after'))
      app.server.prependListener('upgrade', () => heard.push('in front'))
      // The very first connection of this server, and one after it.
      for (let round = 0; round < 2; round++) expect((await askRaw(app.port, handshake('/live'))).status).toBe(403)
      const connection = await connect()
      expectReached(await connection.ask({ target: '/open/whoami' }))
      expect((await connection.ask(handshake('/live'))).status).toBe(403)
      expect([...heard, ...handled]).toEqual([])
    })

    test('hear nothing either on a connection older than the guarded listener, save the very first', async () => {
      const heard: string[] = []
      const [first, second] = [await connect(), await connect()]
      expectReached(await first.ask({ target: '/open/whoami' }))
      expectReached(await second.ask({ target: '/open/whoami' }))
      app.server.on('upgrade', guardUpgrade(refusing(403), handler))
      app.server.on('upgrade', () => heard.push('after'))
      expect((await first.ask(handshake('/live'))).status).toBe(403)
      heard.length = 0
      expect((await second.ask(handshake('/live'))).status).toBe(403)
      expect([...heard, ...handled]).toEqual([])
    })

    test('hear of an upgrade that passes, once and in their order', async () => {
      const heard: string[] = []
      app.server.on('upgrade', () => heard.push('before'))
      app.server.on('upgrade', guardUpgrade(passing, handler))
      app.server.on('upgrade', () => heard.push('after'))
      for (let round = 0; round < 2; round++) expect(await open(url('/live'))).toMatchObject({ auth: { type: 'none' } })
      expect(heard).toEqual(['before', 'after', 'before', 'after'])
      expect(handled).toEqual(['/live', '/live'])
    })

    test('are themselves again once the guarded one is gone', async () => {
      const listener = guardUpgrade(refusing(403), handler)
      app.server.on('upgrade', listener)
      expect(await open(url('/live'))).toBe(403)
      app.server.off('upgrade', listener)
      app.server.on('upgrade', handler)
      expect(await open(url('/live'))).toEqual({ auth: null })
    })
  })

  test('several guarded listeners: every one of their gates must let it pass', async () => {
    const only = (path: string) =>
      gateOf(({ target }) => (target === path ? { kind: 'skip' } : passing.handle({} as GateRequest)))
    app.server.on('upgrade', guardUpgrade(only('/a'), handler))
    app.server.on(
      'upgrade',
      guardUpgrade([only('/b'), refusing(403)], () => {}),
    )
    expect(await open(url('/b'))).toBe(403)
    expect(await open(url('/a'))).toEqual({ auth: { type: 'none', route: 'everywhere' } })
    expect(handled).toEqual(['/a'])
  })

  test('several gates: the first that does not skip decides', async () => {
    const skipping = gateOf(() => ({ kind: 'skip' }))
    app.server.on('upgrade', guardUpgrade([skipping, passing, refusing(403)], handler))
    expect(await open(url('/live'))).toMatchObject({ auth: { route: 'everywhere' } })
  })

  test('where all gates skip, the handler gets it and authOf has nothing', async () => {
    const skipping = gateOf(() => ({ kind: 'skip' }))
    app.server.on('upgrade', guardUpgrade([skipping, skipping], handler))
    expect(await open(url('/live'))).toEqual({ auth: null })
  })

  test.each<[string, unknown]>([
    ['no gates', []],
    ['nothing', undefined],
    ['an object', {}],
    ['a promise of a guard', Promise.resolve(passing)],
    ['guards in an object', { guard: passing }],
    ['a list with a promise in it', [passing, Promise.resolve(passing)]],
  ])('%s in place of a gate is refused when it is given', (_what, wrong) => {
    const words = /^guardUpgrade\(\) needs a gate|^(?:argument 1|gate 2) of guardUpgrade\(\) is no gate/
    expect(() => guardUpgrade(wrong as Gate, handler)).toThrow(words)
  })

  test.each([
    ['at once', refusing(403)],
    ['later', gateOf(async () => refusing(403).handle({} as GateRequest))],
  ])(
    'right behind a request that is not answered yet, a refusal (%s) ends the connection and nothing else',
    async (_when, gate) => {
      app.server.on('upgrade', guardUpgrade(gate, handler))
      const connection = await connect()
      const { headers = {} } = handshake('/live')
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      const handshakeText = `GET /live HTTP/1.1\r\nhost: app.example.com\r\n${fields.join('')}\r\n`
      connection.write(Buffer.from(`GET /open/wait HTTP/1.1\r\nhost: app.example.com\r\n\r\n${handshakeText}`))
      expect(String(await connection.rest().catch(() => ''))).toBe('')
      expect(handled).toEqual([])
      expectReached(await askRaw(app.port, { target: '/open/whoami' }))
    },
  )

  test("can be called from an application's own listener, which chooses by path", async () => {
    const guarded = guardUpgrade(guard, handler)
    app.server.on('upgrade', (request, socket, head) => {
      if (request.url?.startsWith('/else')) socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      else guarded(request, socket, head)
    })
    for (let round = 0; round < 2; round++) {
      expect(await open(url('/basic/live'))).toBe(401)
      expect(await open(url('/else'))).toBe(404)
      expect(await open(url('/open/live'))).toMatchObject({ auth: { route: '/open' } })
    }
    expect(handled).toEqual(['/open/live', '/open/live'])
  })

  test('a gate sees an upgrade as what it is', async () => {
    const seen: unknown[] = []
    const gate = gateOf((request) => {
      const { kind, method, target, localPort, peer, body, host } = request
      seen.push([kind, method, target, localPort, peer, body, host === request.host])
      return passing.handle(request)
    })
    app.server.on('upgrade', guardUpgrade(gate, handler))
    await open(url('/live?a=1'))
    const peer = { address: '127.0.0.1', encrypted: false }
    expect(seen).toEqual([['upgrade', 'GET', '/live?a=1', app.port, peer, { kind: 'none' }, true]])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('a bug')
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bug'))],
    ['returns nothing', () => undefined as never],
  ])('a gate that %s is answered 500, and nobody gets the socket', async (_how, handle) => {
    app.server.on('upgrade', guardUpgrade(gateOf(handle), handler))
    const warned = once(process, 'warning')
    expect((await askRaw(app.port, handshake('/live'))).status).toBe(500)
    await warned
    expect(handled).toEqual([])
  })

  test('what the client has sent meanwhile is not lost on a gate that decides later', async () => {
    const decision = deferred<Outcome>()
    const asked = deferred()
    const gate = gateOf(() => {
      asked.resolve()
      return decision.promise
    })
    app.server.on('upgrade', guardUpgrade(gate, handler))
    // Two text frames, masked with zeros (RFC 6455 §5.2): one in the packet of the handshake, one after it.
    const frame = (text: string) =>
      Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
    const connection = await connect()
    const { target, headers } = handshake('/live')
    connection.send({ target: target ?? '', headers: headers ?? {} })
    connection.write(frame('one'))
    await asked.promise
    connection.write(frame('two'))
    decision.resolve(await passing.handle({} as GateRequest))
    expect((await connection.head()).status).toBe(101)
    for (const text of ['{"auth":{"type":"none","route":"everywhere"}}', 'one', 'two']) {
      expect(await connection.until(text)).toContain(text)
    }
  })

  test('a client that ends its side after a gate has let it pass is still answered', async () => {
    const later = gateOf(async (request) => passing.handle(request))
    const upgraded = deferred()
    app.server.on(
      'upgrade',
      guardUpgrade(later, (_request, socket) => {
        socket.on('end', () => socket.end('goodbye')).resume()
        upgraded.resolve()
      }),
    )
    const connection = await connect({ allowHalfOpen: true })
    connection.send(handshake('/live'))
    await upgraded.promise
    connection.socket.end()
    expect(String(await connection.rest())).toBe('goodbye')
  })

  describe('a client that goes away while the gate decides', () => {
    test.each(['pass', 'reply'] as const)('reaches no handler, with a late %s', async (kind) => {
      const asked = deferred<GateRequest>()
      const decision = deferred<Outcome>()
      const gate = gateOf((request) => {
        if (request.target === '/other') return passing.handle(request)
        asked.resolve(request)
        return decision.promise
      })
      app.server.on('upgrade', guardUpgrade(gate, handler))
      const connection = await connect()
      connection.send(handshake('/live'))
      const { signal } = await asked.promise
      const aborted = once(signal, 'abort')
      await connection.close()
      await aborted
      const body = new PassThrough()
      const closed = closeOf(body)
      if (kind === 'pass') {
        decision.resolve(await passing.handle({} as GateRequest))
        body.destroy()
      } else decision.resolve({ kind: 'reply', reply: { status: 403, body } })
      await closed
      expect(await open(url('/other'))).toMatchObject({ auth: { type: 'none' } })
      expect(handled).toEqual(['/other'])
    })

    test('by a reset does not end the process', async () => {
      const asked = deferred<GateRequest>()
      const decision = deferred<Outcome>()
      const gate = gateOf((request) => {
        if (request.target === '/other') return passing.handle(request)
        asked.resolve(request)
        return decision.promise
      })
      app.server.on('upgrade', guardUpgrade(gate, handler))
      const connection = await connect()
      connection.send(handshake('/live'))
      const { signal } = await asked.promise
      const aborted = once(signal, 'abort')
      connection.socket.resetAndDestroy()
      await aborted
      decision.resolve({ kind: 'reply', reply: { status: 403 } })
      expect(await open(url('/other'))).toMatchObject({ auth: { type: 'none' } })
      expect(handled).toEqual(['/other'])
    })
  })

  test('a refusal can be a stream', async () => {
    const body = Readable.from(['come ', 'back ', 'later'])
    const gate = gateOf(() => ({ kind: 'reply', reply: { status: 503, headers: { 'retry-after': '5' }, body } }))
    app.server.on('upgrade', guardUpgrade(gate, handler))
    const connection = await connect()
    const answer = await connection.ask(handshake('/live'))
    expect([answer.status, answer.headers['retry-after'], answer.text()]).toEqual([503, '5', 'come back later'])
    expect(await connection.rest()).toHaveLength(0)
  })

  test('a refusal by a stream that fails breaks the connection', async () => {
    const body = new PassThrough()
    const gate = gateOf(() => ({ kind: 'reply', reply: { status: 503, body } }))
    app.server.on('upgrade', guardUpgrade(gate, handler))
    const connection = await connect()
    connection.send(handshake('/live'))
    expect((await connection.head()).status).toBe(503)
    body.destroy(new Error('the upstream broke'))
    await expect(connection.chunk()).rejects.toThrow(ConnectionEnded)
  })
})

describe('https', () => {
  let server: Server
  const wss = new WebSocketServer({ noServer: true })
  const seen: boolean[] = []

  beforeAll(async () => {
    const watching = gateOf((request) => {
      seen.push(request.peer.encrypted)
      return { kind: 'skip' }
    })
    server = createHttpsServer(
      selfSigned(),
      forNode.sallyport(guard)((_req, res) => void res.end('hello')),
    )
    server.on(
      'upgrade',
      forNode.guardUpgrade([watching, guard], (request, socket, head) => {
        wss.handleUpgrade(request, socket, head, (client) => {
          client.send(JSON.stringify({ auth: forNode.authOf(request) ?? null }))
        })
      }),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const client of wss.clients) client.terminate()
    await closed
  })

  test('upgrades are guarded from the very first connection on', async () => {
    const { port } = server.address() as AddressInfo
    const authorization = `Basic ${Buffer.from('hello:world').toString('base64')}`
    let others = 0
    const other = () => {
      others++
    }
    server.prependListener('upgrade', other)
    expect(await open(`wss://127.0.0.1:${port}/basic`)).toBe(401)
    expect(others).toBe(0)
    expect(await open(`wss://127.0.0.1:${port}/basic`, { authorization })).toMatchObject({ auth: { subject: 'hello' } })
    expect(others).toBe(1)
    expect(seen).toEqual([true, true])
  })

  test('requests are guarded', async () => {
    const { port } = server.address() as AddressInfo
    const connection = await connectRaw(port, { tls: true })
    expect((await connection.ask({ target: '/basic' })).status).toBe(401)
    const authorization = `Basic ${Buffer.from('hello:world').toString('base64')}`
    expect((await connection.ask({ target: '/basic', headers: { authorization } })).text()).toBe('hello')
    await connection.close()
  })
})

describe('one guarded listener', () => {
  test('a refused client that keeps its side open, and goes on sending, gets its answer and holds no connection', async () => {
    const server = createServer().on(
      'upgrade',
      forNode.guardUpgrade(refusing(403), () => {}),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const sockets: Socket[] = []
    server.on('connection', (socket: Socket) => sockets.push(socket))
    const clients = ['', 'x'.repeat(1_000_000)].map(async (more) => {
      const connection = await connectRaw(port, { allowHalfOpen: true })
      connection.send(handshake('/live'))
      connection.write(more)
      expect((await connection.answer()).status).toBe(403)
      return connection
    })
    const connections = await Promise.all(clients)
    const closed = once(server, 'close')
    server.close()
    await closed
    for (const connection of connections) {
      expect(await connection.rest()).toHaveLength(0)
      await connection.close()
    }
    // All of it was read: closing on unread bytes would reset the connection.
    expect(Math.max(...sockets.map((socket) => socket.bytesRead))).toBeGreaterThan(1_000_000)
  })

  test('on two servers guards both', async () => {
    const handled: string[] = []
    const listener = forNode.guardUpgrade(refusing(403), () => handled.push('handler'))
    const servers = [createServer(), createServer()]
    for (const server of servers) {
      server.on('upgrade', () => handled.push('other'))
      server.on('upgrade', listener)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    for (const server of servers) {
      const { port } = server.address() as AddressInfo
      expect((await askRaw(port, handshake('/'))).status).toBe(403)
      const closed = once(server, 'close')
      server.close()
      await closed
    }
    expect(handled).toEqual([])
  })
})

test('a guard without a listener behind it is a mistake that is told at once', () => {
  const gate: Gate = { handle: () => ({ kind: 'skip' }), ready: async () => {}, close: async () => {} }
  expect(() => forNode.guardUpgrade(gate, undefined as never)).toThrow('guardUpgrade needs a listener')
})
