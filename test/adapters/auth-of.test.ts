/** `authOf` of one entry point behind `sallyport` of another: an editor imports the wrong one easily, and types do not tell. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import { createGuard } from 'sallyport'
import * as forExpress from 'sallyport/express'
import * as forFastify from 'sallyport/fastify'
import * as forKoa from 'sallyport/koa'
import * as forNode from 'sallyport/node'
import { expect, onTestFinished, test } from 'vitest'

const guard = createGuard({ routes: [{ path: '/', auth: { type: 'none' } }] })

/** All four `authOf` of what a handler gets. */
function all(from: object) {
  const from2 = from as never
  return [forExpress, forKoa, forFastify, forNode].map(({ authOf }) => authOf(from2)?.route)
}

const apps: Readonly<Record<string, () => RequestListener | Promise<RequestListener>>> = {
  express: () => express().use(forExpress.sallyport(guard), (req, res) => void res.json(all(req))),
  koa() {
    const app = new Koa().use(forKoa.sallyport(guard))
    app.use((ctx) => {
      ctx.body = all(ctx)
    })
    return app.callback()
  },
  async fastify() {
    const app = Fastify()
    await app.register(forFastify.sallyport(guard))
    app.get('/', async (request) => all(request))
    await app.ready()
    onTestFinished(() => app.close())
    return (req, res) => app.routing(req, res)
  },
  node: () => forNode.sallyport(guard)((req, res) => res.end(JSON.stringify(all(req)))),
}

test.each(Object.keys(apps))('behind that of %s', async (name) => {
  const server = createServer((await apps[name]?.()) as RequestListener).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  expect(await answer.json()).toEqual(['/', '/', '/', '/'])
})
