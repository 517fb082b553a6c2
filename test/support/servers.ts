/**
 * The same little application on every server that sallyport supports, with gates
 * in front of it. Each is written the way its framework wants it, so that the
 * contract suite finds out what a user would.
 *
 * Everything answers under `/<action>` and `/<area>/<action>`:
 *
 * | action | answer |
 * | --- | --- |
 * | `whoami` | what `authOf` says, and how the request looks to the application |
 * | `echo` | the request body |
 * | `throws` | an error thrown by the handler |
 * | `cookie` | a `Set-Cookie` of the application's own, by the framework's means |
 * | `head-object`, `head-array` | the same, by `writeHead` with headers as an object, as an array |
 * | `head-broken` | an error, since `writeHead` is given a header that cannot be sent |
 * | `stream` | a short stream, by the framework's means, with a `Set-Cookie` |
 * | `events` | an event stream that stays silent until {@link RunningApp.feed} says something |
 * | `wait` | an answer that comes once the feed emits `release` |
 */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo, Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import fastifyCors from '@fastify/cors'
import koaCors from '@koa/cors'
import cors from 'cors'
import express from 'express'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import Koa from 'koa'
import koaBodyParser from 'koa-bodyparser'
import koaMount from 'koa-mount'
import type { Auth, Gate } from 'sallyport'
import * as forExpress from 'sallyport/express'
import * as forFastify from 'sallyport/fastify'
import * as forKoa from 'sallyport/koa'
import * as forNode from 'sallyport/node'

const require = createRequire(import.meta.url)
// The older majors under the types of the newer ones: what is used here is in both.
const express4 = require('express4') as typeof express
const koa2 = require('koa2') as typeof Koa
const fastify4 = require('fastify4') as typeof fastify

/** What stands around the application. */
export interface AppOptions {
  readonly gates: readonly Gate[]
  /** Routers inside each other, with gates and application on the innermost: `['/api', '/v1']`. */
  readonly mount?: readonly string[]
  /** A body parser that runs before or after the gates. Fastify's own always runs after. */
  readonly bodyParser?: 'before' | 'after'
  /** The framework's CORS plugin in front of the gates, for {@link CORS_ORIGIN}. */
  readonly cors?: boolean
  /** An error handler of the application's own, which answers 418. */
  readonly errorHandler?: boolean
}

/** An application that listens. */
export interface RunningApp {
  readonly port: number
  readonly server: Server
  /** Makes `events` and `wait` go on: `message`, `end`, `release`. Tells what they do: `open`, `gone`. */
  readonly feed: EventEmitter
  /** Requests that have come through to the application. */
  readonly reached: number
  /** Errors that the framework has reported in its own way (Koa). */
  readonly errors: readonly unknown[]
  close(): Promise<void>
}

/** A server that the contract suite runs against. */
export interface TestServer {
  readonly name: string
  readonly framework: 'express' | 'koa' | 'fastify' | 'node'
  start(options: AppOptions): Promise<RunningApp>
}

/** What the application says of a request. */
export interface WhoAmI {
  readonly method: string
  readonly url: string
  readonly auth: Auth | null
}

/** The origin that the CORS plugins let in. */
export const CORS_ORIGIN = 'https://ui.example.com'
/** The `Set-Cookie` of the application's own. */
export const APP_COOKIE = 'app=1; path=/; httponly'
/** What `stream` sends. */
export const STREAMED = 'one two three'

/** All of them. */
export const SERVERS: readonly TestServer[] = [
  { name: 'Express 5', framework: 'express', start: (options) => startExpress(express, options) },
  { name: 'Express 4', framework: 'express', start: (options) => startExpress(express4, options) },
  { name: 'Koa 3', framework: 'koa', start: (options) => startKoa(Koa, options) },
  { name: 'Koa 2', framework: 'koa', start: (options) => startKoa(koa2, options) },
  { name: 'Fastify 5', framework: 'fastify', start: (options) => startFastify(fastify, options) },
  { name: 'Fastify 4', framework: 'fastify', start: (options) => startFastify(fastify4, options) },
  { name: 'node:http', framework: 'node', start: startNode },
]

/** The other majors, for tests of one framework. */
export const frameworks = { express: [express, express4], koa: [Koa, koa2], fastify: [fastify, fastify4] } as const

/** What the handlers of one application share. */
class Shared {
  readonly feed = new EventEmitter().setMaxListeners(0)
  readonly errors: unknown[] = []
  reached = 0

  whoami(method: string, url: string, auth: Auth | undefined): WhoAmI {
    return { method, url, auth: auth ?? null }
  }

  /** Sends events over a response. */
  sendEvents(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    this.feedInto(response)
  }

  feedInto(sink: ServerResponse | PassThrough): void {
    const say = (text: string) => sink.write(`data: ${text}\n\n`)
    const end = () => sink.end()
    this.feed.on('message', say).once('end', end)
    sink.once('close', () => {
      this.feed.off('message', say).off('end', end)
      this.feed.emit('gone')
    })
    this.feed.emit('open')
  }
}

/** `writeHead` as an application calls it that bypasses its framework. */
function answerByWriteHead(response: ServerResponse, form: 'object' | 'array' | 'broken'): void {
  response.setHeader('content-type', 'application/octet-stream')
  response.setHeader('set-cookie', 'replaced=1')
  if (form === 'object') {
    response.writeHead(200, 'Fine', { 'content-type': 'text/plain', 'set-cookie': [APP_COOKIE, 'app2=2'] })
  } else if (form === 'array') {
    const headers = ['content-type', 'text/plain', 'Set-Cookie', APP_COOKIE, 'Set-Cookie', 'app2=2']
    response.writeHead(200, headers)
  } else response.writeHead(200, { 'x-broken': 'two\r\nlines' })
  response.end('by writeHead')
}

function streamed(): Readable {
  return Readable.from(['one ', 'two ', 'three'])
}

async function startExpress(framework: typeof express, options: AppOptions): Promise<RunningApp> {
  const shared = new Shared()
  const parser = [framework.json({ limit: '1mb' }), framework.text({ limit: '1mb' })]
  let router = framework.Router()
  router.use(forExpress.sallyport(...options.gates))
  if (options.bodyParser === 'after') router.use(parser)
  router.use((_req, res, next) => {
    shared.reached++
    res.set('x-app', 'reached')
    next()
  })
  const serve = (action: string, handler: express.RequestHandler) =>
    router.all([`/${action}`, `/:area/${action}`], handler)
  serve('whoami', (req, res) => {
    res.json(shared.whoami(req.method, req.originalUrl, forExpress.authOf(req)))
  })
  serve('echo', (req, res, next) => {
    if (options.bodyParser !== undefined) res.json(req.body)
    else
      readAll(req).then((body) => {
        res.json(JSON.parse(body))
      }, next)
  })
  serve('throws', () => {
    throw new Error('the handler threw')
  })
  serve('cookie', (_req, res) => {
    res.cookie('app', '1', { httpOnly: true }).send('by the framework')
  })
  serve('head-object', (_req, res) => answerByWriteHead(res, 'object'))
  serve('head-array', (_req, res) => answerByWriteHead(res, 'array'))
  serve('head-broken', (_req, res) => answerByWriteHead(res, 'broken'))
  serve('stream', (_req, res) => {
    res.set('set-cookie', APP_COOKIE)
    streamed().pipe(res)
  })
  serve('events', (_req, res) => shared.sendEvents(res))
  serve('wait', (req, res) => {
    shared.feed.once('release', () => res.json(shared.whoami(req.method, req.originalUrl, forExpress.authOf(req))))
    shared.feed.emit('open')
  })
  for (const prefix of (options.mount ?? []).toReversed()) {
    const outer = framework.Router()
    outer.use(prefix, router)
    router = outer
  }
  const app = framework().disable('x-powered-by')
  if (options.cors === true) app.use(cors({ origin: CORS_ORIGIN, credentials: true }))
  if (options.bodyParser === 'before') app.use(parser)
  app.use(router)
  if (options.errorHandler === true) {
    app.use((error: Error, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      res.status(418).json({ handled: error.message })
    })
  }
  const server = createServer(app)
  return listen(server, shared)
}

async function startKoa(Framework: typeof Koa, options: AppOptions): Promise<RunningApp> {
  const shared = new Shared()
  let inner = new Framework()
  inner.use(forKoa.sallyport(...options.gates))
  if (options.bodyParser === 'after') inner.use(koaBodyParser())
  inner.use(async (ctx, next) => {
    shared.reached++
    ctx.set('x-app', 'reached')
    await next()
  })
  inner.use(async (ctx, next) => {
    switch (ctx.path.split('/').slice(1).slice(-1)[0]) {
      case 'whoami':
        ctx.body = shared.whoami(ctx.method, ctx.originalUrl, forKoa.authOf(ctx))
        return
      case 'echo':
        ctx.body = options.bodyParser === undefined ? JSON.parse(await readAll(ctx.req)) : ctx.request.body
        return
      case 'throws':
        throw new Error('the handler threw')
      case 'cookie':
        ctx.cookies.set('app', '1')
        ctx.body = 'by the framework'
        return
      case 'head-object':
      case 'head-array':
        ctx.respond = false
        answerByWriteHead(ctx.res, ctx.path.endsWith('object') ? 'object' : 'array')
        return
      case 'head-broken':
        answerByWriteHead(ctx.res, 'broken')
        return
      case 'stream':
        ctx.set('set-cookie', APP_COOKIE)
        ctx.body = streamed()
        return
      case 'events': {
        const events = new PassThrough()
        ctx.type = 'text/event-stream'
        ctx.body = events
        ctx.flushHeaders()
        shared.feedInto(events)
        return
      }
      case 'wait': {
        const released = once(shared.feed, 'release')
        shared.feed.emit('open')
        await released
        ctx.body = shared.whoami(ctx.method, ctx.originalUrl, forKoa.authOf(ctx))
        return
      }
      default:
        await next()
    }
  })
  for (const prefix of (options.mount ?? []).toReversed()) {
    const outer = new Framework()
    outer.use(koaMount(prefix, inner))
    inner = outer
  }
  const app = new Framework()
  app.on('error', (error) => shared.errors.push(error))
  if (options.errorHandler === true) {
    app.use(async (ctx, next) => {
      try {
        await next()
      } catch (error) {
        ctx.status = 418
        ctx.body = { handled: (error as Error).message }
      }
    })
  }
  if (options.cors === true) app.use(koaCors({ origin: CORS_ORIGIN, credentials: true }))
  if (options.bodyParser === 'before') app.use(koaBodyParser())
  app.use(koaMount(inner))
  const server = createServer(app.callback())
  return listen(server, shared)
}

async function startFastify(framework: typeof fastify, options: AppOptions): Promise<RunningApp> {
  const shared = new Shared()
  const app = framework({ forceCloseConnections: true })
  if (options.cors === true) {
    if (framework === fastify) await app.register(fastifyCors, { origin: [CORS_ORIGIN], credentials: true })
    else {
      // @fastify/cors 11 is for Fastify 5.
      app.addHook('onRequest', async (request, reply) => {
        reply.header('access-control-allow-origin', CORS_ORIGIN)
        reply.header('access-control-allow-credentials', 'true')
        reply.header('vary', 'Origin')
        if (request.headers['access-control-request-method'] !== undefined) return reply.code(204).send()
      })
    }
  }
  if (options.errorHandler === true) {
    app.setErrorHandler((error, _request, reply) => reply.code(418).send({ handled: (error as Error).message }))
  }
  const routes = async (router: FastifyInstance): Promise<void> => {
    router.register(forFastify.sallyport(...options.gates))
    router.addHook('onRequest', async (_request, reply) => {
      shared.reached++
      reply.header('x-app', 'reached')
    })
    const serve = (action: string, handler: (request: FastifyRequest, reply: FastifyReply) => unknown) => {
      router.all(`/${action}`, handler)
      router.all(`/:area/${action}`, handler)
    }
    serve('whoami', (request, reply) =>
      reply.send(shared.whoami(request.method, request.originalUrl, forFastify.authOf(request))),
    )
    serve('echo', (request, reply) => reply.send(request.body))
    serve('throws', () => {
      throw new Error('the handler threw')
    })
    serve('cookie', (_request, reply) => reply.header('set-cookie', APP_COOKIE).send('by the framework'))
    for (const form of ['object', 'array'] as const) {
      serve(`head-${form}`, (_request, reply) => {
        reply.hijack()
        answerByWriteHead(reply.raw, form)
      })
    }
    serve('head-broken', (_request, reply) => answerByWriteHead(reply.raw, 'broken'))
    serve('stream', (_request, reply) => reply.header('set-cookie', APP_COOKIE).send(streamed()))
    serve('events', (_request, reply) => {
      reply.hijack()
      shared.sendEvents(reply.raw)
    })
    serve('wait', async (request) => {
      const released = once(shared.feed, 'release')
      shared.feed.emit('open')
      await released
      return shared.whoami(request.method, request.originalUrl, forFastify.authOf(request))
    })
  }
  const [last, ...outer] = (options.mount ?? []).toReversed()
  let plugin = routes
  for (const prefix of last === undefined ? [] : [last, ...outer]) {
    const inner = plugin
    plugin = async (router) => {
      router.register(inner, { prefix })
    }
  }
  if (last === undefined) await routes(app)
  else app.register(plugin)
  await app.ready()
  return listen(app.server, shared, () => app.close())
}

async function startNode(options: AppOptions): Promise<RunningApp> {
  const shared = new Shared()
  const parse = express.json({ limit: '1mb' }) as unknown as Connect
  const allow = cors({ origin: CORS_ORIGIN, credentials: true }) as unknown as Connect
  const prefix = (options.mount ?? []).join('')

  const application = (req: IncomingMessage, res: ServerResponse): void => {
    shared.reached++
    res.setHeader('x-app', 'reached')
    const url = req.url ?? ''
    const send = (value: unknown) => {
      res.setHeader('content-type', 'application/json')
      res.end(JSON.stringify(value))
    }
    switch (url.replace(/\?.*/, '').split('/').at(-1)) {
      case 'whoami':
        send(shared.whoami(req.method ?? '', url, forNode.authOf(req)))
        return
      case 'echo':
        if (options.bodyParser === 'before') send((req as { body?: unknown }).body)
        else if (options.bodyParser === 'after') parse(req, res, () => send((req as { body?: unknown }).body))
        else void readAll(req).then((body) => send(JSON.parse(body)))
        return
      case 'throws':
        throw new Error('the handler threw')
      case 'cookie':
        res.setHeader('set-cookie', APP_COOKIE)
        res.end('by the framework')
        return
      case 'head-object':
        answerByWriteHead(res, 'object')
        return
      case 'head-array':
        answerByWriteHead(res, 'array')
        return
      case 'head-broken':
        answerByWriteHead(res, 'broken')
        return
      case 'stream':
        res.setHeader('set-cookie', APP_COOKIE)
        streamed().pipe(res)
        return
      case 'events':
        shared.sendEvents(res)
        return
      case 'wait':
        shared.feed.once('release', () => send(shared.whoami(req.method ?? '', url, forNode.authOf(req))))
        shared.feed.emit('open')
        return
      default:
        res.statusCode = 404
        res.end('Not Found')
    }
  }
  // What stands for a framework here: a last resort for errors, middleware, and a prefix that it knows.
  const withErrors = (req: IncomingMessage, res: ServerResponse): void => {
    try {
      application(req, res)
    } catch (error) {
      res.statusCode = options.errorHandler === true ? 418 : 500
      res.end(JSON.stringify({ handled: (error as Error).message }))
    }
  }
  const guarded = forNode.sallyport(...options.gates)(withErrors)
  const parsed: typeof guarded =
    options.bodyParser === 'before' ? (req, res) => parse(req, res, () => guarded(req, res)) : guarded
  const routed: typeof guarded = (req, res) => {
    if (req.url?.startsWith(prefix)) parsed(req, res)
    else {
      res.statusCode = 404
      res.end()
    }
  }
  const outermost: typeof guarded =
    options.cors === true ? (req, res) => allow(req, res, () => routed(req, res)) : routed
  return listen(createServer(outermost), shared)
}

type Connect = (req: IncomingMessage, res: ServerResponse, next: () => void) => void

/** A request's body as text. */
export async function readAll(request: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

async function listen(server: Server, shared: Shared, alsoClose?: () => Promise<unknown>): Promise<RunningApp> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    server,
    feed: shared.feed,
    errors: shared.errors,
    get reached() {
      return shared.reached
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      // Upgraded sockets too, which the server no longer counts as its own.
      for (const socket of sockets) socket.destroy()
      await closed
      await alsoClose?.()
    },
  }
}
