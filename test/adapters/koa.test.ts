/** What is Koa's own: middleware that goes on after `next()`, `ctx.respond`, error events. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import type Koa from 'koa'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/koa'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askRaw, ConnectionEnded, connectRaw } from '../support/raw-client.ts'
import { frameworks } from '../support/servers.ts'
import { expectProblem, gateOf, passing } from './helpers.ts'

const versions = frameworks.koa.map((Framework, index) => ({ name: `Koa ${3 - index}`, Framework }))
const credentials = { authorization: `Basic ${Buffer.from('hello:world').toString('base64')}` }
const CHALLENGE = { 'www-authenticate': 'Basic realm="orders", charset="UTF-8"' }
const guard = createGuard({
  routes: [{ path: '/', auth: { type: 'basic', username: 'hello', password: 'world', realm: 'orders' } }],
})

describe.each(versions)('$name', ({ Framework }) => {
  let app: Koa
  let server: Server
  let errors: unknown[]
  const port = () => (server.address() as AddressInfo).port

  beforeEach(() => {
    errors = []
    app = new Framework()
    app.on('error', (error) => errors.push(error))
  })
  const listen = async () => {
    server = createServer(app.callback()).listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  afterEach(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })

  describe.each([
    ['at once', guard],
    ['later', gateOf(async (request) => guard.handle(request))],
  ])('refused %s', (_when, gate) => {
    test('headers set before next() are sent, what comes after it is too late and no error', async () => {
      const after: unknown[] = []
      app.use(async (ctx, next) => {
        ctx.set('x-before', 'yes')
        await next()
        after.push(ctx.status, ctx.headerSent, ctx.respond)
        ctx.set('x-after', 'yes')
        ctx.status = 200
        ctx.body = 'replaced'
      })
      app.use(sallyport(gate))
      app.use((ctx) => {
        ctx.body = 'reached'
      })
      await listen()
      const connection = await connectRaw(port())
      for (let round = 0; round < 2; round++) {
        expectProblem(await connection.ask({ target: '/' }), 401, { ...CHALLENGE, 'x-before': 'yes' })
      }
      await connection.close()
      expect(after).toEqual([401, true, false, 401, true, false])
      expect(errors).toEqual([])
    })

    test('a default body and its headers do not leak into the refusal', async () => {
      app.use(async (ctx, next) => {
        ctx.body = { a: 'body that was meant for later' }
        ctx.etag = 'abc'
        ctx.lastModified = new Date()
        await next()
      })
      app.use(sallyport(gate))
      await listen()
      expectProblem(await askRaw(port(), { target: '/' }), 401, CHALLENGE)
      expect(errors).toEqual([])
    })

    test('an error thrown upstream after it is told as an error event, and the answer stays whole', async () => {
      app.use(async (_ctx, next) => {
        await next()
        throw new Error('upstream')
      })
      app.use(sallyport(gate))
      await listen()
      const connection = await connectRaw(port())
      for (let round = 0; round < 2; round++) expectProblem(await connection.ask({ target: '/' }), 401, CHALLENGE)
      await connection.close()
      expect(errors).toMatchObject([{ message: 'upstream' }, { message: 'upstream' }])
    })
  })

  test('what passes goes through the middleware as ever', async () => {
    app.use(async (ctx, next) => {
      await next()
      ctx.set('x-after', String(ctx.status))
    })
    app.use(sallyport(guard))
    app.use(async (ctx) => {
      ctx.body = authOf(ctx)?.subject
    })
    await listen()
    const answer = await askRaw(port(), { target: '/', headers: credentials })
    expect([answer.status, answer.text(), answer.headers['x-after']]).toEqual([200, 'hello', '200'])
    expect(errors).toEqual([])
  })

  test('headers of a pass come also with ctx.throw, which clears all headers that were set', async () => {
    const headers = { 'set-cookie': 'sid=renewed' }
    app.use(sallyport(gateOf(() => ({ kind: 'pass', auth: { type: 'none', route: '' }, headers }))))
    app.use((ctx) => {
      ctx.set('set-cookie', 'app=1')
      ctx.throw(409, 'conflict')
    })
    await listen()
    const answer = await askRaw(port(), { target: '/' })
    expect([answer.status, answer.text(), answer.lines('set-cookie')]).toEqual([409, 'conflict', ['sid=renewed']])
  })

  test('a stream of a gate that is still running holds nobody up: the middleware has returned', async () => {
    const source = new PassThrough()
    const returned = new Promise<void>((resolve) => {
      app.use(async (_ctx, next) => {
        await next()
        resolve()
      })
    })
    app.use(sallyport(gateOf(() => ({ kind: 'reply', reply: { status: 200, body: source } }))))
    await listen()
    const connection = await connectRaw(port())
    connection.send({ target: '/' })
    await connection.head()
    await returned
    source.write('still here')
    expect(String(await connection.chunk())).toBe('still here')
    source.destroy(new Error('the upstream broke'))
    await expect(connection.chunk()).rejects.toThrow(ConnectionEnded)
  })

  test('authOf has nothing where no gate has decided', async () => {
    app.use((ctx) => {
      ctx.body = String(authOf(ctx))
    })
    await listen()
    expect((await askRaw(port(), { target: '/' })).text()).toBe('undefined')
  })

  test('a gate that passes twice (two middlewares) leaves what the second one found', async () => {
    app.use(sallyport(passing))
    app.use(sallyport(guard))
    app.use((ctx) => {
      ctx.body = authOf(ctx)?.subject
    })
    await listen()
    expect((await askRaw(port(), { target: '/', headers: credentials })).text()).toBe('hello')
  })
})
