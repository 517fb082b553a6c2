/** What `sallyport()` is given: a slip there must be heard at once, since without a gate every request would go through. */
import { createGuard, type Gate } from 'sallyport'
import { sallyport as express } from 'sallyport/express'
import { sallyport as fastify } from 'sallyport/fastify'
import { sallyport as koa } from 'sallyport/koa'
import { sallyport as node } from 'sallyport/node'
import { describe, expect, test } from 'vitest'

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

  test('gates of any kind are taken', () => {
    const own: Gate = { handle: () => ({ kind: 'skip' }), ready: async () => {}, close: async () => {} }
    expect(() => sallyport(own, guard)).not.toThrow()
  })
})

test('node: a request in place of the handler, as where the wrapper itself is made the listener', () => {
  const wrap = node(guard) as (handler: unknown) => unknown
  expect(() => wrap({ method: 'GET', url: '/' })).toThrow(/^expected a handler: sallyport\(guard\)/)
})
