/** What stands around the gates in a real application: body parsers, mounts, error handlers, CORS, HEAD and OPTIONS. */
import { createGuard, type GateRequest } from 'sallyport'
import { afterEach, describe, expect, test } from 'vitest'
import { askRaw, connectRaw, type RawConnection, type RawRequest } from '../support/raw-client.ts'
import {
  APP_COOKIE,
  type AppOptions,
  CORS_ORIGIN,
  type RunningApp,
  readAll,
  SERVERS,
  STREAMED,
} from '../support/servers.ts'
import { expectProblem, expectReached, gateOf, passing, refusing, withoutReaching } from './helpers.ts'

const guard = createGuard({
  unmatched: 'skip',
  routes: [
    { path: '/open', auth: { type: 'none' } },
    { path: '/basic', auth: { type: 'basic', username: 'hello', password: 'world', realm: 'orders' } },
    { path: '/api/v1/basic', auth: { type: 'basic', username: 'hello', password: 'world', realm: 'orders' } },
  ],
})
const credentials = { authorization: `Basic ${Buffer.from('hello:world').toString('base64')}` }
const CHALLENGE = { 'www-authenticate': 'Basic realm="orders", charset="UTF-8"' }
const JSON_TYPE = { 'content-type': 'application/json' }
const document = { text: 'smörgåsbord '.repeat(4_000), number: 1 }

describe.each(SERVERS)('$name', ({ framework, start }) => {
  let app: RunningApp
  const connections: RawConnection[] = []
  const startApp = async (options: AppOptions) => {
    app = await start(options)
  }
  const ask = (request: RawRequest) => askRaw(app.port, request)
  async function connect(): Promise<RawConnection> {
    const connection = await connectRaw(app.port)
    connections.push(connection)
    return connection
  }

  afterEach(async () => {
    for (const connection of connections.splice(0)) await connection.close()
    await app.close()
  })

  // Fastify's parser is its own and always runs after the gates.
  const parsers = framework === 'fastify' ? (['after'] as const) : ([undefined, 'before', 'after'] as const)

  describe.each(parsers)('body parser: %s', (bodyParser) => {
    test('the body of a POST that passes arrives whole', async () => {
      await startApp({ gates: [guard], bodyParser } as AppOptions)
      const body = JSON.stringify(document)
      const connection = await connect()
      for (const headers of [JSON_TYPE, { ...JSON_TYPE, ...credentials }]) {
        const target = 'authorization' in headers ? '/basic/echo' : '/open/echo'
        const answer = await connection.ask({ method: 'POST', target, headers, body })
        expect(answer.status).toBe(200)
        expect(answer.json()).toEqual(document)
      }
    })

    test('the body arrives whole after a gate that takes its time', async () => {
      const slow = gateOf(async (request) => {
        await ask({ target: '/open/whoami' })
        return passing.handle(request)
      })
      await startApp({
        gates: [gateOf((request) => (request.method === 'POST' ? slow : passing).handle(request))],
        bodyParser,
      } as AppOptions)
      const [half, rest] = [JSON.stringify(document).slice(0, 100), JSON.stringify(document).slice(100)]
      const connection = await connect()
      const headers = { ...JSON_TYPE, 'content-length': String(Buffer.byteLength(half + rest)) }
      connection.send({ method: 'POST', target: '/open/echo', headers, body: half })
      connection.write(rest)
      expect((await connection.answer()).json()).toEqual(document)
    })

    test.each([
      ['content-length', (body: string) => ({ headers: JSON_TYPE, body })],
      [
        'chunked coding',
        (body: string) => ({
          headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
          body: `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`,
        }),
      ],
    ])('a POST with %s that is refused leaves the connection usable', async (_framing, framed) => {
      await startApp({ gates: [guard], bodyParser } as AppOptions)
      const connection = await connect()
      const post = { method: 'POST', target: '/basic/echo', ...framed(JSON.stringify(document)) }
      for (let round = 0; round < 2; round++) {
        expectProblem(await withoutReaching(app, () => connection.ask(post)), 401, CHALLENGE)
      }
      expectReached(await connection.ask({ target: '/basic/whoami', headers: credentials }))
    })

    test('a gate sees that there is no body', async () => {
      const seen: unknown[] = []
      const gate = gateOf((request) => {
        seen.push(request.body)
        return passing.handle(request)
      })
      await startApp({ gates: [gate], bodyParser } as AppOptions)
      await ask({ target: '/whoami' })
      await ask({ method: 'POST', target: '/whoami', headers: { 'content-length': '0' } })
      expect(seen).toEqual([{ kind: 'none' }, { kind: 'none' }])
    })
  })

  test('a POST is refused before its body has come, and the rest of the body is passed over', async () => {
    await startApp({ gates: [guard] })
    const connection = await connect()
    const headers = { 'content-length': '20000' }
    connection.send({ method: 'POST', target: '/basic/echo', headers, body: 'x'.repeat(100) })
    expectProblem(await connection.answer(), 401, CHALLENGE)
    connection.write('x'.repeat(19_900))
    expectReached(await connection.ask({ target: '/open/whoami' }))
  })

  test('a gate can read the body itself, and sees it as a stream', async () => {
    const gate = gateOf(async ({ body }) => {
      const text = body.kind === 'stream' ? await readAll(body.stream) : body.kind
      return { kind: 'reply', reply: { status: 200, body: text } }
    })
    await startApp({ gates: [gate] })
    const answer = await ask({ method: 'POST', target: '/', headers: JSON_TYPE, body: '{"a":1}' })
    expect(answer.text()).toBe('{"a":1}')
  })

  if (framework !== 'fastify') {
    test('a gate sees the body that a parser has read before it, and the bytes where that has kept them', async () => {
      const seen: unknown[] = []
      const gate = gateOf(({ body }) => {
        seen.push(body.kind === 'stream' ? 'a stream' : body)
        return passing.handle({} as GateRequest)
      })
      await startApp({ gates: [gate], bodyParser: 'before' })
      await ask({ method: 'POST', target: '/whoami', headers: JSON_TYPE, body: '{"a":1}' })
      // Koa's keeps the text.
      const raw = framework === 'koa' ? { raw: Buffer.from('{"a":1}') } : {}
      expect(seen).toEqual([{ kind: 'parsed', value: { a: 1 }, ...raw }])
    })
  }

  describe('mounted', () => {
    test.each([[['/api/v1']], [['/api', '/v1']]])('at %s the guard sees the original URL', async (mount) => {
      await startApp({ gates: [guard], mount })
      const refused = await withoutReaching(app, () => ask({ target: '/api/v1/basic/whoami' }))
      expectProblem(refused, 401, CHALLENGE)
      const answer = await ask({ target: '/api/v1/basic/whoami?q=1', headers: credentials })
      expect(expectReached(answer)).toMatchObject({
        url: '/api/v1/basic/whoami?q=1',
        auth: { type: 'basic', route: '/api/v1/basic', subject: 'hello' },
      })
      // With what the mount leaves of it, this would be the route /open.
      expect(expectReached(await ask({ target: '/api/v1/open/whoami' })).auth).toBeNull()
    })

    test('what lies outside the mount is not asked about', async () => {
      const seen: string[] = []
      const gate = gateOf((request) => {
        seen.push(request.target)
        return passing.handle(request)
      })
      await startApp({ gates: [gate], mount: ['/api'] })
      expect((await ask({ target: '/elsewhere' })).status).toBe(404)
      expectReached(await ask({ target: '/api/whoami' }))
      expect(seen).toEqual(['/api/whoami'])
    })
  })

  describe('errors of the application', () => {
    test("become the framework's own 500", async () => {
      await startApp({ gates: [guard] })
      const connection = await connect()
      const answer = await connection.ask({ target: '/basic/throws', headers: credentials })
      expect(answer.status).toBe(500)
      expect(answer.headers['content-type']).not.toBe('application/problem+json')
      expectReached(await connection.ask({ target: '/open/whoami' }))
    })

    test("reach the application's error handler", async () => {
      await startApp({ gates: [guard], errorHandler: true })
      const answer = await ask({ target: '/basic/throws', headers: credentials })
      expect([answer.status, answer.json()]).toEqual([418, { handled: 'the handler threw' }])
    })

    test('refusals are no errors', async () => {
      await startApp({ gates: [guard], errorHandler: true })
      expectProblem(await ask({ target: '/basic/throws' }), 401, CHALLENGE)
      expect(app.errors).toEqual([])
    })
  })

  describe('headers of a pass', () => {
    const renewing = gateOf(() => ({
      kind: 'pass',
      auth: { type: 'none', route: 'everywhere' },
      headers: { 'set-cookie': ['sid=renewed; Secure', 'hint=1'], 'x-renewed': 'yes' },
    }))
    const ours = ['sid=renewed; Secure', 'hint=1']
    const own = expect.stringMatching(/^app=1; path=\/; httponly$/i)

    test.each([
      ['an answer', 'whoami', 200, []],
      ['an answer with a cookie of its own', 'cookie', 200, [own]],
      ['writeHead with an object', 'head-object', 200, [APP_COOKIE, 'app2=2']],
      ['writeHead with an array', 'head-array', 200, [APP_COOKIE, 'app2=2']],
      ['a streamed answer', 'stream', 200, [APP_COOKIE]],
      ['an error answer', 'throws', 500, []],
      ['the error answer after a head that could not be written', 'head-broken', 500, expect.anything()],
      ['a 404 of the application', 'nowhere', 404, []],
    ])('come with %s', async (_what, action, status, before) => {
      await startApp({ gates: [renewing] })
      const answer = await ask({ target: `/area/${action}/`.replace(/\/$/, '') })
      expect(answer.status).toBe(status)
      if (Array.isArray(before)) expect(answer.lines('set-cookie')).toEqual([...before, ...ours])
      // Whether the framework keeps what the application had set is up to it.
      else expect(answer.lines('set-cookie').filter((line) => line !== 'replaced=1')).toEqual(ours)
      expect(answer.headers['x-renewed']).toBe('yes')
      if (action === 'stream') expect(answer.text()).toBe(STREAMED)
      if (action.startsWith('head') && status === 200) {
        expect([answer.text(), answer.headers['content-type']]).toEqual(['by writeHead', 'text/plain'])
        expect(answer.reason).toBe(action === 'head-object' ? 'Fine' : 'OK')
      }
    })

    test("come with the answer of the application's error handler", async () => {
      await startApp({ gates: [renewing], errorHandler: true })
      const answer = await ask({ target: '/throws' })
      expect([answer.status, answer.lines('set-cookie')]).toEqual([418, ours])
    })

    test('come with an event stream', async () => {
      await startApp({ gates: [renewing] })
      const connection = await connect()
      connection.send({ target: '/events' })
      expect((await connection.head()).lines('set-cookie')).toEqual(ours)
    })

    test('come once with each of several answers on one connection', async () => {
      await startApp({ gates: [renewing] })
      const connection = await connect()
      for (let round = 0; round < 3; round++) {
        expect((await connection.ask({ target: '/whoami' })).lines('set-cookie')).toEqual(ours)
      }
    })

    test('of a gate that decides later come too', async () => {
      await startApp({ gates: [gateOf(async (request) => renewing.handle(request))] })
      expect((await ask({ target: '/cookie' })).lines('set-cookie')).toEqual([own, ...ours])
    })
  })

  describe('a CORS plugin in front', () => {
    const allowed = {
      'access-control-allow-origin': CORS_ORIGIN,
      'access-control-allow-credentials': 'true',
      vary: 'Origin',
    }

    test.each([
      [401, guard],
      [403, refusing(403)],
    ])('is heard with a %s', async (status, gate) => {
      await startApp({ gates: [gate], cors: true })
      const answer = await ask({ target: '/basic/whoami', headers: { origin: CORS_ORIGIN } })
      expect(answer.status).toBe(status)
      expect(answer.headers).toMatchObject(allowed)
    })

    test('is heard with a refusal that comes later', async () => {
      const gate = gateOf(async (request) => guard.handle(request))
      await startApp({ gates: [gate], cors: true })
      const answer = await ask({ target: '/basic/whoami', headers: { origin: CORS_ORIGIN } })
      expectProblem(answer, 401, { ...CHALLENGE, ...allowed })
    })

    test('keeps its Vary beside that of a reply', async () => {
      const gate = gateOf(() => ({ kind: 'reply', reply: { status: 403, headers: { vary: 'Cookie' } } }))
      await startApp({ gates: [gate], cors: true })
      const answer = await ask({ target: '/', headers: { origin: CORS_ORIGIN } })
      expect(answer.lines('vary').flatMap((line) => line.split(/, */))).toEqual(['Origin', 'Cookie'])
    })

    test('is heard with what passes', async () => {
      await startApp({ gates: [guard], cors: true })
      const headers = { origin: CORS_ORIGIN, ...credentials }
      const answer = await ask({ target: '/basic/whoami', headers })
      expectReached(answer)
      expect(answer.headers).toMatchObject(allowed)
    })

    test('answers a preflight itself, without credentials', async () => {
      await startApp({ gates: [guard], cors: true })
      const headers = { origin: CORS_ORIGIN, 'access-control-request-method': 'POST' }
      const answer = await withoutReaching(app, () => ask({ method: 'OPTIONS', target: '/basic/echo', headers }))
      expect(answer.status).toBe(204)
      expect(answer.headers).toMatchObject({ 'access-control-allow-origin': CORS_ORIGIN })
    })
  })

  describe('HEAD and OPTIONS', () => {
    test('HEAD gets the headers of GET and no body, refused or not', async () => {
      await startApp({ gates: [guard] })
      const connection = await connect()
      for (const headers of [{}, credentials]) {
        const got = await connection.ask({ target: '/basic/whoami', headers })
        const headed = await connection.ask({ method: 'HEAD', target: '/basic/whoami', headers })
        expect(headed.status).toBe(got.status)
        const { date: _, 'content-length': length, etag, ...expected } = got.headers
        expect(headed.headers).toMatchObject(expected)
        if (got.status === 401) expect(headed.headers['content-length']).toBe(length)
        else expect(etag === undefined).toBe(headed.headers.etag === undefined)
      }
      expect(connection.unread).toBe(0)
    })

    test('OPTIONS is guarded like any method', async () => {
      await startApp({ gates: [guard] })
      const refused = await withoutReaching(app, () => ask({ method: 'OPTIONS', target: '/basic/whoami' }))
      expectProblem(refused, 401, CHALLENGE)
      expectReached(await ask({ method: 'OPTIONS', target: '/basic/whoami', headers: credentials }))
    })

    test.each(['PUT', 'PATCH', 'DELETE', 'PROPFIND', 'TRACE', 'M-SEARCH'])('%s is guarded', async (method) => {
      await startApp({ gates: [guard] })
      expectProblem(await withoutReaching(app, () => ask({ method, target: '/basic/whoami' })), 401, CHALLENGE)
    })

    test('a reply without a body says so', async () => {
      await startApp({ gates: [gateOf(() => ({ kind: 'reply', reply: { status: 202 } }))] })
      const connection = await connect()
      for (let round = 0; round < 2; round++) {
        expect((await connection.ask({ target: '/' })).headers['content-length']).toBe('0')
      }
    })

    test.each([204, 304])('a reply of %i has neither body nor length', async (status) => {
      await startApp({ gates: [gateOf(() => ({ kind: 'reply', reply: { status, body: 'not sent' } }))] })
      const connection = await connect()
      for (let round = 0; round < 2; round++) {
        const answer = await connection.ask({ target: '/' })
        expect([answer.status, answer.headers['content-length'], answer.headers['transfer-encoding']]).toEqual([
          status,
          undefined,
          undefined,
        ])
      }
    })
  })
})
