/** An application of another framework that Express has mounted: its guard judges what the client sent, not what the mount left. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import mount from 'koa-mount'
import { createGuard, type Gate } from 'sallyport'
import * as forFastify from 'sallyport/fastify'
import * as forKoa from 'sallyport/koa'
import * as forNode from 'sallyport/node'
import { expect, onTestFinished, test } from 'vitest'

const basic = (name: string) => ({ type: 'basic', username: name, password: name }) as const
const guest = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` }
const root = { authorization: `Basic ${Buffer.from('root:root').toString('base64')}` }

const inner: Readonly<Record<string, (guard: Gate) => RequestListener | Promise<RequestListener>>> = {
  koa(guard) {
    const app = new Koa()
    app.use(forKoa.sallyport(guard))
    app.use((ctx) => {
      ctx.body = forKoa.authOf(ctx)?.subject
    })
    return app.callback()
  },
  'koa-mount'(guard) {
    const app = new Koa()
    const mounted = new Koa()
    mounted.use(forKoa.sallyport(guard))
    mounted.use((ctx) => {
      ctx.body = forKoa.authOf(ctx)?.subject
    })
    app.use(mount('/admin', mounted))
    return app.callback()
  },
  node: (guard) => forNode.sallyport(guard)((req, res) => res.end(forNode.authOf(req)?.subject)),
  async fastify(guard) {
    const app = Fastify()
    await app.register(forFastify.sallyport(guard))
    app.get('/admin', async (request) => forFastify.authOf(request)?.subject)
    await app.ready()
    onTestFinished(() => app.close())
    return (req, res) => app.routing(req, res)
  },
}

test.each(Object.keys(inner))('%s', async (name) => {
  const guard = createGuard({
    routes: [
      { path: '/v2/admin', auth: basic('root') },
      { path: '/', auth: basic('guest') },
    ],
  })
  const app = express().use('/v2', (await inner[name]?.(guard)) as RequestListener)
  const server = createServer(app).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/admin`
  expect((await fetch(url, { headers: guest })).status).toBe(401)
  const answer = await fetch(url, { headers: root })
  expect([answer.status, await answer.text()]).toEqual([200, 'root'])
})
