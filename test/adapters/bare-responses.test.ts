/** B12: upgrades that a package shows to middleware with a response that is none of Node's (engine.io), or without one (koa-websocket). */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, PassThrough } from 'node:stream'
import Koa from 'koa'
import type { Gate, Outcome } from 'sallyport'
import * as forExpress from 'sallyport/express'
import * as forKoa from 'sallyport/koa'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { connectRaw, type RawConnection } from '../support/raw-client.ts'
import { closeOf, deferred, gateOf, refusing } from './helpers.ts'

type Attached = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}
const passed: Outcome = {
  kind: 'pass',
  auth: { type: 'basic', id: 'x', route: '/', subject: 'ann' },
  headers: { 'set-cookie': 'sid=renewed', 'cache-control': 'private' },
}

/** What engine.io 6 makes for `io.engine.use`: just enough for middleware that sets headers. */
class EngineResponse extends EventEmitter {
  readonly headers: Record<string, unknown> = {}
  readonly req: IncomingMessage
  readonly socket: Duplex

  constructor(req: IncomingMessage, socket: Duplex) {
    super()
    this.req = req
    this.socket = socket
  }
  setHeader(name: string, value: unknown): void {
    this.headers[name] = value
  }
  getHeader(name: string): unknown {
    return this.headers[name]
  }
  writeHead(): void {}
  end(): void {
    this.socket.destroy()
  }
}

/** A server whose upgrades go to middleware, and what that lets through to a WebSocket that says who it is. */
function engine(gate: Gate): Attached {
  const wss = new WebSocketServer({ noServer: true })
  const guarded = forExpress.sallyport(gate)
  return (request, socket, head) => {
    const response = new EngineResponse(request, socket)
    guarded(request, response as unknown as ServerResponse, () => {
      response.writeHead()
      wss.on('headers', (lines) => {
        for (const [name, value] of Object.entries(response.headers)) lines.push(`${name}: ${value}`)
      })
      wss.handleUpgrade(request, socket, head, (client) => client.send(`hello ${forExpress.authOf(request)?.subject}`))
    })
  }
}

/** The same in the way of koa-websocket: the handshake comes first, and the context has no response. */
function koaWebSocket(gate: Gate): Attached {
  const wss = new WebSocketServer({ noServer: true })
  const guarded = forKoa.sallyport(gate)
  const app = new Koa()
  return (request, socket, head) => {
    wss.handleUpgrade(request, socket, head, (client) => {
      const ctx = app.createContext(request, undefined as unknown as ServerResponse)
      void guarded(ctx, async () => client.send(`hello ${forKoa.authOf(ctx)?.subject}`))
    })
  }
}

async function start(attached: Attached): Promise<RawConnection> {
  const server = createServer().on('upgrade', attached)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return connectRaw((server.address() as AddressInfo).port)
}

test.each([
  ['a text', () => 'refused'],
  [
    'a stream',
    () => {
      const body = new PassThrough()
      body.end('refused')
      return body
    },
  ],
])('engine.io: a refusal with %s arrives, and is the last on its connection', async (_what, body) => {
  const gate = gateOf(() => ({ kind: 'reply', reply: { status: 401, headers: { 'x-gate': 'yes' }, body: body() } }))
  const connection = await start(engine(gate))
  const answer = await connection.ask({ headers: HANDSHAKE })
  expect([answer.status, answer.headers['x-gate'], answer.text()]).toEqual([401, 'yes', 'refused'])
  expect(answer.headers.connection).toBe('close')
  expect(await connection.rest()).toHaveLength(0)
})

test('engine.io: who is let in gets the WebSocket, with the headers of the pass', async () => {
  const connection = await start(engine(gateOf(() => passed)))
  connection.send({ headers: HANDSHAKE })
  const head = await connection.head()
  expect(head.status).toBe(101)
  expect(head.headers).toMatchObject({ 'set-cookie': 'sid=renewed', 'cache-control': 'private' })
  expect(await connection.until('ann')).toContain('hello ann')
  await connection.close()
})

test('engine.io: a client that goes away by a reset while a gate decides does not end the process', async () => {
  const asked = deferred<Duplex>()
  const decision = deferred<Outcome>()
  const gate = gateOf(() => decision.promise)
  const attached = engine(gate)
  const connection = await start((request, socket, head) => {
    attached(request, socket, head)
    asked.resolve(socket)
  })
  connection.send({ headers: HANDSHAKE })
  const closed = closeOf(await asked.promise)
  connection.socket.resetAndDestroy()
  await closed
  const body = new PassThrough()
  const dropped = closeOf(body)
  decision.resolve({ kind: 'reply', reply: { status: 401, body } })
  await dropped
})

test('koa-websocket: a refused WebSocket is ended', async () => {
  const connection = await start(koaWebSocket(refusing(401)))
  connection.send({ headers: HANDSHAKE })
  expect((await connection.head()).status).toBe(101)
  expect(await connection.rest()).toHaveLength(0)
})

test('koa-websocket: who is let in goes on, though there is no place for the headers of the pass', async () => {
  const connection = await start(koaWebSocket(gateOf(() => passed)))
  connection.send({ headers: HANDSHAKE })
  expect(await connection.until('ann')).toContain('hello ann')
  await connection.close()
})

test('a response to a request that nothing can be sent through ends the connection, and throws at nobody', async () => {
  const guarded = forExpress.sallyport(refusing(401))
  const listener: RequestListener = (req) => guarded(req, { req } as ServerResponse, vi.fn())
  const server = createServer(listener)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const connection = await connectRaw((server.address() as AddressInfo).port)
  const warned = once(process, 'warning')
  connection.send()
  expect(await connection.rest()).toHaveLength(0)
  expect(String(await warned)).toContain('an answer could not be written')
})
