/** Upstreams that do not behave, clients that go away or do not read: what comes of it, for the client and for the gateway. */
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { askRaw, ConnectionEnded, connectRaw, type RawAnswer } from '../support/raw-client.ts'
import { type Front, type FrontOptions, startFront } from './relay-front.ts'
import {
  eventually,
  httpUpstream,
  initialize,
  initialized,
  message,
  modernPost,
  notification,
  post,
  socketUpstream,
} from './relay-wire.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closers.splice(0).reverse()) await close()
})

async function front(options: FrontOptions): Promise<Front> {
  const started = await startFront(options)
  closers.push(started.close)
  return started
}
type Answer = Parameters<typeof httpUpstream>[0]
async function http(answer: Answer, options: Partial<FrontOptions> = {}) {
  const upstream = await httpUpstream(answer)
  closers.push(upstream.close)
  return { upstream, at: await front({ url: upstream.url, ...options }) }
}
async function raw(onRequest: Parameters<typeof socketUpstream>[0], options: Partial<FrontOptions> = {}) {
  const upstream = await socketUpstream(onRequest)
  closers.push(upstream.close)
  return front({ url: upstream.url, ...options })
}
const CALL = post(message('tools/call', { name: 'a' }, 'call-7'))
const page: (status: number, type: string, text: string, headers?: Record<string, string>) => Answer =
  (status, type, text, headers = {}) =>
  (_, response) =>
    response.writeHead(status, { 'content-type': type, ...headers }).end(text)

/** A JSON-RPC error with the request's id, and nothing of how the upstream is reached. */
function expectError(answer: RawAnswer, status: number, code: number): void {
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toBe('application/json')
  expect(answer.json()).toMatchObject({ jsonrpc: '2.0', id: 'call-7', error: { code } })
  expect(answer.text()).not.toMatch(/127\.0\.0\.1|ECONN|UND_ERR|http:/)
}

describe('no answer', () => {
  it('502 where nobody listens', async () => {
    const gone = await socketUpstream(() => {})
    await gone.close()
    const at = await front({ url: gone.url })
    expectError(await askRaw(at.port, CALL), 502, 5020)
    expect(at.results[0]).toMatchObject({ kind: 'failed', reason: 'unreachable', upstreamStatus: null })
  })

  it('502 where the connection breaks before the headers, or they are none', async () => {
    for (const act of [
      (socket: import('node:net').Socket) => void socket.destroy(),
      (socket: import('node:net').Socket) => void socket.resetAndDestroy(),
      (socket: import('node:net').Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-'),
      (socket: import('node:net').Socket) => void socket.end('SSH-2.0-OpenSSH_9.6\r\n'),
      (socket: import('node:net').Socket) =>
        void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'),
    ]) {
      const at = await raw(act)
      expectError(await askRaw(at.port, CALL), 502, 5020)
    }
  })

  it('502 where a short answer breaks off, since none of it has gone on', async () => {
    const at = await raw((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"jsonrpc":'),
    )
    expectError(await askRaw(at.port, CALL), 502, 5020)
  })

  it('504 where the headers do not come in time', async () => {
    const at = await raw(() => {}, { limits: { headersMs: 100 } })
    expectError(await askRaw(at.port, CALL), 504, 5040)
    expect(at.results[0]).toMatchObject({ kind: 'failed', reason: 'timeout' })
  })

  it('504 where no connection becomes free in time, and the call is then never made', async () => {
    const { upstream, at } = await http(
      (_, response, body) => {
        if (!body.includes('"stays"')) response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
        else response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': a\n\n')
      },
      { limits: { headersMs: 200, connections: 1 } },
    )
    // Only the call that is to be late has its time go by.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const holder = await connectRaw(at.port)
    holder.send(post(message('tools/call', { name: 'stays' })))
    await holder.head()
    let late: RawAnswer | undefined
    const asking = askRaw(at.port, CALL).then((answer) => {
      late = answer
      expectError(answer, 504, 5040)
    })
    await expect
      .poll(() => {
        vi.advanceTimersByTime(100)
        return late
      })
      .toBeDefined()
    await asking
    await holder.close()
    expect((await askRaw(at.port, post(message('tools/call', { name: 'last' })))).status).toBe(200)
    expect(upstream.requests.map(({ body }) => JSON.parse(body).params.name)).toEqual(['stays', 'last'])
  })

  it('an error for each request of a batch, and one without an id for what has none', async () => {
    const at = await raw((socket) => void socket.destroy())
    const headers = { 'mcp-protocol-version': '2025-03-26' }
    const batch = `[${message('ping', undefined, 1)},${notification('notifications/x')},${message('ping', undefined, 'b')}]`
    const answer = await askRaw(at.port, post(batch, headers))
    expect(answer.status).toBe(502)
    expect(answer.json()).toMatchObject([
      { id: 1, error: { code: 5020 } },
      { id: 'b', error: { code: 5020 } },
    ])
    const single = (await askRaw(at.port, post(notification('notifications/initialized')))).json()
    expect(single).toMatchObject({ error: { code: 5020 } })
    expect(single).not.toHaveProperty('id')
  })
})

describe('statuses of the upstream', () => {
  it('401 goes to the caller of the relay, with the challenge', async () => {
    const challenge = 'Bearer error="invalid_token", resource_metadata="https://x.example/"'
    const { at } = await http(page(401, 'text/plain', 'no', { 'www-authenticate': challenge }))
    const answer = await askRaw(at.port, CALL)
    expect(answer.headers).not.toHaveProperty('www-authenticate')
    expect(at.results[0]).toEqual({ kind: 'unauthorized', challenge, upstreamStatus: 401 })
  })

  it('403 goes on without its challenge, which the caller sees where scope is missing', async () => {
    const challenge = 'Bearer error="insufficient_scope", scope="repo"'
    const wanting = await http(page(403, 'text/html', '<p>no', { 'www-authenticate': challenge }))
    const answer = await askRaw(wanting.at.port, CALL)
    expectError(answer, 403, 4031)
    expect(answer.headers).not.toHaveProperty('www-authenticate')
    expect(wanting.at.results[0]).toMatchObject({ kind: 'answer', challenge, upstreamStatus: 403 })

    const error = '{"jsonrpc":"2.0","id":"call-7","error":{"code":-32000,"message":"Forbidden"}}'
    const other = await http(page(403, 'application/json', error, { 'www-authenticate': 'Bearer' }))
    expect((await askRaw(other.at.port, CALL)).text()).toBe(error)
    expect(other.at.results[0]).not.toHaveProperty('challenge')
  })

  it('redirects are not followed, least of all with the credential', async () => {
    const elsewhere = await httpUpstream(page(200, 'application/json', '{}'))
    closers.push(elsewhere.close)
    for (const status of [301, 302, 303, 307, 308]) {
      const { at } = await http(page(status, 'text/html', '', { location: elsewhere.url }), {
        credential: { authorization: 'Bearer secret' },
      })
      const answer = await askRaw(at.port, CALL)
      expectError(answer, 502, 5021)
      expect(answer.headers).not.toHaveProperty('location')
      expect(at.results[0]).toMatchObject({ kind: 'failed', reason: 'redirect', upstreamStatus: status })
    }
    expect(elsewhere.requests).toHaveLength(0)
  })

  it('a page says when to come again, if it does so in words that may go on', async () => {
    for (const [status, told] of [
      [429, 429],
      [503, 502],
    ] as const) {
      const { at } = await http((_, response) => response.writeHead(status, { 'retry-after': '30' }).end('<p>Busy</p>'))
      const answer = await askRaw(at.port, CALL)
      expectError(answer, told, 5021)
      expect(answer.headers['retry-after']).toBe('30')
    }
    const odd = await raw(
      (socket) => void socket.end('HTTP/1.1 429 No\r\nretry-after: 3\u00e9\r\ncontent-length: 0\r\n\r\n'),
    )
    expect((await askRaw(odd.port, CALL)).headers['retry-after']).toBeUndefined()
  })

  it('a JSON-RPC error keeps its status and its bytes, whatever it says that it is', async () => {
    const error =
      '{"jsonrpc": "2.0", "error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}'
    for (const status of [400, 404, 406, 429, 500, 503]) {
      const { at } = await http((_, response) => response.writeHead(status, { 'retry-after': '7' }).end(error))
      const answer = await askRaw(at.port, CALL)
      expect([answer.status, answer.text()]).toEqual([status, error])
      expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'retry-after': '7' })
    }
    const odd = await raw(
      (socket) => void socket.end(`HTTP/1.1 999 No\r\ncontent-length: ${error.length}\r\n\r\n${error}`),
    )
    expect((await askRaw(odd.port, CALL)).status).toBe(502)
    const proxy = await http(page(407, 'application/json', error))
    expect((await askRaw(proxy.at.port, CALL)).status).toBe(502)
  })

  it('the page of an error is not shown; its status stays where clients go by it', async () => {
    for (const [status, legacy, modern] of [
      [400, 400, 400],
      [404, 502, 404],
      [405, 405, 405],
      [500, 502, 502],
      [503, 502, 502],
    ]) {
      const { at } = await http(page(status ?? 0, 'text/html', '<h1>nginx at 10.0.0.7</h1>'))
      expectError(await askRaw(at.port, CALL), legacy ?? 0, 5021)
      const answer = await askRaw(at.port, modernPost('tools/call', { name: 'a' }))
      expect(answer.status).toBe(modern)
      expect(answer.text()).not.toContain('nginx')
    }
  })

  it('405 for streams and for the end of sessions that the upstream does not offer', async () => {
    const { at } = await http((request, response) => {
      if (request.method === 'POST') {
        response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' }).end(initialized())
      } else response.writeHead(405).end()
    })
    const id = String((await askRaw(at.port, initialize())).headers['mcp-session-id'])
    for (const method of ['GET', 'DELETE']) {
      const answer = await askRaw(at.port, { method, headers: { 'mcp-session-id': id } })
      expect([answer.status, answer.headers.allow]).toEqual([405, 'POST'])
    }
  })
})

describe('answers that are none', () => {
  it('other content types', async () => {
    for (const type of ['text/html', 'application/xml', 'application/jsonp', 'text/event-streams']) {
      const { at } = await http(page(200, type, '<p>Welcome'))
      const answer = await askRaw(at.port, CALL)
      expectError(answer, 502, 5021)
      expect(answer.text()).not.toContain('Welcome')
    }
    const { at } = await http((_, response) => response.writeHead(200).end('{}'))
    expectError(await askRaw(at.port, CALL), 502, 5021)
    const twice = await raw((socket) =>
      socket.end(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n{}',
      ),
    )
    expectError(await askRaw(twice.port, CALL), 502, 5021)
  })

  it('JSON in answer to GET', async () => {
    const { at } = await http(page(200, 'application/json', '{}'))
    expect((await askRaw(at.port, { method: 'GET' })).status).toBe(502)
  })

  it('a coding that was not asked for, unless it can pass and the client takes it', async () => {
    const bytes = gzipSync('{"jsonrpc":"2.0","id":1,"result":{}}')
    const answer: Answer = (_, response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bytes)
    const { at } = await http(answer)
    expectError(await askRaw(at.port, CALL), 502, 5021)
    expectError(
      await askRaw(at.port, post(message('tools/call', {}, 'call-7'), { 'accept-encoding': 'br, gzip;q=0' })),
      502,
      5021,
    )
    const taken = await askRaw(at.port, post(message('ping'), { 'accept-encoding': 'br, gzip' }))
    expect([taken.status, taken.headers['content-encoding'], taken.body]).toEqual([200, 'gzip', bytes])
    const opening = post(message('initialize', {}, 'call-7'), { 'accept-encoding': 'gzip' })
    expectError(await askRaw(at.port, opening), 502, 5021)
    const { at: few } = await http(answer, { lists: { allows: () => true } })
    for (const method of ['tools/list', 'tools/call']) {
      const read = post(message(method, {}, 'call-7'), { 'accept-encoding': 'gzip' })
      expectError(await askRaw(few.port, read), 502, 5021)
    }
  })

  it('handshakes that settle nothing', async () => {
    const answers: [string, string][] = [
      ['application/json', '{}'],
      ['application/json', '<html>'],
      ['application/json', initialized('2026-07-28')],
      ['application/json', initialized('2025-11-25', 2)],
      ['application/json', '[]'],
      ['application/json', `data: ${initialized()}\n\n`],
      ['text/event-stream', initialized()],
      ['text/event-stream', 'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n'],
      ['text/event-stream', `data: ${initialized('1999-01-01')}\n\n`],
    ]
    for (const [type, text] of answers) {
      const { at } = await http(page(200, type, text))
      const answer = await askRaw(at.port, initialize())
      expect([answer.status, (answer.json() as { id: unknown }).id]).toEqual([502, 1])
      expect(answer.headers).not.toHaveProperty('mcp-session-id')
    }
    const { at } = await http(page(200, 'application/json', initialized(), { 'mcp-session-id': 'a b' }))
    expect((await askRaw(at.port, initialize())).status).toBe(502)
  })

  it('handshakes without an end, in bytes or in time', async () => {
    const endless = await http((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const more = () => response.write(`: ${'x'.repeat(60_000)}\n\n`, () => setImmediate(more))
      more()
      response.on('error', () => {})
    })
    expect((await askRaw(endless.at.port, initialize())).status).toBe(502)
    const silent = await http(
      (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).write(' '),
      {
        limits: { answerMs: 100 },
      },
    )
    expect((await askRaw(silent.at.port, initialize())).status).toBe(504)
    expect(silent.at.results[0]).toMatchObject({ reason: 'timeout', upstreamStatus: 200 })
  })
})

describe('what breaks off', () => {
  it('in the middle of a stream is not a clean end for the client', async () => {
    for (const type of ['text/event-stream', 'application/json']) {
      let cut: () => void = () => {}
      const at = await raw((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcd\n\r\n`)
        cut = () => socket.destroy()
      })
      const client = await connectRaw(at.port)
      client.send(CALL)
      expect((await client.head()).status).toBe(200)
      expect(String(await client.chunk())).toBe('abcd\n')
      cut()
      await expect(client.chunk()).rejects.toThrow(ConnectionEnded)
    }
  })

  it('after too long a silence, where there is a limit', async () => {
    const { at } = await http(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': a\n\n'),
      {
        limits: { silenceMs: 200 },
      },
    )
    const client = await connectRaw(at.port)
    client.send({ method: 'GET' })
    await client.head()
    await client.chunk()
    await expect(client.chunk()).rejects.toThrow(ConnectionEnded)
  })

  it('a client that goes away ends the request upstream, before and after the headers, in both eras', async () => {
    for (const request of [CALL, modernPost('tools/call', { name: 'a' }), { method: 'GET' }]) {
      for (const early of [true, false]) {
        let gone = false
        const { upstream, at } = await http((_, response) => {
          response.on('close', () => {
            gone = true
          })
          if (!early) response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': a\n\n')
        })
        const client = await connectRaw(at.port)
        client.send(request)
        await eventually(() => upstream.requests.length === 1, 'it has arrived')
        if (!early) await client.head()
        await client.close()
        await eventually(() => gone, 'the upstream sees it')
        if (early) {
          await eventually(() => at.results.length === 1, 'the relay is done')
          expect(at.results[0]).toMatchObject({ kind: 'failed', reason: 'aborted' })
        }
      }
    }
  })
})

describe('backpressure', () => {
  it('a client that does not read stops the upstream, and memory stays', async () => {
    let written = 0
    const { at } = await http((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const event = `data: ${'x'.repeat(64 * 1024)}\n\n`
      const more = () => {
        while (response.write(event)) written += event.length
        written += event.length
        response.once('drain', more)
      }
      more()
    })
    const client = await connectRaw(at.port)
    client.socket.pause()
    client.send(CALL)
    let before = -1
    await eventually(() => written > 0, 'it writes')
    // It has stopped when nothing was added for a while.
    for (let calm = 0; calm < 20; ) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      calm = written === before ? calm + 1 : 0
      before = written
    }
    // The buffers of the kernel on four sockets, and two of ours.
    expect(written).toBeLessThan(24 * 1024 * 1024)
    client.socket.resume()
    await eventually(() => client.unread > before, 'and goes on when the client reads')
    await client.close()
  })

  it('streams without an end leave connections to calls', async () => {
    const { upstream, at } = await http(
      (request, response) => {
        if (request.method === 'GET') response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': a\n\n')
        else response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}')
      },
      { limits: { connections: 1 } },
    )
    const clients = await Promise.all([1, 2, 3].map(() => connectRaw(at.port)))
    for (const client of clients) {
      client.send({ method: 'GET' })
      expect((await client.head()).status).toBe(200)
    }
    expect((await askRaw(at.port, post(message('ping')))).status).toBe(200)
    expect(upstream.requests).toHaveLength(4)
    await Promise.all(clients.map((client) => client.close()))
  })
})
