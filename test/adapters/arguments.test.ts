/** What `sallyport()` is given: a slip there must be heard at once, since without a gate every request would go through. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import { createGuard, type Gate } from 'sallyport'
import { sallyport as express } from 'sallyport/express'
import { sallyport as fastify } from 'sallyport/fastify'
import { sallyport as koa } from 'sallyport/koa'
import { sallyport as node } from 'sallyport/node'
import { describe, expect, onTestFinished, test } from 'vitest'

const guard = createGuard({ routes: [{ path: '/', auth: { type: 'none' } }] })

describe.each(Object.entries({ express, fastify, koa, node }))('%s', (_, sallyport) => {
  const withAny = sallyport as (...gates: unknown[]) => unknown

  test('no gate at all', () => {
    expect(() => withAny()).toThrow(new TypeError('sallyport() needs a gate: sallyport(guard)'))
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['gates in an object', { guard }],
    ['gates in a list', [guard]],
    ['a configuration', { routes: [] }],
  ])('%s in place of a gate', (_name, wrong) => {
    expect(() => withAny(wrong)).toThrow(/^argument 1 of sallyport\(\) is no gate: /)
    expect(() => withAny(guard, wrong)).toThrow(/^argument 2 of sallyport\(\) is no gate: /)
  })

  test('a gate behind a guard that decides every request', () => {
    const own: Gate = { handle: () => ({ kind: 'skip' }), ready: async () => {}, close: async () => {} }
    const skips = createGuard({ unmatched: 'skip', routes: [{ path: '/', auth: { type: 'none' } }] })
    const words = /^argument 2 of sallyport\(\) is never asked: .* write sallyport\(gateway, guard\)/
    expect(() => sallyport(guard, own)).toThrow(words)
    expect(() => sallyport(guard, guard)).toThrow(words)
    expect(() => sallyport(skips, own, guard)).not.toThrow()
  })

  test('gates of any kind are taken', () => {
    const own: Gate = { handle: () => ({ kind: 'skip' }), ready: async () => {}, close: async () => {} }
    expect(() => sallyport(own, guard)).not.toThrow()
  })
})

test('node: a request in place of the handler, as where the wrapper itself is made the listener', () => {
  const wrap = node(guard) as (handler: unknown) => unknown
  expect(() => wrap({ method: 'GET', url: '/' })).toThrow(/expected a handler, as in sallyport\(guard\)/)
})

/** What a framework makes of a `sallyport` that is another's: it does not let the request through, and says why where it says anything. */
describe('the sallyport of another framework', () => {
  // biome-ignore lint/suspicious/noExplicitAny: it does not fit
  const wrong = { express, fastify, koa, node } as any
  const words = (name: string) => new RegExp(`this sallyport is that of ${name}, and expected .+ sallyport/koa`)

  async function ask(listener: { listen(port: number, host: string): import('node:http').Server }): Promise<number> {
    const server = listener.listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    return (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)).status
  }

  test.each([
    ['express', 'Express'],
    ['node', 'node:http'],
  ])('%s in Koa', async (name, called) => {
    const errors: string[] = []
    const app = new Koa()
    app.on('error', (error: Error) => errors.push(error.message))
    app.use(wrong[name](guard)).use((ctx) => {
      ctx.body = 'in'
    })
    expect(await ask(app)).toBe(500)
    expect(errors.join()).toMatch(words(called))
  })

  test.each([
    ['koa', 'Koa'],
    ['fastify', 'Fastify'],
    ['node', 'node:http'],
  ])('%s in Express', async (name, called) => {
    const errors: string[] = []
    const app = Express()
    app.use(wrong[name](guard))
    app.get('/', (_request, response) => void response.send('in'))
    app.use((error: Error, _request: unknown, response: Express.Response, _next: unknown) => {
      errors.push(error.message)
      response.status(500).end()
    })
    expect(await ask(app)).toBe(500)
    expect(errors.join()).toMatch(words(called))
  })

  test.each([
    ['express', 'Express'],
    ['koa', 'Koa'],
    ['node', 'node:http'],
  ])('%s in Fastify, which ends the process by what a plugin throws', (name, called) => {
    const plugin = wrong[name](guard)
    expect(() => plugin(Fastify(), {}, () => {})).toThrow(words(called))
  })
})
