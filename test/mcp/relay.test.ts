/** The relay on its ordinary way: what reaches the upstream, and what the client gets of its answers. */
import { afterEach, describe, expect, it } from 'vitest'
import { askRaw, connectRaw, type RawRequest } from '../support/raw-client.ts'
import { type FrontOptions, startFront } from './relay-front.ts'
import {
  eventually,
  httpUpstream,
  initialize,
  initialized,
  message,
  modernPost,
  notification,
  post,
  type Upstream,
} from './relay-wire.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

type Answer = Parameters<typeof httpUpstream>[0]

async function setUp(answer: Answer, options: Partial<FrontOptions> = {}) {
  const upstream: Upstream = await httpUpstream(answer)
  closers.push(upstream.close)
  const front = await startFront({ url: upstream.url, ...options })
  closers.push(front.close)
  return { upstream, front, ask: (request: RawRequest) => askRaw(front.port, request) }
}

const json: (text: string, status?: number) => Answer =
  (text, status = 200) =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(text)
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"n":18446744073709551615}}'

/** A session of the front with an upstream that has one too. */
async function open(port: number): Promise<string> {
  const answer = await askRaw(port, initialize())
  return String(answer.headers['mcp-session-id'])
}

describe('what goes to the upstream', () => {
  it("is the body byte for byte, with the credential and without what is the client's own", async () => {
    const { upstream, ask } = await setUp(json(RESULT), { credential: { authorization: 'Bearer up', 'x-key': 'k' } })
    const body =
      '{ "jsonrpc":"2.0","id":1, "method":"tools/call","params":{"name":"a","arguments":{"n":1e400,"z":0.10}}}'
    const answer = await ask(
      post(body, {
        authorization: 'Bearer client',
        cookie: 'a=b',
        'x-forwarded-for': '10.0.0.1',
        'x-tfy-mcp-headers': '{}',
        'accept-encoding': 'gzip',
        'user-agent': 'agent/1',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        'mcp-method': 'other/method',
        'mcp-name': 'evil',
        'mcp-param-region': 'eu',
        'last-event-id': '7',
        'content-type': 'application/json; charset=utf-16',
      }),
    )
    expect(answer.status).toBe(200)
    expect(answer.text()).toBe(RESULT)
    const [sent] = upstream.requests
    expect(sent?.body).toBe(body)
    expect(sent?.request.headers).toEqual({
      host: new URL(upstream.url).host,
      connection: 'keep-alive',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
      authorization: 'Bearer up',
      'content-length': String(body.length),
      'content-type': 'application/json',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'user-agent': 'agent/1',
      'x-key': 'k',
    })
  })

  it('has Accept as the revision wants it where the client does not say', async () => {
    const { upstream, ask } = await setUp((request, response) =>
      request.method === 'GET' ? response.writeHead(405).end() : json(RESULT)(request, response, ''),
    )
    const body = message('ping')
    await ask({ method: 'POST', headers: { 'content-type': 'application/json' }, body })
    await ask(post(body, { accept: '*/*' }))
    await ask(post(body, { accept: 'application/json' }))
    await ask({ method: 'GET' })
    expect(upstream.requests.map(({ request }) => request.headers.accept)).toEqual([
      'application/json, text/event-stream',
      'application/json, text/event-stream',
      'application/json',
      'text/event-stream',
    ])
  })

  it('has the header fields of 2026-07-28 from the body', async () => {
    const { upstream, ask } = await setUp(json(RESULT))
    const name = 'grüße'
    const encoded = `=?base64?${Buffer.from(name).toString('base64')}?=`
    const asked = modernPost('tools/call', { name }, { 'mcp-name': encoded, 'mcp-param-region': 'eu' })
    expect((await ask(asked)).status).toBe(200)
    expect((await ask(modernPost('resources/read', { uri: 'notes://a' }))).status).toBe(200)
    const [first, second] = upstream.requests.map(({ request }) => request.headers)
    expect(first).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': encoded,
      'mcp-param-region': 'eu',
    })
    expect(second).toMatchObject({ 'mcp-method': 'resources/read', 'mcp-name': 'notes://a' })
  })

  it('no credential can have another word on what the relay says', async () => {
    const credential = {
      'mcp-session-id': 'stolen',
      'mcp-method': 'x',
      'mcp-name': 'y',
      'content-length': '1',
      'transfer-encoding': 'chunked',
      host: 'evil.example.com',
      'accept-encoding': 'gzip',
      'last-event-id': '9',
      'x-good': 'g',
    }
    const { upstream, ask } = await setUp(json(RESULT), { credential })
    expect((await ask(post(message('ping')))).status).toBe(200)
    const headers = upstream.requests[0]?.request.headers ?? {}
    expect(headers).toMatchObject({ 'x-good': 'g', host: new URL(upstream.url).host, 'accept-encoding': 'identity' })
    for (const name of ['mcp-session-id', 'mcp-method', 'mcp-name', 'last-event-id'])
      expect(headers).not.toHaveProperty(name)
  })

  it('goes over connections that are used again, also after refusals', async () => {
    let count = 0
    const { upstream, ask } = await setUp((request, response) => {
      count++
      if (count === 2) response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('x'.repeat(20_000))
      else if (count === 3) response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end('moved')
      else json(RESULT)(request, response, '')
    })
    for (let i = 0; i < 6; i++) await ask(post(message('ping')))
    expect(upstream.requests).toHaveLength(6)
    expect(upstream.connections).toBe(1)
  })
})

describe('what comes back', () => {
  it('has only the header fields that may', async () => {
    const { ask } = await setUp((_, response) =>
      response
        .writeHead(200, {
          'content-type': 'application/json; charset=utf-8',
          'set-cookie': 'a=b',
          'mcp-session-id': 'theirs',
          server: 'up/1',
          'access-control-allow-origin': '*',
          'x-internal': 'secret',
          'www-authenticate': 'Bearer',
          'content-language': Buffer.from('dé').toString('latin1'),
        })
        .end(RESULT),
    )
    const { headers } = await ask(post(message('ping')))
    expect(Object.keys(headers).sort()).toEqual(['connection', 'content-length', 'content-type', 'date', 'keep-alive'])
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
  })

  it('a long answer, in JSON, byte for byte', async () => {
    const long = `{"jsonrpc":"2.0","id":1,"result":{"text":"${'é'.repeat(2_000_000)}"}}`
    const { ask } = await setUp(json(long))
    expect((await ask(post(message('ping')))).body.equals(Buffer.from(long))).toBe(true)
  })

  it('events at once, one by one, kept from buffers and compression', async () => {
    let say: (text: string) => void = () => {}
    const { front } = await setUp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
      response.flushHeaders()
      say = (text) => (text === '' ? response.end() : response.write(text))
    })
    const client = await connectRaw(front.port)
    client.send(post(message('tools/call', { name: 'a' })))
    const head = await client.head()
    expect(head.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    say(': ping\n\n')
    expect(String(await client.chunk())).toBe(': ping\n\n')
    say(`data: ${RESULT}\n\n`)
    expect(String(await client.chunk())).toBe(`data: ${RESULT}\n\n`)
    say('')
    expect(await client.chunk()).toBeUndefined()
    await client.close()
  })

  it('events that come at once with their end', async () => {
    const { ask } = await setUp((_, response) =>
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${RESULT}\n\n`),
    )
    const answer = await ask(post(message('ping')))
    expect(answer.text()).toBe(`data: ${RESULT}\n\n`)
    expect(answer.headers).toMatchObject({ 'x-accel-buffering': 'no', 'cache-control': 'no-cache, no-transform' })
  })

  it('202 to what wants no answer, whatever the upstream says', async () => {
    const statuses = [202, 200, 204]
    const { ask } = await setUp((_, response) => response.writeHead(statuses.shift() ?? 202).end())
    for (let i = 0; i < 3; i++) {
      const answer = await ask(post(notification('notifications/initialized')))
      expect([answer.status, answer.text()]).toEqual([202, ''])
    }
    expect((await ask(post('{"jsonrpc":"2.0","id":5,"result":{}}'))).status).toBe(202)
  })

  it('batches of 2025-03-26', async () => {
    const batch = `[${message('ping', undefined, 1)},${message('ping', undefined, 'b')}]`
    const answers = '[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":"b","result":{}}]'
    const { upstream, ask } = await setUp(json(answers))
    const answer = await ask(post(batch, { 'mcp-protocol-version': '2025-03-26' }))
    expect(answer.text()).toBe(answers)
    expect(upstream.requests[0]?.body).toBe(batch)
  })
})

describe('B7 sessions', () => {
  const upstreamWithSession: Answer = (request, response, body) => {
    if (request.method === 'DELETE') response.writeHead(200).end()
    else if (request.method === 'GET')
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: 8\ndata: {}\n\n')
    else if (body.includes('"initialize"')) {
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'their-own' }).end(initialized())
    } else if (request.headers['mcp-session-id'] === 'their-own') json(RESULT)(request, response, body)
    else
      response.writeHead(404).end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}')
  }

  it('get an id of ours, and the upstream its own', async () => {
    const { upstream, front, ask } = await setUp(upstreamWithSession)
    const id = await open(front.port)
    expect(id).toMatch(/^[\w.-]{60,}$/)
    expect(id).not.toContain('their-own')
    expect((await ask(post(message('ping'), { 'mcp-session-id': id }))).text()).toBe(RESULT)
    const stream = await ask({ method: 'GET', headers: { 'mcp-session-id': id, 'last-event-id': '7' } })
    expect(stream.text()).toBe('id: 8\ndata: {}\n\n')
    expect((await ask({ method: 'DELETE', headers: { 'mcp-session-id': id } })).status).toBe(200)
    const seen = upstream.requests.map(({ request }) => [
      request.method,
      request.headers['mcp-session-id'],
      request.headers['last-event-id'],
    ])
    expect(seen).toEqual([
      ['POST', undefined, undefined],
      ['POST', 'their-own', undefined],
      ['GET', 'their-own', '7'],
      ['DELETE', 'their-own', undefined],
    ])
  })

  it('also where the upstream has none; it is then never asked to end one', async () => {
    const { upstream, front, ask } = await setUp(json(initialized('2025-06-18')))
    const id = await open(front.port)
    await ask(post(message('ping'), { 'mcp-session-id': id }))
    expect(upstream.requests[1]?.request.headers).not.toHaveProperty('mcp-session-id')
    expect((await ask({ method: 'DELETE', headers: { 'mcp-session-id': id } })).status).toBe(204)
    expect((await ask({ method: 'DELETE' })).status).toBe(400)
    expect(upstream.requests).toHaveLength(2)
  })

  it('settle on what the upstream says', async () => {
    const { front, ask } = await setUp(json(initialized('2025-06-18')))
    const answer = await ask(initialize('2025-11-25', { elicitation: { url: {} } }))
    expect(answer.json()).toMatchObject({ result: { protocolVersion: '2025-06-18' } })
    // A batch is only for 2025-03-26; without a version header field the session's revision holds.
    const id = String(answer.headers['mcp-session-id'])
    expect((await ask(post(`[${message('ping')}]`, { 'mcp-session-id': id }))).status).toBe(400)
    expect(front.results).toHaveLength(1)
  })

  it('begin in an event stream too, with all that comes before the answer', async () => {
    const log = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"\\"result\\""}}'
    const text = `id: 1\ndata: \n\ndata: ${log}\n\nevent: message\ndata: ${initialized()}\n\n`
    let more: (() => void) | undefined
    const { front } = await setUp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': 'x' })
      const bytes = Buffer.from(text)
      let at = 0
      const next = () => {
        if (at < bytes.length) {
          response.write(bytes.subarray(at, at + 9), () => setImmediate(next))
          at += 9
        } else more = () => response.end('data: last\n\n')
      }
      next()
    })
    const client = await connectRaw(front.port)
    client.send(initialize())
    const head = await client.head()
    expect(head.headers['mcp-session-id']).toMatch(/^[\w.-]+$/)
    const got = await client.until(`${initialized()}\n\n`)
    expect(got.replace(/^[0-9a-f]+\r\n|\r\n[0-9a-f]+\r\n/g, '')).toBe(text)
    await eventually(() => more !== undefined, 'all was sent')
    more?.()
    expect(await client.until('data: last\n\n')).toContain('data: last')
    await client.close()
  })

  it('do not begin with an error', async () => {
    const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unsupported protocol version"}}'
    for (const answer of [
      json(error),
      json(error, 400),
      ((_, response) =>
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${error}\n\n`)) as Answer,
    ]) {
      const { ask } = await setUp(answer)
      const got = await ask(initialize())
      expect(got.headers).not.toHaveProperty('mcp-session-id')
      expect(got.text()).toContain('-32602')
    }
  })

  it('are over when the upstream says so: 404, as if it were ours to say', async () => {
    let over = false
    const { front, ask } = await setUp((request, response, body) => {
      if (over)
        response.writeHead(404).end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}')
      else upstreamWithSession(request, response, body)
    })
    const id = await open(front.port)
    over = true
    for (const request of [
      post(message('ping', undefined, 9), { 'mcp-session-id': id }),
      { method: 'GET', headers: { 'mcp-session-id': id } },
      { method: 'DELETE', headers: { 'mcp-session-id': id } },
    ]) {
      const answer = await ask(request)
      expect(answer.status).toBe(404)
      expect(answer.json()).toMatchObject({ error: { code: 4041 } })
    }
  })

  it('of one replica open on another with the same keys, and of one caller for no other', async () => {
    const keys = ['A'.repeat(43)]
    const one = await setUp(upstreamWithSession, { keys })
    const id = await open(one.front.port)
    const other = await startFront({ url: one.upstream.url, keys })
    const mallory = await startFront({ url: one.upstream.url, keys, identity: 'mallory' })
    closers.push(other.close, mallory.close)
    const request = post(message('ping'), { 'mcp-session-id': id })
    expect((await askRaw(other.port, request)).text()).toBe(RESULT)
    expect((await askRaw(mallory.port, request)).status).toBe(404)
  })
})
