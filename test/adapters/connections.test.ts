/** Several requests on one connection, many connections at once, and clients that go away. */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { createGuard, type GateRequest, type Outcome } from 'sallyport'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { AUDIENCE, type KeyServer, startKeyServer } from '../support/identity-provider.ts'
import {
  askRaw,
  ConnectionEnded,
  connectRaw,
  type RawAnswer,
  type RawConnection,
  type RawRequest,
  requestBytes,
} from '../support/raw-client.ts'
import { type AppOptions, type RunningApp, SERVERS } from '../support/servers.ts'
import {
  closeOf,
  deferred,
  expectProblem,
  expectReached,
  gateOf,
  passing,
  refusing,
  withoutReaching,
} from './helpers.ts'

const credentials = { authorization: `Basic ${Buffer.from('hello:world').toString('base64')}` }
const CHALLENGE = { 'www-authenticate': 'Basic realm="orders", charset="UTF-8"' }

let keys: KeyServer
beforeAll(async () => {
  keys = await startKeyServer()
})
afterAll(() => keys.close())

const makeGuard = () =>
  createGuard({
    integrations: { corp: { issuer: keys.issuer, jwksUri: keys.jwksUri, audience: AUDIENCE } },
    routes: [
      { path: '/open', auth: { type: 'none' } },
      { path: '/basic', auth: { type: 'basic', username: 'hello', password: 'world', realm: 'orders' } },
      { path: '/jwt', auth: { type: 'jwt', integration: 'corp' } },
    ],
  })

describe.each(SERVERS)('$name', ({ start }) => {
  let app: RunningApp
  const connections: RawConnection[] = []
  const startApp = async (options: AppOptions) => {
    app = await start(options)
  }
  async function connect(): Promise<RawConnection> {
    const connection = await connectRaw(app.port)
    connections.push(connection)
    return connection
  }

  afterEach(async () => {
    for (const connection of connections.splice(0)) await connection.close()
    await app.close()
  })

  describe('on one connection', () => {
    test('refused and passed requests follow each other', async () => {
      await startApp({ gates: [makeGuard()] })
      const connection = await connect()
      const token = await keys.sign()
      for (let round = 0; round < 3; round++) {
        expectReached(await connection.ask({ target: '/open/whoami' }))
        expectProblem(await connection.ask({ target: '/basic/whoami' }), 401, CHALLENGE)
        const { auth } = expectReached(await connection.ask({ target: '/basic/whoami', headers: credentials }))
        expect(auth?.type).toBe('basic')
        expectProblem(await connection.ask({ target: '/jwt/whoami' }), 403, { 'www-authenticate': 'Bearer' })
        const headers = { authorization: `Bearer ${token}` }
        expect(expectReached(await connection.ask({ target: '/jwt/whoami', headers })).auth?.subject).toBe('alice')
        expectProblem(await connection.ask({ target: '/nowhere' }), 404)
        // Nothing of who came before sticks to the connection.
        expect(expectReached(await connection.ask({ target: '/open/whoami' })).auth?.type).toBe('none')
      }
    })

    test('pipelined requests are answered in order, passed, refused, and decided later', async () => {
      await startApp({ gates: [makeGuard()] })
      const connection = await connect()
      const token = await keys.sign({ jti: 'never seen' })
      const requests: [RawRequest, (answer: RawAnswer) => void][] = [
        [{ target: '/open/whoami?1' }, (answer) => expect(expectReached(answer).url).toBe('/open/whoami?1')],
        [{ target: '/basic/whoami' }, (answer) => expectProblem(answer, 401, CHALLENGE)],
        [
          { target: '/jwt/whoami?2', headers: { authorization: `Bearer ${token}` } },
          (answer) => expect(expectReached(answer).url).toBe('/jwt/whoami?2'),
        ],
        [{ target: '/nowhere' }, (answer) => expectProblem(answer, 404)],
        [
          { method: 'POST', target: '/open/echo', headers: { 'content-type': 'application/json' }, body: '{"a":1}' },
          (answer) => expect(answer.json()).toEqual({ a: 1 }),
        ],
        [{ method: 'POST', target: '/basic/echo', body: 'ignored' }, (answer) => expectProblem(answer, 401, CHALLENGE)],
        [
          { target: '/basic/whoami?3', headers: credentials },
          (answer) => expect(expectReached(answer).url).toBe('/basic/whoami?3'),
        ],
      ]
      for (let round = 0; round < 2; round++) {
        connection.write(Buffer.concat(requests.map(([request]) => requestBytes(request))))
        for (const [request, check] of requests) check(await connection.answer(request.method))
      }
      expect(connection.unread).toBe(0)
    })

    test('a pipelined refusal waits for the answer before it', async () => {
      await startApp({ gates: [makeGuard()] })
      const connection = await connect()
      const open = once(app.feed, 'open')
      const requests = [{ target: '/open/wait' }, { target: '/basic/whoami' }, { target: '/open/whoami' }]
      connection.write(Buffer.concat(requests.map(requestBytes)))
      await open
      expectProblem(await askRaw(app.port, { target: '/nowhere' }), 404)
      expect(connection.unread).toBe(0)
      app.feed.emit('release')
      expect(expectReached(await connection.answer()).url).toBe('/open/wait')
      expectProblem(await connection.answer(), 401, CHALLENGE)
      expectReached(await connection.answer())
    })

    test('a refusal with Connection: close closes', async () => {
      await startApp({ gates: [makeGuard()] })
      const connection = await connect()
      const answer = await connection.ask({ target: '/basic/whoami', headers: { connection: 'close' } })
      expect([answer.status, answer.headers.connection]).toEqual([401, 'close'])
      expect(await connection.rest()).toHaveLength(0)
    })

    test('an HTTP/1.0 request without a Host is served where no route asks for one', async () => {
      await startApp({ gates: [makeGuard()] })
      for (const [path, status] of [
        ['/open/whoami', 200],
        ['/basic/whoami', 401],
      ]) {
        const connection = await connect()
        connection.write(`GET ${path} HTTP/1.0\r\n\r\n`)
        expect((await connection.answer()).status).toBe(status)
      }
    })

    test('a refusal answers a client that expects 100-continue', async () => {
      await startApp({ gates: [makeGuard()] })
      const connection = await connect()
      connection.send({
        method: 'POST',
        target: '/basic/echo',
        headers: { expect: '100-continue', 'content-length': '2' },
      })
      expect((await connection.answer()).status).toBe(401)
      connection.write('{}')
      expectReached(await connection.ask({ target: '/open/whoami' }))
    })
  })

  describe('a client that goes away', () => {
    const decisions = ['pass', 'reply', 'reply with a stream', 'rejection'] as const

    test.each(decisions)('while a gate decides: the signal aborts, and a late %s harms nobody', async (kind) => {
      const asked = deferred<GateRequest>()
      const decision = deferred<Outcome>()
      const gate = gateOf((request) => {
        if (request.target === '/whoami') return passing.handle(request)
        asked.resolve(request)
        return decision.promise
      })
      await startApp({ gates: [gate] })
      const connection = await connect()
      connection.send({ target: '/slow/whoami' })
      const { signal } = await asked.promise
      expect(signal.aborted).toBe(false)
      const aborted = once(signal, 'abort')
      await connection.close()
      await aborted
      expect((await asked.promise).signal).toBe(signal)

      const body = new PassThrough()
      if (kind === 'pass') decision.resolve(await passing.handle({} as GateRequest))
      else if (kind === 'reply') decision.resolve(await refusing(403).handle({} as GateRequest))
      else if (kind === 'rejection') decision.reject(new Error('aborted'))
      else {
        const closed = once(body, 'close')
        decision.resolve({ kind: 'reply', reply: { status: 200, body } })
        await closed
      }
      expectReached(await askRaw(app.port, { target: '/whoami' }))
      // What waits for the connection to close would wait for ever.
      expect(app.reached).toBe(1)
      expect(app.errors).toEqual([])
    })

    test('in the turn that its request comes in: a gate sees where it came from, and the application does not run', async () => {
      const seen: unknown[] = []
      const gate = gateOf((request) => {
        if (request.target === '/gone/whoami') seen.push([request.localPort, request.peer])
        return passing.handle(request)
      })
      await startApp({ gates: [gate] })
      const connection = await connect()
      // Node takes the first for a request, and breaks the connection at the second.
      connection.write('POST /gone/whoami HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n\0garbage\r\n\r\n')
      await connection.rest()
      expectReached(await askRaw(app.port, { target: '/whoami' }))
      expect(seen).toEqual([[app.port, { address: '127.0.0.1', encrypted: false }]])
      expect(app.reached).toBe(1)
    })

    test('before a gate asks for the signal: it is aborted already', async () => {
      const asked = deferred<GateRequest>()
      const decision = deferred<Outcome>()
      const gate = gateOf((request) => {
        asked.resolve(request)
        return decision.promise
      })
      await startApp({ gates: [gate] })
      const connection = await connect()
      const disconnected = once(app.server, 'connection').then(([socket]) => once(socket, 'close'))
      const second = await connect()
      await connection.close()
      second.send({ target: '/slow/whoami' })
      const request = await asked.promise
      await second.close()
      await disconnected
      // The server has noticed once it has no connections left.
      while ((await openConnections(app)) > 0) await new Promise(setImmediate)
      expect(request.signal.aborted).toBe(true)
      decision.resolve({ kind: 'skip' })
    })

    test('in the middle of its request body', async () => {
      const asked = deferred<GateRequest>()
      const decision = deferred<Outcome>()
      const gate = gateOf((request) => {
        if (request.target === '/whoami') return passing.handle(request)
        asked.resolve(request)
        return decision.promise
      })
      await startApp({ gates: [gate] })
      const connection = await connect()
      connection.send({ method: 'POST', target: '/slow/whoami', headers: { 'content-length': '100' }, body: 'half' })
      const { signal } = await asked.promise
      const aborted = once(signal, 'abort')
      await connection.close()
      await aborted
      decision.resolve({ kind: 'reply', reply: { status: 403 } })
      expectReached(await askRaw(app.port, { target: '/whoami' }))
    })

    test('with pipelined requests still waiting for their turn: their signals abort, their streams are let go', async () => {
      const asked = deferred<GateRequest>()
      const decision = deferred<Outcome>()
      const early = new PassThrough()
      const gate = gateOf((request) => {
        if (request.target === '/early') return { kind: 'reply', reply: { status: 200, body: early } }
        if (request.target !== '/late') return passing.handle(request)
        asked.resolve(request)
        return decision.promise
      })
      await startApp({ gates: [gate] })
      const connection = await connect()
      connection.write(
        Buffer.concat([{ target: '/wait' }, { target: '/early' }, { target: '/late' }].map(requestBytes)),
      )
      const { signal } = await asked.promise
      const aborted = once(signal, 'abort')
      const closed = [closeOf(early)]
      await connection.close()
      await aborted
      const late = new PassThrough()
      closed.push(closeOf(late))
      decision.resolve({ kind: 'reply', reply: { status: 200, body: late } })
      await Promise.all(closed)
      expectReached(await askRaw(app.port, { target: '/whoami' }))
    })
  })

  test('a stream that fails while it waits for its turn breaks the connection', async () => {
    const source = new PassThrough()
    const gate = gateOf((request) =>
      request.target === '/stream' ? { kind: 'reply', reply: { status: 200, body: source } } : passing.handle(request),
    )
    await startApp({ gates: [gate] })
    const connection = await connect()
    const open = once(app.feed, 'open')
    connection.write(Buffer.concat([{ target: '/wait' }, { target: '/stream' }].map(requestBytes)))
    await open
    source.write('half')
    source.destroy(new Error('the upstream broke'))
    await closeOf(source)
    app.feed.emit('release')
    await expect(connection.answer().then(() => connection.answer())).rejects.toThrow(ConnectionEnded)
  })

  test('the signal of a pipelined request that is answered does not abort', async () => {
    const signals: AbortSignal[] = []
    const gate = gateOf(async (request) => {
      signals.push(request.signal)
      return request.target === '/refused' ? refusing(403).handle(request) : passing.handle(request)
    })
    await startApp({ gates: [gate] })
    const accepted = once(app.server, 'connection')
    const connection = await connect()
    const [socket] = await accepted
    expectReached(await connection.ask({ target: '/whoami' }))
    const listeners = socket.listenerCount('close')
    signals.length = 0
    const open = once(app.feed, 'open')
    const warned = vi.fn()
    process.on('warning', warned)
    const targets = ['/wait', ...Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? '/whoami' : '/refused'))]
    connection.write(Buffer.concat(targets.map((target) => requestBytes({ target }))))
    await open
    app.feed.emit('release')
    for (const target of targets) expect((await connection.answer()).status).toBe(target === '/refused' ? 403 : 200)
    expect(socket.listenerCount('close')).toBe(listeners)
    await connection.close()
    while ((await openConnections(app)) > 0) await new Promise(setImmediate)
    process.off('warning', warned)
    expect(signals.map((signal) => signal.aborted)).toEqual(targets.map(() => false))
    expect(warned).not.toHaveBeenCalled()
  })

  test('the signal of a request that is answered does not abort, not even with a body', async () => {
    const signals: AbortSignal[] = []
    const gate = gateOf(async (request) => {
      signals.push(request.signal)
      return request.target.startsWith('/refused') ? refusing(403).handle(request) : passing.handle(request)
    })
    await startApp({ gates: [gate], bodyParser: 'after' })
    const connection = await connect()
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }
    await connection.ask({ ...post, target: '/echo' })
    await connection.ask({ ...post, target: '/refused' })
    await connection.ask({ target: '/whoami' })
    await connection.close()
    while ((await openConnections(app)) > 0) await new Promise(setImmediate)
    expect(signals.map((signal) => signal.aborted)).toEqual([false, false, false])
  })

  test('200 mixed requests at once each get their own answer', async () => {
    const guard = makeGuard()
    await startApp({ gates: [gateOf(async () => ({ kind: 'skip' })), guard] })
    const people = ['alice', 'bob', 'carol', 'dave']
    const tokens = await Promise.all(people.map((sub) => keys.sign({ sub })))
    const kinds: ((n: number) => [RawRequest, (answer: RawAnswer) => void])[] = [
      (n) => [
        { target: `/jwt/whoami?${n}`, headers: { authorization: `Bearer ${tokens[n % 4]}` } },
        (answer) =>
          expect(expectReached(answer)).toMatchObject({ url: `/jwt/whoami?${n}`, auth: { subject: people[n % 4] } }),
      ],
      () => [{ target: '/jwt/whoami' }, (answer) => expectProblem(answer, 403, { 'www-authenticate': 'Bearer' })],
      (n) => [
        { target: `/basic/whoami?${n}`, headers: credentials },
        (answer) =>
          expect(expectReached(answer)).toMatchObject({ url: `/basic/whoami?${n}`, auth: { subject: 'hello' } }),
      ],
      () => [{ target: '/basic/whoami' }, (answer) => expectProblem(answer, 401, CHALLENGE)],
      (n) => [
        { method: 'POST', target: '/open/echo', headers: { 'content-type': 'application/json' }, body: `{"n":${n}}` },
        (answer) => expect(answer.json()).toEqual({ n }),
      ],
      () => [{ target: '/nowhere' }, (answer) => expectProblem(answer, 404)],
      () => [{ target: '/open/%2e%2e/basic' }, (answer) => expectProblem(answer, 400)],
    ]
    const conversations = Array.from({ length: 20 }, async (_, client) => {
      const connection = await connect()
      for (let n = client * 10; n < client * 10 + 10; n++) {
        const [request, check] = (kinds[n % kinds.length] as (typeof kinds)[number])(n)
        check(await connection.ask(request))
      }
    })
    await Promise.all(conversations)
    await withoutReaching(app, async () => {})
  })
})

function openConnections(app: RunningApp): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
  })
}
