/** What is known of a client that has gone away: events are told of it afterwards, and nothing is decided by what is not known. */
import { once } from 'node:events'
import { createServer, IncomingMessage, type RequestListener, ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { duplexPair, PassThrough } from 'node:stream'
import { createGuard, type GateRequest } from 'sallyport'
import { sallyport } from 'sallyport/node'
import { describe, expect, onTestFinished, test } from 'vitest'
import { headOf, NodeRequest } from '../../src/http/node-request.ts'
import { normalise } from '../../src/http/normalise.ts'

interface Arrived {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly port: number
  /** The connection, also where HTTP/2 hides it. */
  readonly socket: Socket
  /** Closes the connection from the other end; resolves when that has been noticed. */
  leave(): Promise<void>
}

/** A request that somebody else is still busy with. */
async function arrive(version: string): Promise<Arrived> {
  const server = version === 'HTTP/2' ? createHttp2Server() : createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const connected = once(server, 'connection')
  const arrived = once(server, 'request')
  const { port } = server.address() as AddressInfo
  const leave = version === 'HTTP/2' ? askHttp2(port) : ask(port)
  onTestFinished(leave)
  const [socket] = await connected
  const [message, response] = await arrived
  const closed = once(response, 'close')
  return {
    ...{ message, response, port, socket },
    async leave() {
      leave()
      await closed
    },
  }
}

/** What the node adapter makes of a request that it gets only now. */
async function asked({ message, response }: Pick<Arrived, 'message' | 'response'>): Promise<string[]> {
  const steps: string[] = []
  const handle = ({ localPort, peer }: GateRequest) => {
    steps.push(`gate: ${localPort} ${peer.address}`)
    return { kind: 'skip' as const }
  }
  const application: RequestListener = () => void steps.push('application')
  sallyport({ handle, ready: async () => {}, close: async () => {} })(application)(message, response)
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  return steps
}

describe.each(['HTTP/1.1', 'HTTP/2'])('%s', (version) => {
  test('the address and port of who has gone away since', async () => {
    const { message, response, port, leave } = await arrive(version)
    const request = new NodeRequest(message, response, headOf(message), message)
    await leave()
    expect([request.peer.address, request.localPort, request.isLost]).toEqual(['127.0.0.1', port, false])
    expect(normalise(request)).toMatchObject({ clientAddress: '127.0.0.1', port })
    expect(request.isGone).toBe(true)
  })

  test('of who had gone away before, no gate is asked, and the application does not run', async () => {
    const arrived = await arrive(version)
    await arrived.leave()
    expect(await asked(arrived)).toEqual([])
  })

  test('nor of who had gone away without that Node has noticed, so that only the address is missing', async () => {
    const arrived = await arrive(version)
    Object.defineProperty(arrived.socket, 'remoteAddress', { get: () => undefined })
    expect(await asked(arrived)).toEqual([])
  })

  test('nor of one whose connection is closing', async () => {
    const arrived = await arrive(version)
    arrived.socket.destroy()
    expect(await asked(arrived)).toEqual([])
  })

  test('of all others, gate and application are', async () => {
    const arrived = await arrive(version)
    expect(await asked(arrived)).toEqual([`gate: ${arrived.port} 127.0.0.1`, 'application'])
  })
})

test('a connection that is no socket has no address, and is served', async () => {
  const server = createServer()
  const arrived = once(server, 'request')
  const [client, connection] = duplexPair()
  server.emit('connection', connection)
  client.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n')
  const [message, response] = await arrived
  const steps = await asked({ message, response })
  expect(steps).toEqual(['gate: 0 ', 'application'])
})

/** As serverless-http and the like make it out of an event. */
function made(headers: Record<string, unknown>): NodeRequest {
  const socket = Object.assign(new PassThrough(), { remoteAddress: '203.0.113.7', encrypted: true })
  const message = new IncomingMessage(socket as unknown as Socket)
  Object.assign(message, { method: 'GET', url: '/', headers })
  return new NodeRequest(message, new ServerResponse(message), headOf(message), message)
}

describe('a request with headers and without raw lines', () => {
  test('is judged by the headers that it has', () => {
    const request = made({
      host: 'Admin.example.com',
      authorization: 'Basic YTpi',
      'content-length': 0,
      cookie: undefined,
    })
    expect(request.rawHeaders).toEqual([
      ...['host', 'Admin.example.com', 'authorization', 'Basic YTpi'],
      ...['content-length', '0'],
    ])
    expect(normalise(request)).toMatchObject({ host: 'admin.example.com', authorization: 'Basic YTpi' })
  })

  test('that holds several values of a field has several lines', () => {
    expect(normalise(made({ host: ['a.example.com', 'b.example.com'] }))).toBe('duplicate_header')
    expect(normalise(made({ host: 'a.example.com', Host: 'b.example.com' }))).toBe('duplicate_header')
  })

  test('does not reach the route for any host', async () => {
    const guard = createGuard({
      routes: [
        { host: 'admin.example.com', auth: { type: 'basic', username: 'a', password: 'b' } },
        { path: '/', auth: { type: 'none' } },
      ],
    })
    expect(await guard.handle(made({ host: 'admin.example.com' }))).toMatchObject({ reply: { status: 401 } })
    const authorization = `Basic ${Buffer.from('a:b').toString('base64')}`
    expect(await guard.handle(made({ host: 'admin.example.com', authorization }))).toMatchObject({ kind: 'pass' })
  })
})

function ask(port: number): () => void {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nhost: app.example.com\r\n\r\n')
  return () => socket.destroy()
}

function askHttp2(port: number): () => void {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  session.request({ ':path': '/' }).on('error', () => {})
  return () => session.destroy()
}
