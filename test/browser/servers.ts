/**
 * The little application on every server that sallyport supports, each written as its framework wants it. Express and
 * Koa parse forms before the guard sees the request, Fastify and node:http afterwards.
 */
import type { RequestListener } from 'node:http'
import express from 'express'
import fastify, { type FastifyReply } from 'fastify'
import Koa from 'koa'
import koaBodyParser from 'koa-bodyparser'
import type { Guard } from 'sallyport'
import * as forExpress from 'sallyport/express'
import * as forFastify from 'sallyport/fastify'
import * as forKoa from 'sallyport/koa'
import * as forNode from 'sallyport/node'
import { adminPage, homePage, me, orderPage } from './pages.ts'

/** The application on one server, behind a guard. */
export interface TestServer {
  readonly name: 'express' | 'koa' | 'fastify' | 'node:http'
  build(guard: Guard): RequestListener | Promise<RequestListener>
}

/** All of them. */
export const SERVERS: readonly TestServer[] = [
  { name: 'express', build: onExpress },
  { name: 'koa', build: onKoa },
  { name: 'fastify', build: onFastify },
  { name: 'node:http', build: onNode },
]

function onExpress(guard: Guard): RequestListener {
  const app = express()
  app.use(express.urlencoded())
  app.use(forExpress.sallyport(guard))
  app.get('/api/me', (req, res) => {
    res.json(me(forExpress.authOf(req)))
  })
  app.get('/admin', (req, res) => {
    res.send(adminPage(forExpress.authOf(req)))
  })
  app.post('/orders', (req, res) => {
    res.send(orderPage(req.body.item))
  })
  app.use((req, res) => {
    res.send(homePage(forExpress.authOf(req), req.originalUrl))
  })
  return app
}

function onKoa(guard: Guard): RequestListener {
  const app = new Koa()
  app.use(koaBodyParser())
  app.use(forKoa.sallyport(guard))
  app.use((ctx) => {
    const auth = forKoa.authOf(ctx)
    if (ctx.path === '/api/me') ctx.body = me(auth)
    else if (ctx.path === '/admin') ctx.body = adminPage(auth)
    else if (ctx.path === '/orders' && ctx.method === 'POST') {
      ctx.body = orderPage((ctx.request.body as { item?: unknown }).item)
    } else ctx.body = homePage(auth, ctx.originalUrl)
  })
  return app.callback()
}

async function onFastify(guard: Guard): Promise<RequestListener> {
  const app = fastify()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(String(body))))
  })
  await app.register(forFastify.sallyport(guard))
  const send = (reply: FastifyReply, html: string) => reply.type('text/html; charset=utf-8').send(html)
  app.get('/api/me', async (request) => me(forFastify.authOf(request)))
  app.get('/admin', (request, reply) => send(reply, adminPage(forFastify.authOf(request))))
  app.post('/orders', (request, reply) => send(reply, orderPage((request.body as { item?: unknown }).item)))
  app.get('/*', (request, reply) => send(reply, homePage(forFastify.authOf(request), request.originalUrl)))
  await app.ready()
  return app.routing
}

function onNode(guard: Guard): RequestListener {
  return forNode.sallyport(guard)((req, res) => {
    const auth = forNode.authOf(req)
    const url = req.url ?? ''
    const send = (type: string, text: string) => res.writeHead(200, { 'content-type': type }).end(text)
    const html = 'text/html; charset=utf-8'
    if (url === '/api/me') send('application/json', JSON.stringify(me(auth)))
    else if (url === '/admin') send(html, adminPage(auth))
    else if (url === '/orders' && req.method === 'POST') {
      readForm(req).then((form) => send(html, orderPage(form.get('item'))))
    } else send(html, homePage(auth, url))
  })
}

async function readForm(request: AsyncIterable<Uint8Array>): Promise<URLSearchParams> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}
