/** What a gate gets to see, and what becomes of what it decides: hand-written gates, broken ones, several in a row. */
import { once } from 'node:events'
import { IncomingMessage, type ServerResponse } from 'node:http'
import { createGuard, type Gate, type GateRequest, type Outcome } from 'sallyport'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askRaw, connectRaw, type RawConnection, type RawRequest } from '../support/raw-client.ts'
import { type AppOptions, type RunningApp, SERVERS } from '../support/servers.ts'
import { deferred, expectProblem, expectReached, gateOf, passing, refusing, withoutReaching } from './helpers.ts'

const skipping = gateOf(() => ({ kind: 'skip' }))
const later = (gate: Gate) => gateOf(async (request) => gate.handle(request))

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

  describe('a gate sees', () => {
    test('the request as the client sent it', async () => {
      const seen: Record<string, unknown>[] = []
      const gate = gateOf((request) => {
        const { method, target, kind, peer, localPort, headers, rawHeaders } = request
        seen.push({ method, target, kind, peer, localPort, cookie: headers.cookie, rawHeaders })
        return passing.handle(request)
      })
      await startApp({ gates: [gate], mount: ['/api'] })
      const headers = [
        ['Host', 'app.example.com:8080'],
        ['Cookie', 'a=1'],
        ['X-Two', 'one'],
        ['x-two', 'two'],
      ] as const
      await ask({ method: 'DELETE', target: '/api/%77hoami?q=%2F', headers })
      expect(seen).toEqual([
        {
          method: 'DELETE',
          target: '/api/%77hoami?q=%2F',
          kind: 'http',
          peer: { address: '127.0.0.1', encrypted: false },
          localPort: app.port,
          cookie: 'a=1',
          rawHeaders: ['Host', 'app.example.com:8080', 'Cookie', 'a=1', 'X-Two', 'one', 'x-two', 'two'],
        },
      ])
    })

    test("the framework's own object as host", async () => {
      let host: unknown
      const gate = gateOf((request) => {
        host = request.host
        return passing.handle(request)
      })
      await startApp({ gates: [gate] })
      await ask({ target: '/whoami' })
      if (framework === 'koa') {
        expect(host).toMatchObject({ app: expect.anything(), state: expect.anything(), path: '/whoami' })
        expect((host as { req: unknown }).req).toBeInstanceOf(IncomingMessage)
      } else if (framework === 'fastify') {
        expect(host).toHaveProperty('server')
        expect((host as { raw: unknown }).raw).toBeInstanceOf(IncomingMessage)
      } else {
        expect(host).toBeInstanceOf(IncomingMessage)
        expect('app' in (host as object)).toBe(framework === 'express')
      }
    })
  })

  describe('a gate that is broken', () => {
    const warnings: Error[] = []
    const listener = (warning: Error) => warnings.push(warning)
    beforeEach(() => {
      warnings.length = 0
      process.on('warning', listener)
      return () => process.off('warning', listener)
    })

    const broken: [string, (request: GateRequest) => unknown][] = [
      [
        'throws',
        () => {
          throw new Error('a bug')
        },
      ],
      ['rejects', () => Promise.reject(new Error('a bug'))],
      [
        'throws what is no error',
        () => {
          throw null
        },
      ],
      ['returns nothing', () => undefined],
      ['resolves to nothing', async () => undefined],
      ['returns what is no outcome', () => ({ kind: 'ok' })],
      ['resolves to what is no outcome', async () => ({ kind: 'ok' })],
      ['lets pass without saying whom', () => ({ kind: 'pass' })],
      ['lets pass nobody', async () => ({ kind: 'pass', auth: null })],
      ['replies without a reply', () => ({ kind: 'reply' })],
      ['replies with no real status', () => ({ kind: 'reply', reply: { status: 42 } })],
      ['replies with an interim status', () => ({ kind: 'reply', reply: { status: 101 } })],
      ['splits the answer by a header', () => ({ kind: 'reply', reply: { status: 200, headers: { a: 'b\r\nc: d' } } })],
      [
        'makes up the name of a header',
        async () => ({ kind: 'reply', reply: { status: 200, headers: { 'a b': 'c' } } }),
      ],
      ['replies with an object as the body', async () => ({ kind: 'reply', reply: { status: 200, body: { a: 1 } } })],
      [
        'lets pass with a header that splits the answer',
        async () => ({ kind: 'pass', auth: { type: 'none', route: '' }, headers: { 'set-cookie': ['a=1\r\nb: c'] } }),
      ],
    ]

    test.each(broken)('since it %s is answered 500, and the next request finds all well', async (_how, handle) => {
      const gate = gateOf((request) =>
        request.target === '/good/whoami' ? passing.handle(request) : (handle(request) as Outcome),
      )
      await startApp({ gates: [gate] })
      const connection = await connect()
      const warned = once(process, 'warning')
      expectProblem(await withoutReaching(app, () => connection.ask({ target: '/bad/whoami' })), 500)
      await warned
      expect(warnings).toMatchObject([{ code: 'SALLYPORT_GATE', message: expect.stringContaining('a gate threw') }])
      expectReached(await connection.ask({ target: '/good/whoami' }))
      expect(app.errors).toEqual([])
    })

    test('does not hand the request to the next gate', async () => {
      const gate = gateOf(() => {
        throw new Error('a bug')
      })
      for (const first of [gate, later(gate)]) {
        await startApp({ gates: [first, passing] })
        expectProblem(await withoutReaching(app, () => ask({ target: '/whoami' })), 500)
        if (first === gate) await app.close()
      }
    })
  })

  test('a gate that decides late is waited for', async () => {
    const decision = deferred<Outcome>()
    const asked = deferred()
    const gate = gateOf((request) => {
      if (request.target === '/other/whoami') return passing.handle(request)
      asked.resolve()
      return decision.promise
    })
    await startApp({ gates: [gate] })
    const connection = await connect()
    connection.send({ target: '/slow/whoami' })
    await asked.promise
    await withoutReaching(app, async () => {})
    expectReached(await ask({ target: '/other/whoami' }))
    decision.resolve(await passing.handle({} as GateRequest))
    expect(expectReached(await connection.answer()).url).toBe('/slow/whoami')
  })

  describe('two gates', () => {
    const first: Outcome = { kind: 'pass', auth: { type: 'none', route: 'first' } }

    test.each([
      ['at once', (gate: Gate) => gate],
      ['later', later],
    ])('that decide %s: the first that does not skip wins', async (_when, given) => {
      const cases: [Gate[], string | number | null][] = [
        [[skipping, passing], 'everywhere'],
        [[skipping, refusing(403)], 403],
        [[refusing(401), passing], 401],
        [[gateOf(() => first), refusing(403)], 'first'],
        [[skipping, skipping], null],
      ]
      for (const [gates, expected] of cases) {
        await startApp({ gates: gates.map(given) })
        const answer = await ask({ target: '/whoami' })
        if (typeof expected === 'number') {
          expect([answer.status, answer.text(), answer.headers['x-gate']]).toEqual([expected, 'refused', 'refused'])
          expect(app.reached).toBe(0)
        } else expect(expectReached(answer).auth?.route ?? null).toBe(expected)
        await app.close()
      }
      await startApp({ gates: [skipping] })
    })

    test('of which the first has decided: the second is not asked', async () => {
      let asked = 0
      const counting = gateOf(() => {
        asked++
        return { kind: 'skip' }
      })
      await startApp({ gates: [skipping, gateOf(() => first), counting] })
      expectReached(await ask({ target: '/whoami' }))
      expect(asked).toBe(0)
    })
  })

  describe("a guard with unmatched: 'skip'", () => {
    const guard = createGuard({
      unmatched: 'skip',
      routes: [{ path: '/basic', auth: { type: 'basic', username: 'hello', password: 'world' } }],
    })

    test('leaves to the application what no route matches, without saying who it is', async () => {
      await startApp({ gates: [guard] })
      expect(expectReached(await ask({ target: '/elsewhere/whoami' })).auth).toBeNull()
      const missing = await ask({ target: '/elsewhere/nothing' })
      expect(missing.status).toBe(404)
      expect(missing.headers['content-type']).not.toBe('application/problem+json')
    })

    test('still refuses what two parsers could read differently', async () => {
      await startApp({ gates: [guard] })
      expectProblem(await withoutReaching(app, () => ask({ target: '/elsewhere%2F..%2Fbasic/whoami' })), 400)
      expectProblem(await withoutReaching(app, () => ask({ target: '/elsewhere/../basic/whoami' })), 400)
      expectProblem(await withoutReaching(app, () => ask({ target: '/b%61sic/whoami' })), 400)
    })

    test('leaves the rest to the next gate', async () => {
      await startApp({ gates: [guard, refusing(418)] })
      expect((await ask({ target: '/elsewhere' })).status).toBe(418)
      expect((await ask({ target: '/basic' })).status).toBe(401)
    })
  })

  test('a closed guard answers 503 and lets nothing pass', async () => {
    const guard = createGuard({ routes: [{ auth: { type: 'none' } }] })
    await startApp({ gates: [guard] })
    expectReached(await ask({ target: '/whoami' }))
    await guard.close()
    expectProblem(await withoutReaching(app, () => ask({ target: '/whoami' })), 503)
  })

  if (framework === 'express' || framework === 'koa') {
    test('a reply after somebody has answered already is dropped', async () => {
      const gate = gateOf(({ host }) => {
        const { res } = host as { res: ServerResponse }
        res.statusCode = 200
        res.end('answered by hand')
        return { kind: 'reply', reply: { status: 403, body: 'too late' } }
      })
      await startApp({ gates: [gate] })
      const connection = await connect()
      for (let round = 0; round < 2; round++) {
        const answer = await connection.ask({ target: '/' })
        expect([answer.status, answer.text()]).toEqual([200, 'answered by hand'])
      }
    })
  }
})
