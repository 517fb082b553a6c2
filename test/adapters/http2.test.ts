/** HTTP/2 through the node adapter, by the compatibility API: clear text (h2c), and TLS with HTTP/1.1 beside it. */
import { once } from 'node:events'
import { type ClientHttp2Session, connect, createSecureServer, createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { createGuard, type Gate, type GateRequest, type Outcome, type Reply } from 'sallyport'
import { authOf, sallyport } from 'sallyport/node'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { connectRaw } from '../support/raw-client.ts'
import { readAll } from '../support/servers.ts'
import { closeOf, deferred, gateOf, passing, refusing } from './helpers.ts'
import { selfSigned } from './self-signed.ts'

const credentials = { authorization: `Basic ${Buffer.from('hello:world').toString('base64')}` }
const guard = createGuard({
  routes: [
    { path: '/open', auth: { type: 'none' } },
    { path: '/basic', auth: { type: 'basic', username: 'hello', password: 'world', realm: 'orders' } },
    { host: 'only.example.com', path: '/', auth: { type: 'none' } },
  ],
})

let server: Http2Server
let session: ClientHttp2Session

async function start(gates: Gate[], options: { tls?: boolean } = {}): Promise<number> {
  const handler = sallyport(...gates)((req, res) => {
    res.setHeader('set-cookie', 'app=1')
    if (req.method === 'POST') void readAll(req).then((body) => res.end(body))
    else res.end(JSON.stringify({ url: req.url, auth: authOf(req) ?? null }))
  }) as unknown as Parameters<typeof createServer>[1] // its types are those of node:http
  server = options.tls ? createSecureServer({ ...selfSigned(), allowHTTP1: true }, handler) : createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  session = connect(`${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`, { rejectUnauthorized: false })
  await once(session, 'connect')
  return port
}

afterEach(async () => {
  const closed = once(server, 'close')
  session.destroy()
  server.close()
  await closed
})

/** Asks, and reads the whole answer. */
async function ask(headers: Record<string, string | string[]>, body?: string) {
  const stream = session.request({ ':authority': 'app.example.com', ...headers }, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  const [answer] = await once(stream, 'response')
  return { status: answer[':status'] as number, headers: answer, text: await readAll(stream) }
}

describe.each([
  ['in clear text', false],
  ['over TLS', true],
])('HTTP/2 %s', (_how, tls) => {
  test('refuses and lets pass', async () => {
    await start([guard], { tls })
    const refused = await ask({ ':path': '/basic' })
    expect(refused).toMatchObject({
      status: 401,
      headers: {
        'www-authenticate': 'Basic realm="orders", charset="UTF-8"',
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        'content-length': String(refused.text.length),
      },
      text: '{"type":"about:blank","title":"Unauthorized","status":401}',
    })
    const passed = await ask({ ':path': '/basic?a=1', ...credentials })
    expect(JSON.parse(passed.text)).toMatchObject({ url: '/basic?a=1', auth: { type: 'basic', subject: 'hello' } })
    expect((await ask({ ':path': '/nowhere' })).status).toBe(404)
    expect((await ask({ ':path': '/open%2Fbasic' })).status).toBe(400)
  })

  test('routes by :authority', async () => {
    await start([guard], { tls })
    expect((await ask({ ':path': '/', ':authority': 'only.example.com:8443' })).status).toBe(200)
    expect((await ask({ ':path': '/', ':authority': 'other.example.com' })).status).toBe(404)
  })

  test('refuses a Host that is not the :authority', async () => {
    await start([guard], { tls })
    expect((await ask({ ':path': '/open', host: 'only.example.com' })).status).toBe(400)
  })

  test('HEAD gets the headers without the body', async () => {
    await start([guard], { tls })
    const { status, headers, text } = await ask({ ':method': 'HEAD', ':path': '/basic' })
    expect([status, headers['content-length'], text]).toEqual([401, '58', ''])
  })
})

test('HTTP/1.1 beside HTTP/2 on one port', async () => {
  const port = await start([guard], { tls: true })
  const connection = await connectRaw(port, { tls: true })
  expect((await connection.ask({ target: '/basic' })).status).toBe(401)
  expect((await connection.ask({ target: '/basic', headers: credentials })).json()).toMatchObject({ url: '/basic' })
  expect((await ask({ ':path': '/basic' })).status).toBe(401)
  await connection.close()
})

test('headers of a pass are added to those of the application', async () => {
  const headers = { 'set-cookie': ['sid=renewed', 'hint=1'], 'x-renewed': 'yes' }
  await start([gateOf(() => ({ kind: 'pass', auth: { type: 'none', route: '' }, headers }))])
  const answer = await ask({ ':path': '/' })
  expect(answer.headers).toMatchObject({ 'set-cookie': ['app=1', 'sid=renewed', 'hint=1'], 'x-renewed': 'yes' })
})

test.each([
  ['announced', { 'content-length': '7' }],
  ['not announced', {}],
])('a body that is %s is seen by the gate and arrives whole', async (_how, headers) => {
  const kinds: string[] = []
  const gate = gateOf(async (request) => {
    kinds.push(request.body.kind)
    return passing.handle(request)
  })
  await start([gate])
  expect((await ask({ ':method': 'POST', ':path': '/', ...headers }, '{"a":1}')).text).toBe('{"a":1}')
  await ask({ ':path': '/' })
  expect(kinds).toEqual(['stream', 'none'])
})

test('a POST that is refused before its body has come leaves the session usable', async () => {
  await start([guard])
  const stream = session.request({ ':method': 'POST', ':path': '/basic' })
  stream.write('half')
  const [answer] = await once(stream, 'response')
  expect(answer[':status']).toBe(401)
  stream.end('the rest')
  await readAll(stream)
  expect((await ask({ ':path': '/open' })).status).toBe(200)
})

test('a refusal behind an answer that has been begun resets the stream: the client does not take it for whole', async () => {
  const guarded = sallyport(refusing(401))(() => {})
  server = createServer((req, res) => {
    res.writeHead(200)
    res.write('begun')
    guarded(req as never, res as never)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const stream = session
    .request({ ':path': '/' })
    .on('error', () => {})
    .resume()
  await once(stream, 'response')
  await closeOf(stream)
  expect(stream.rstCode).not.toBe(0)
})

test.each<[string, Reply]>([
  ['a text', { status: 401, body: 'refused' }],
  ['a stream', { status: 401, body: Readable.from([]) }],
])('bodies that are refused with %s unread do not use up the session for others', async (_what, reply) => {
  const gate = gateOf((request) => {
    if (request.target === '/open') return passing.handle(request)
    return {
      kind: 'reply',
      reply: reply.body instanceof Readable ? { ...reply, body: Readable.from(['refused']) } : reply,
    }
  })
  await start([gate])
  for (let round = 0; round < 80; round++) {
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    stream.end(Buffer.alloc(200_000))
    await readAll(stream)
  }
  expect((await ask({ ':path': '/open' })).status).toBe(200)
})

test('a reply can be made of the body as it comes', async () => {
  const gate = gateOf(({ body }) => {
    const source = body.kind === 'stream' ? body.stream : Readable.from([])
    const lazily = async function* () {
      for await (const piece of source) yield String(piece).toUpperCase()
    }
    return { kind: 'reply', reply: { status: 200, body: Readable.from(lazily()) } }
  })
  await start([gate])
  expect((await ask({ ':method': 'POST', ':path': '/' }, 'as it comes')).text).toBe('AS IT COMES')
})

describe('a reply that is a stream', () => {
  const replying = (body: Readable) =>
    gateOf((request) =>
      request.target === '/open' ? passing.handle(request) : { kind: 'reply', reply: { status: 200, body } },
    )

  test('and stays silent has sent its headers', async () => {
    const source = new PassThrough()
    await start([replying(source)])
    const stream = session.request({ ':path': '/' })
    const [answer] = await once(stream, 'response')
    expect(answer[':status']).toBe(200)
    source.end('at last')
    expect(await readAll(stream)).toBe('at last')
  })

  test('and fails in the middle resets the stream, and only that', async () => {
    const source = new PassThrough()
    await start([replying(source)])
    const stream = session.request({ ':path': '/' })
    await once(stream, 'response')
    source.write('half')
    await once(stream, 'data')
    source.destroy(new Error('the upstream broke'))
    await closeOf(stream.on('error', () => {}))
    expect(stream.rstCode).not.toBe(0)
    expect((await ask({ ':path': '/open' })).status).toBe(200)
  })

  test('is destroyed when the client goes away, whether by the stream or the session', async () => {
    for (const leave of [(stream: { close(code: number): void }) => stream.close(8), () => session.destroy()]) {
      const source = new PassThrough()
      await start([replying(source)])
      const stream = session.request({ ':path': '/' }).on('error', () => {})
      await once(stream, 'response')
      const closed = closeOf(source)
      leave(stream)
      await closed
      if (session.destroyed) break
      const stopped = once(server, 'close')
      session.destroy()
      server.close()
      await stopped
    }
  })

  test('is not sent for HEAD, and destroyed', async () => {
    const source = new PassThrough()
    await start([replying(source)])
    expect(await ask({ ':method': 'HEAD', ':path': '/' })).toMatchObject({ status: 200, text: '' })
    expect(source.destroyed).toBe(true)
  })
})

test('the signal aborts when the client resets the stream, and not when it is answered', async () => {
  const asked = deferred<GateRequest>()
  const decision = deferred<Outcome>()
  const answered: AbortSignal[] = []
  const gate = gateOf((request) => {
    if (request.target === '/slow') {
      asked.resolve(request)
      return decision.promise
    }
    answered.push(request.signal)
    return passing.handle(request)
  })
  await start([gate])
  expect((await ask({ ':path': '/' })).status).toBe(200)
  const stream = session.request({ ':path': '/slow' }).on('error', () => {})
  const { signal } = await asked.promise
  const aborted = once(signal, 'abort')
  stream.close(8)
  await aborted
  const body = Readable.from(['too late'])
  const closed = closeOf(body)
  decision.resolve({ kind: 'reply', reply: { status: 200, body } })
  await closed
  expect((await ask({ ':path': '/' })).status).toBe(200)
  expect(answered.map(({ aborted: each }) => each)).toEqual([false, false])
})

test('a pass that comes after the client has reset the stream runs no application', async () => {
  const asked = deferred<GateRequest>()
  const decision = deferred<Outcome>()
  const gate = gateOf((request) => {
    asked.resolve(request)
    return decision.promise
  })
  await start([gate])
  const stream = session.request({ ':path': '/slow' }).on('error', () => {})
  const { signal, host } = await asked.promise
  const aborted = once(signal, 'abort')
  stream.close(8)
  await aborted
  decision.resolve(await passing.handle({} as GateRequest))
  expect((await ask({ ':path': '/' })).status).toBe(200)
  expect(authOf(host as Parameters<typeof authOf>[0])).toBeUndefined()
})

test('many streams of one session do not warn of too many listeners', async () => {
  const warned = vi.fn()
  process.on('warning', warned)
  const decision = deferred<Outcome>()
  let asked = 0
  const all = deferred()
  const gate = gateOf((request) => {
    expect(request.signal.aborted).toBe(false)
    if (++asked === 30) all.resolve()
    return decision.promise
  })
  await start([gate])
  const answers = Array.from({ length: 30 }, () => ask({ ':path': '/' }))
  await all.promise
  decision.resolve(await passing.handle({} as GateRequest))
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(30).fill(200))
  process.off('warning', warned)
  expect(warned).not.toHaveBeenCalled()
})
