/** B12: upgrades that a plugin sends through the framework's own hooks, as `@fastify/websocket` does. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { createGuard, type Gate } from 'sallyport'
import { authOf, sallyport } from 'sallyport/fastify'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { AUDIENCE, type KeyServer, startKeyServer } from '../support/identity-provider.ts'
import { askRaw, connectRaw } from '../support/raw-client.ts'
import { frameworks } from '../support/servers.ts'
import { gateOf } from './helpers.ts'

const versions = frameworks.fastify.map((fastify, index) => ({ name: `Fastify ${5 - index}`, fastify }))
const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

let keys: KeyServer
let guard: Gate
beforeAll(async () => {
  keys = await startKeyServer()
  guard = createGuard({
    integrations: { corp: { issuer: keys.issuer, jwksUri: keys.jwksUri, audience: AUDIENCE } },
    routes: [{ path: '/live', auth: { type: 'jwt', integration: 'corp', cookie: 'session' } }],
  })
})
afterAll(async () => {
  await guard.close()
  await keys.close()
})

describe.each(versions)('$name', ({ fastify }) => {
  let app: FastifyInstance
  afterEach(() => app.close())

  /** An application whose upgrades take the plugin's way; it sees their kinds. Whom it lets in it answers 101. */
  async function listen(gate: Gate, routesUpgrades = true): Promise<{ port: number; kinds: string[] }> {
    const kinds: string[] = []
    const watching = gateOf(({ kind }) => {
      kinds.push(kind)
      return { kind: 'skip' }
    })
    app = fastify()
    await app.register(sallyport(watching, gate))
    app.get('/live', (request, reply) => {
      const { upgrade } = request.raw as IncomingMessage & { upgrade?: boolean }
      if (upgrade !== true) return reply.send(authOf(request))
      reply.hijack()
      request.raw.socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${authOf(request)?.subject}`)
      return reply
    })
    if (routesUpgrades) {
      app.server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
        const response = new ServerResponse(request)
        response.assignSocket(socket)
        app.routing(request, response)
      })
    }
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, kinds }
  }

  test('a cookie does not let in what another site has started', async () => {
    const { port, kinds } = await listen(guard)
    const cookie = `session=${await keys.sign({ sub: 'alice' })}`
    const status = async (headers: Record<string, string>) =>
      (await askRaw(port, { target: '/live', headers: { ...HANDSHAKE, ...headers } })).status
    expect(await status({ cookie, origin: 'https://evil.example' })).toBe(403)
    expect(await status({ cookie })).toBe(403)
    expect(await status({})).toBe(403)
    expect(kinds).toEqual(['upgrade', 'upgrade', 'upgrade'])
  })

  test('the same origin and a token of its own are let in', async () => {
    const { port } = await listen(guard)
    const token = await keys.sign({ sub: 'alice' })
    for (const proof of [
      { cookie: `session=${token}`, host: 'app.test', origin: 'http://app.test' },
      { authorization: `Bearer ${token}`, origin: 'https://other.example' },
    ]) {
      const connection = await connectRaw(port)
      const answer = await connection.ask({ target: '/live', headers: { ...HANDSHAKE, ...proof } })
      expect(answer.status).toBe(101)
      expect(String(await connection.rest())).toBe('alice')
    }
  })

  test('without a listener for upgrades it is a request like any other', async () => {
    const { port, kinds } = await listen(guard, false)
    const headers = { ...HANDSHAKE, cookie: `session=${await keys.sign({ sub: 'alice' })}` }
    expect((await askRaw(port, { target: '/live', headers })).status).toBe(200)
    expect(kinds).toEqual(['http'])
  })

  test.each([
    ['text', () => 'come back later'],
    ['a stream', () => Readable.from(['come ', 'back ', 'later'])],
  ])('a refusal with %s is a whole answer, and the last one on its connection', async (_what, body) => {
    const { port } = await listen(gateOf(() => ({ kind: 'reply', reply: { status: 503, body: body() } })))
    const connection = await connectRaw(port)
    const answer = await connection.ask({ target: '/live', headers: HANDSHAKE })
    expect([answer.status, answer.headers.connection, answer.text()]).toEqual([503, 'close', 'come back later'])
    expect(await connection.rest()).toHaveLength(0)
  })
})
