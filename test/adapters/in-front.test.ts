/** What middleware in front of the guard has done to a request or a response: the process lives, and nothing is lost. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import type { Gate, Outcome } from 'sallyport'
import * as forExpress from 'sallyport/express'
import * as forFastify from 'sallyport/fastify'
import * as forKoa from 'sallyport/koa'
import * as forNode from 'sallyport/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { gateOf, passing, refusing } from './helpers.ts'

type Front = (req: IncomingMessage, res: ServerResponse) => void
type App = (front: Front, gate: Gate) => RequestListener | Promise<RequestListener>

const APPS: Readonly<Record<string, App>> = {
  express: (front, gate) =>
    express()
      .use((req, res, next) => {
        front(req, res)
        next()
      })
      .use(forExpress.sallyport(gate), (req, res) => void text(req).then((body) => res.end(body))),
  koa(front, gate) {
    const app = new Koa().use((ctx, next) => {
      front(ctx.req, ctx.res)
      return next()
    })
    app.use(forKoa.sallyport(gate)).use(async (ctx) => {
      ctx.body = await text(ctx.req)
    })
    return app.callback()
  },
  async fastify(front, gate) {
    const app = Fastify()
    app.addHook('onRequest', (request, reply, done) => {
      front(request.raw, reply.raw)
      done()
    })
    await app.register(forFastify.sallyport(gate))
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.post('/', async (request) => text(request.body as Readable))
    await app.ready()
    onTestFinished(() => app.close())
    return (req, res) => app.routing(req, res)
  },
  node(front, gate) {
    const guarded = forNode.sallyport(gate)((req, res) => void text(req).then((body) => res.end(body)))
    return (req, res) => {
      front(req, res)
      guarded(req, res)
    }
  },
}

describe.each(Object.entries(APPS))('%s', (_name, app) => {
  async function start(front: Front, gate: Gate): Promise<string> {
    const server = createServer(await app(front, gate)).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }
  const post = (url: string, body: string) =>
    fetch(url, { method: 'POST', body, headers: { 'content-type': 'text/plain' } })

  it('refuses behind a Trailer header that nobody can send with such an answer', async () => {
    const url = await start((_req, res) => void res.setHeader('Trailer', 'x-checksum'), refusing(401))
    expect((await post(url, 'hello')).status).toBe(401)
  })

  it('answers 500 where a header cannot be sent, and ends the connection where nothing can', async () => {
    const warnings: Error[] = []
    const warned = (warning: Error) => void warnings.push(warning)
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    let broken: 'once' | 'always' | 'never' = 'once'
    const url = await start((_req, res) => {
      const { writeHead } = res
      res.writeHead = ((...given: never[]) => {
        if (broken === 'never') return Reflect.apply(writeHead, res, given)
        if (broken === 'once') res.writeHead = writeHead
        throw new Error('a hook in front')
      }) as typeof writeHead
    }, refusing(401))
    expect((await post(url, 'hello')).status).toBe(500)
    broken = 'always'
    await expect(post(url, 'hello')).rejects.toThrow('fetch failed')
    broken = 'never'
    expect((await post(url, 'hello')).status).toBe(401)
    await expect.poll(() => warnings.map(String).join()).toMatch(/an answer could not be written: a hook in front/)
  })

  it('breaks off an answer that something in front has begun and nobody will end', async () => {
    let ends = false
    const url = await start((_req, res) => {
      res.writeHead(200)
      if (ends) res.end('from in front')
      else res.write('begun')
    }, refusing(401))
    await expect(post(url, 'hello').then((answer) => answer.text())).rejects.toThrow()
    // What is ended is left alone.
    ends = true
    expect(await (await post(url, 'hello')).text()).toBe('from in front')
  })

  it('breaks off a body of neither text nor bytes', async () => {
    let body: Readable = Readable.from([{ a: 1 }])
    const url = await start(
      () => {},
      gateOf(() => ({ kind: 'reply', reply: { status: 200, body } })),
    )
    await expect(post(url, '').then((answer) => answer.text())).rejects.toThrow()
    body = Readable.from(['some ', Buffer.from('text')])
    expect(await (await post(url, '')).text()).toBe('some text')
  })

  it('leaves out fields that are the connection’s', async () => {
    const headers = {
      'Keep-Alive': 'timeout=99',
      te: 'trailers',
      trailer: 'x',
      'proxy-connection': 'close',
      'x-own': 'yes',
    }
    const url = await start(
      () => {},
      gateOf(() => ({ kind: 'reply', reply: { status: 401, headers } })),
    )
    const answer = await post(url, '')
    expect([answer.status, answer.headers.get('x-own')]).toEqual([401, 'yes'])
    // Node's own.
    expect(answer.headers.get('keep-alive')).not.toBe('timeout=99')
    for (const name of ['te', 'trailer', 'proxy-connection']) expect(answer.headers.has(name)).toBe(false)
  })

  it.each<[string, () => Outcome | Promise<Outcome>]>([
    ['at once', () => passing.handle({} as never)],
    ['later', () => new Promise((resolve) => setImmediate(() => resolve(passing.handle({} as never))))],
  ])('a body that something in front listens to reaches the application, decided %s', async (_when, handle) => {
    let counted = 0
    const url = await start(
      (req) =>
        void req.on('data', (piece: Buffer) => {
          counted += piece.length
        }),
      gateOf(handle),
    )
    expect(await (await post(url, '{"a":1}')).text()).toBe('{"a":1}')
    expect(counted).toBe(7)
  })

  it('and a gate that reads it', async () => {
    const reading = gateOf(async ({ body }) => {
      const read = body.kind === 'stream' ? await text(body.stream) : body.kind
      return { kind: 'reply', reply: { status: 200, body: read } }
    })
    const url = await start((req) => void req.on('data', () => {}), reading)
    expect(await (await post(url, '{"a":1}')).text()).toBe('{"a":1}')
  })
})

it('HTTP/2: fields that it has not are left out', async () => {
  const headers = { connection: 'close', upgrade: 'h2c', 'keep-alive': 'x', 'x-own': 'yes' }
  const gate = gateOf(() => ({ kind: 'reply', reply: { status: 426, headers } }))
  const server = createHttp2Server(forNode.sallyport(gate)(() => {}) as never).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => client.close())
  const [answer] = await once(client.request({ ':path': '/' }), 'response')
  expect(answer).toMatchObject({ ':status': 426, 'x-own': 'yes' })
})
