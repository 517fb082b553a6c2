/** Requests of one turn of the event loop go on together: in their order, each in its own context, and whatever becomes of the others. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify from 'fastify'
import { createGuard, type Gate, type GateRequest } from 'sallyport'
import { sallyport as forFastify } from 'sallyport/fastify'
import { sallyport } from 'sallyport/node'
import { expect, onTestFinished, test, vi } from 'vitest'

/** Sends three pipelined requests in one packet, which a server reads in one turn. */
async function pipelined(gate: Gate, steps: string[]): Promise<string> {
  const context = new AsyncLocalStorage<string>()
  const guarded = sallyport(gate)((req, res) => {
    steps.push(`application ${req.url} in ${context.getStore()}`)
    res.end(`answer ${req.url}`)
  })
  const server = createServer((req, res) => {
    steps.push(`came ${req.url}`)
    context.run(`context ${req.url}`, () => guarded(req, res))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const requests = ['/1', '/2', '/3'].map(
    (path) => `GET ${path} HTTP/1.1\r\nhost: h\r\n${path === '/3' ? 'connection: close\r\n' : ''}\r\n`,
  )
  client.write(requests.join(''))
  const answers = await text(client)
  server.close()
  return answers
}

const gateOf = (handle: Gate['handle']): Gate => ({ handle, ready: async () => {}, close: async () => {} })
const pathOf = ({ target }: GateRequest) => target

test('in their order, each with the context of its own', async () => {
  const steps: string[] = []
  const gate = gateOf((request) => {
    steps.push(`gate ${pathOf(request)}`)
    return { kind: 'skip' }
  })
  const answers = await pipelined(gate, steps)
  expect(steps).toEqual([
    ...['came /1', 'came /2', 'came /3'],
    ...['gate /1', 'gate /2', 'gate /3'],
    ...['/1', '/2', '/3'].map((path) => `application ${path} in context ${path}`),
  ])
  expect(answers.match(/answer \/\d/g)).toEqual(['answer /1', 'answer /2', 'answer /3'])
})

test('one that is refused, and one whose gate throws, leave the others alone', async () => {
  const steps: string[] = []
  const gate = gateOf((request) => {
    if (pathOf(request) === '/1') throw new Error('broken')
    return pathOf(request) === '/2' ? { kind: 'reply', reply: { status: 403 } } : { kind: 'skip' }
  })
  const answers = await pipelined(gate, steps)
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 500', 'HTTP/1.1 403', 'HTTP/1.1 200'])
  expect(steps.filter((step) => step.startsWith('application'))).toEqual(['application /3 in context /3'])
})

test("goes on where an application's tests have put timers in place that stand still", async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const app = Fastify()
  await app.register(forFastify(createGuard({ routes: [{ path: '/', auth: { type: 'none' } }] })))
  app.get('/', async () => 'reached')
  expect((await app.inject('/')).body).toBe('reached')
})
