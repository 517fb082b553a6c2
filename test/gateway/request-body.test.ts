/** How the body of a POST is had from a server's stream, in whatever state the host application has left that. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, constants, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import express4 from 'express4'
import { afterEach, describe, expect, test } from 'vitest'
import { type ReadBody, readRequestBody } from '../../src/gateway/request-body.ts'
import { headOf, NodeRequest } from '../../src/http/node-request.ts'
import { connectRaw, type RawConnection } from '../support/raw-client.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const MAX_BYTES = 200_000
const headWith = (line: string) => `POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${line}\r\n\r\n`

interface Situation {
  /** When the application has the request in hand, before the gateway has. */
  readonly before?: (message: IncomingMessage) => unknown
  /** Sends the request; `arrived` when its head is there. */
  readonly send: (connection: RawConnection, arrived: Promise<unknown>) => unknown
}

/** Reads the body of one request, as late as an adapter does. */
async function read({
  before,
  send,
}: Situation): Promise<{ body: string | ReadBody; atOnce: boolean; more: RawConnection }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(
    () => server.closeAllConnections(),
    () => void server.close(),
  )
  const request = once(server, 'request')
  const connection = await connectRaw((server.address() as AddressInfo).port)
  const sent = send(connection, request)
  const [message, response] = await request
  await new Promise((resolve) => setImmediate(resolve))
  await before?.(message)
  const found = readRequestBody(new NodeRequest(message, response, headOf(message), message, message), MAX_BYTES)
  await sent
  const body = await found
  response.end('answered')
  const text = body.kind === 'bytes' ? Buffer.from(body.bytes).toString() : body
  return { body: text, atOnce: !(found instanceof Promise), more: connection }
}

const withHead: Situation['send'] = (connection) => connection.write(`${headWith('content-length: 7')}{"a":1}`)

test('of an HTTP/2 request that was reset nobody else has read the body: its client has gone', async () => {
  const server = createHttp2Server()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  closers.push(
    () => session.destroy(),
    () => void server.close(),
  )
  const request = once(server, 'request')
  const stream = session.request({ ':method': 'POST', 'content-type': 'application/json', 'content-length': '7' })
  stream.on('error', () => {})
  const [message, response] = await request
  stream.close(constants.NGHTTP2_CANCEL)
  await once(response, 'close')
  const reset = new NodeRequest(message, response, headOf(message), message, message)
  expect(await readRequestBody(reset, MAX_BYTES)).toEqual({ kind: 'aborted' })
})

describe('a body is read whole', () => {
  test('at once where it has come with the head, and the connection is good for the next request', async () => {
    const { body, atOnce, more } = await read({ send: withHead })
    expect(body).toBe('{"a":1}')
    expect(atOnce).toBe(true)
    expect((await more.answer()).text()).toBe('answered')
  })

  test('in chunks that have come with the head', async () => {
    const chunked = `${headWith('transfer-encoding: chunked')}4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n`
    expect(await read({ send: (connection) => connection.write(chunked) })).toMatchObject({
      body: '{"a":1}',
      atOnce: true,
    })
  })

  test('that comes in pieces, after its head', async () => {
    const { body, atOnce } = await read({
      async send(connection, arrived) {
        connection.write(headWith('content-length: 7'))
        await arrived
        connection.write('{"a"')
        await new Promise((resolve) => setImmediate(resolve))
        connection.write(':1}')
      },
    })
    expect(body).toBe('{"a":1}')
    expect(atOnce).toBe(false)
  })

  test('that is longer than what a stream holds', async () => {
    const long = JSON.stringify({ a: 'x'.repeat(150_000) })
    const { body } = await read({
      send: (connection) => connection.write(`${headWith(`content-length: ${long.length}`)}${long}`),
    })
    expect(body).toBe(long)
  })

  test.each<[string, (message: IncomingMessage) => unknown]>([
    ['pauses', (message) => message.pause()],
    ['pauses, and listens to', (message) => message.pause().on('data', () => message.pause())],
    ['reads as text', (message) => message.setEncoding('utf8')],
    ['only asks for the end of', (message) => message.on('end', () => {})],
  ])('which the application %s', async (_, before) => {
    expect(await read({ before, send: withHead })).toMatchObject({ body: '{"a":1}' })
  })
})

test('in pieces that the application has as text', async () => {
  const { body } = await read({
    before: (message) => message.setEncoding('utf8'),
    async send(connection, arrived) {
      connection.write(headWith('content-length: 13'))
      await arrived
      const bytes = Buffer.from('{"a":"häö"}')
      // In the middle of a character.
      connection.write(bytes.subarray(0, 8))
      await new Promise((resolve) => setImmediate(resolve))
      connection.write(bytes.subarray(8))
    },
  })
  expect(body).toBe('{"a":"häö"}')
})

test('of no more bytes than may be, as text', async () => {
  const long = 'x'.repeat(MAX_BYTES + 1)
  const { body } = await read({
    before: (message) => message.setEncoding('utf8'),
    send: (connection) =>
      connection.write(`${headWith('transfer-encoding: chunked')}${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`),
  })
  expect(body).toMatchObject({ kind: 'refused', reason: 'too_large' })
})

describe('where a body parser ran first', () => {
  test('and the body was none of its', async () => {
    const app = express4()
    app.use(express4.urlencoded({ extended: false }))
    const found = new Promise<ReadBody>((resolve) => {
      app.use(async (request, response) => {
        resolve(await readRequestBody(new NodeRequest(request, response, headOf(request), request, request), MAX_BYTES))
        response.end()
      })
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => void server.close())
    const connection = await connectRaw((server.address() as AddressInfo).port)
    withHead(connection, Promise.resolve())
    expect(await found).toEqual({ kind: 'bytes', bytes: Buffer.from('{"a":1}') })
    connection.socket.destroy()
  })

  test('and read an empty object', async () => {
    const { body } = await read({
      async before(message) {
        await once(message.resume(), 'end')
        Object.assign(message, { body: {} })
      },
      send: (connection) => connection.write(`${headWith('content-length: 2')}{}`),
    })
    expect(body).toBe('{}')
  })
})

describe('a body is none', () => {
  test.each([
    ['and nothing of it has been read', ''],
    ['with a part of it', '{"a"'],
    ['with all of it', '{"a":1}'],
  ])('of a client that has gone by the time that it is read, %s', async (_, sent) => {
    const { body } = await read({
      async before(message) {
        if (!message.closed) await new Promise((resolve) => message.once('close', resolve))
      },
      async send(connection, arrived) {
        connection.write(`${headWith('content-length: 7')}${sent}`)
        await arrived
        connection.socket.destroy()
      },
    })
    expect(body).toEqual({ kind: 'aborted' })
  })

  test('of no bytes in chunks', async () => {
    const empty = `${headWith('transfer-encoding: chunked')}0\r\n\r\n`
    expect(await read({ send: (connection) => connection.write(empty) })).toMatchObject({ body: '' })
  })

  test('longer than may be, whatever its head says of it', async () => {
    const long = 'x'.repeat(MAX_BYTES + 1)
    const inOne = `${headWith('transfer-encoding: chunked')}${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`
    const { body, more } = await read({ send: (connection) => connection.write(inOne) })
    expect(body).toMatchObject({ kind: 'refused', status: 413, reason: 'too_large' })
    expect((await more.answer()).text()).toBe('answered')
  })

  test('of a client that goes away in the middle of it', async () => {
    const { body } = await read({
      async send(connection, arrived) {
        connection.write(`${headWith('content-length: 7')}{"a"`)
        await arrived
        connection.socket.destroy()
      },
    })
    expect(body).toEqual({ kind: 'aborted' })
  })

  test('that the application has read', async () => {
    const { body } = await read({ before: (message) => once(message.resume(), 'end'), send: withHead })
    expect(body).toMatchObject({ kind: 'consumed' })
  })
})
