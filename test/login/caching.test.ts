/** Who may keep an answer that a session's cookie goes out on. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as forExpress from '../../adapters/express.ts'
import * as forFastify from '../../adapters/fastify.ts'
import * as forKoa from '../../adapters/koa.ts'
import type { Guard } from '../../src/index.ts'
import { openShop, visit } from './setup.ts'

/** An application that says `public`, each in its own way. */
const applications: Record<string, (guard: Guard) => Promise<RequestListener>> = {
  'Express static': async (guard) =>
    express()
      .use(forExpress.sallyport(guard))
      .use(express.static(import.meta.dirname, { maxAge: 1000 })),
  Fastify: async (guard) => {
    const app = fastify()
    await app.register(forFastify.sallyport(guard))
    app.get('/setup.ts', (_request, reply) => reply.header('cache-control', 'max-age=1, s-maxage=600').send('setup'))
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
  Koa: async (guard) => {
    const app = new Koa()
    app.use(forKoa.sallyport(guard))
    app.use((ctx) => {
      ctx.respond = false
      ctx.res.writeHead(200, { 'Cache-Control': 'public, max-age=1' }).end('setup')
    })
    return app.callback()
  },
}

describe.each(Object.entries(applications))('%s', (_name, application) => {
  it('no shared cache keeps an answer with the cookie of a session, whatever the application says', async () => {
    const { browser, origin, clock, guard } = await openShop({ login: { idleSeconds: 600 } })
    await visit(browser, `${origin}/`)
    const server = createServer(await application(guard)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const ask = async () => {
      const headers = { cookie: browser.cookies('127.0.0.1').join('; '), connection: 'close' }
      const answer = await fetch(`http://127.0.0.1:${port}/setup.ts`, { headers })
      expect(answer.status).toBe(200)
      return { cookies: answer.headers.getSetCookie().length, control: answer.headers.get('cache-control') }
    }

    const before = await ask()
    expect(before).toEqual({ cookies: 0, control: expect.stringMatching(/public|s-maxage/) })
    clock.advance(61)
    expect(await ask()).toEqual({ cookies: 1, control: 'private, max-age=1' })
  })
})
