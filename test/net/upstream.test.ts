/** Requests to upstreams: bytes or a stream, what they fail with, and how they end. */
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { Agent, Dispatcher, ProxyAgent } from 'undici'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createUpstreams, type UpstreamLimits } from '../../src/net/upstream.ts'
import { localServer } from './server.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const LIMITS: UpstreamLimits = { connectMs: 1_000, headersMs: 2_000, silenceMs: 0, connections: 4, drainMs: 100 }

async function setUp(answer: RequestListener, limits: Partial<UpstreamLimits> = {}) {
  const server = await localServer(answer)
  const upstreams = createUpstreams({ ...LIMITS, ...limits })
  closers.push(server.close, () => upstreams.close())
  const request = { url: new URL(`${server.url}/mcp?a=b`), method: 'GET', headers: {} } as const
  return { server, upstreams, request }
}

const CONTROLLER: Dispatcher.DispatchController = {
  abort() {},
  pause() {},
  resume() {},
  aborted: false,
  paused: false,
  reason: null,
}

/** Upstreams whose connections are all taken: requests only queue. */
function queue() {
  const queued: { readonly options: Dispatcher.DispatchOptions; readonly handler: Dispatcher.DispatchHandler }[] = []
  class Queue extends Dispatcher {
    override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      queued.push({ options, handler })
      return false
    }
  }
  const url = new URL('http://one.example/mcp')
  const createRequest = (body: Uint8Array, signal?: AbortSignal) => ({
    url,
    method: 'POST' as const,
    headers: { a: 'b' },
    body,
    ...(signal && { signal }),
  })
  return { queued, url, createRequest, upstreams: createUpstreams({ ...LIMITS, headersMs: 0 }, new Queue()) }
}

describe('an answer', () => {
  it('that is short comes as its bytes, with or without a length, one in pieces too', async () => {
    const { server, upstreams, request } = await setUp((message, response) => {
      if (message.headers['x-how'] === 'pieces') {
        response.writeHead(200, { 'content-length': 4 }).write('ab')
        setImmediate(() => response.end('cd'))
      } else if (message.headers['x-how'] === 'chunked') response.writeHead(200).end('abcd')
      else if (message.headers['x-how'] === 'none') response.writeHead(204).end()
      else response.end('abcd')
    })
    for (const how of ['', 'pieces', 'chunked', 'none']) {
      const { status, body } = await upstreams.send({ ...request, headers: { 'x-how': how } })
      expect(body).toBeInstanceOf(Uint8Array)
      expect([status, String(body)]).toEqual(how === 'none' ? [204, ''] : [200, 'abcd'])
    }
    expect(server.requests[0]).toBe('GET /mcp?a=b')
  })

  it('that is long, or not whole yet, is a stream', async () => {
    const { upstreams, request } = await setUp((message, response) => {
      if (message.headers['x-how'] === 'long') response.end('x'.repeat(3_000_000))
      else {
        response.write('ab')
        setTimeout(() => response.end('cd'), 20)
      }
    })
    for (const [how, length] of [
      ['long', 3_000_000],
      ['slow', 4],
    ] as const) {
      const { body } = await upstreams.send({ ...request, headers: { 'x-how': how } })
      if (!(body instanceof Readable)) throw new Error('not a stream')
      expect(Buffer.concat(await body.toArray())).toHaveLength(length)
    }
  })

  it('that is said to be short and takes its time goes on as a stream', async () => {
    const answer: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': 4 }).write('ab')
    }
    const { upstreams, request } = await setUp(answer, { headersMs: 80 })
    const { status, body } = await upstreams.send(request)
    expect(status).toBe(200)
    expect(body).toBeInstanceOf(Readable)
    const chunks: Buffer[] = []
    ;(body as Readable).on('data', (chunk) => chunks.push(chunk))
    await expect.poll(() => String(Buffer.concat(chunks))).toBe('ab')
  })

  it.each([0, 60_000])(
    'and so it does where no timer of its own counts, with %d ms for the headers',
    async (headersMs) => {
      let response: ServerResponse | undefined
      const { upstreams, request } = await setUp(
        (_, answer) => {
          response = answer
          answer.writeHead(200, { 'content-length': 4 }).write('ab')
        },
        { headersMs },
      )
      closers.push(async () => vi.useRealTimers())
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      let body: unknown
      void upstreams.send(request).then((answer) => {
        body = answer.body
      })
      await expect
        .poll(() => {
          vi.advanceTimersByTime(1_000)
          return body
        })
        .toBeInstanceOf(Readable)
      response?.end('cd')
      expect(Buffer.concat(await (body as Readable).toArray()).toString()).toBe('abcd')
    },
  )

  it('that breaks off fails its stream, also when nobody listens yet', async () => {
    const { upstreams, request } = await setUp((_, response) => {
      response.write('ab')
      setTimeout(() => response.destroy(), 20)
    })
    const { body } = await upstreams.send(request)
    if (!(body instanceof Readable)) throw new Error('not a stream')
    await expect.poll(() => body.closed).toBe(true)
    expect(body.errored).toMatchObject({ name: 'UpstreamError', failure: 'unreachable' })
  })

  it('is not mixed up with early hints', async () => {
    const { upstreams, request } = await setUp((_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      response.end('ok')
    })
    expect(await upstreams.send(request)).toMatchObject({ status: 200, body: Buffer.from('ok') })
  })

  it('to a body is asked for with that body', async () => {
    const { upstreams, request } = await setUp((message, response) => message.pipe(response))
    const { body } = await upstreams.send({ ...request, method: 'POST', body: Buffer.from('{"a":1}') })
    expect(body instanceof Readable ? Buffer.concat(await body.toArray()).toString() : String(body)).toBe('{"a":1}')
  })
})

describe('no answer', () => {
  it('where the caller has gone, before, while, and after', async () => {
    const { server, upstreams, request } = await setUp((_, response) => void response.flushHeaders())
    await expect(upstreams.send({ ...request, signal: AbortSignal.abort() })).rejects.toMatchObject({
      failure: 'aborted',
    })
    expect(server.requests).toHaveLength(0)
    const controller = new AbortController()
    const { body } = await upstreams.send({ ...request, signal: controller.signal })
    if (!(body instanceof Readable)) throw new Error('not a stream')
    controller.abort()
    await expect.poll(() => body.closed).toBe(true)
    expect(body.errored).toMatchObject({ failure: 'aborted' })
  })

  it('in time, and nothing of the request in the message', async () => {
    const { upstreams, request } = await setUp(() => {}, { headersMs: 80 })
    const error = await upstreams
      .send({ ...request, headers: { authorization: 'Bearer s3cret' } })
      .catch((e: unknown) => e)
    expect(error).toMatchObject({ failure: 'timeout' })
    expect(String(error)).not.toMatch(/s3cret|a=b/)
  })

  it('in time, where all connections are taken', async () => {
    const { server, upstreams, request } = await setUp(() => {}, { headersMs: 80, connections: 1 })
    const both = [upstreams.send(request), upstreams.send(request)]
    for (const one of both) await expect(one).rejects.toMatchObject({ failure: 'timeout' })
    expect(server.requests.length).toBeLessThanOrEqual(2)
  })

  describe('in a long time, which no timer of its own counts', () => {
    /** From here on they go as they are told. */
    function stopClocks() {
      closers.push(async () => vi.useRealTimers())
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    }

    it('all of which it has waited for a connection', async () => {
      const { server, upstreams, request } = await setUp(() => {}, { headersMs: 60_000, connections: 1 })
      stopClocks()
      const first = expect(upstreams.send(request)).rejects.toMatchObject({ failure: 'timeout' })
      await expect.poll(() => server.requests).toHaveLength(1)
      const second = expect(upstreams.send(request)).rejects.toMatchObject({ failure: 'timeout' })
      vi.advanceTimersByTime(61_000)
      await Promise.all([first, second])
      expect(server.requests).toHaveLength(1)
    })

    it('of an upstream that goes on saying that it is about to answer', async () => {
      let response: ServerResponse | undefined
      const { upstreams, request } = await setUp(
        (_, answer) => {
          response = answer
        },
        { headersMs: 60_000 },
      )
      stopClocks()
      let failure: unknown
      const sent = upstreams.send(request).catch((error: unknown) => {
        failure = error
      })
      await expect.poll(() => response).toBeDefined()
      for (let elapsed = 0; elapsed < 55_000; elapsed += 5_000) {
        response?.writeEarlyHints({ link: '</a>; rel=preload' })
        await new Promise((resolve) => setImmediate(resolve))
        vi.advanceTimersByTime(5_000)
      }
      await new Promise((resolve) => setImmediate(resolve))
      expect(failure).toBeUndefined()
      vi.advanceTimersByTime(6_000)
      await sent
      expect(failure).toMatchObject({ failure: 'timeout' })
    })

    it('but not of an answer that has begun', async () => {
      const { upstreams, request } = await setUp((_, response) => response.write('a'), { headersMs: 60_000 })
      stopClocks()
      const { body } = await upstreams.send(request)
      vi.advanceTimersByTime(600_000)
      await new Promise((resolve) => setImmediate(resolve))
      expect(body).toMatchObject({ destroyed: false, errored: null })
      expect(vi.getTimerCount()).toBeGreaterThan(0)
    })
  })

  it('where too many that were given up wait for a connection; none of them keeps its body', async () => {
    const { createRequest, queued, upstreams, url } = queue()
    const body = Buffer.from('a body')
    for (let count = 0; count < 10_000; count++) {
      const abort = new AbortController()
      const sent = upstreams.send(createRequest(body, abort.signal))
      expect(queued.at(-1)?.options.body).toBe(body)
      abort.abort()
      await expect(sent).rejects.toMatchObject({ failure: 'aborted' })
    }
    expect(
      queued.every(({ options }) => options.body === null && Object.keys(options.headers ?? {}).length === 0),
    ).toBe(true)
    await expect(upstreams.send(createRequest(body))).rejects.toMatchObject({ failure: 'unreachable' })
    void upstreams.send({ ...createRequest(body), url: new URL('http://other.example/') })
    expect(queued).toHaveLength(10_001)
    // A connection is free for the first, and the second finds none.
    const [first, second] = queued
    const reasons: unknown[] = []
    first?.handler.onRequestStart?.({ ...CONTROLLER, abort: (reason) => reasons.push(reason) }, {})
    second?.handler.onResponseError?.(CONTROLLER, new Error('no'))
    expect(reasons).toMatchObject([{ failure: 'aborted' }])
    for (let count = 0; count < 2; count++) {
      const abort = new AbortController()
      const sent = upstreams.send({ ...createRequest(body, abort.signal), url })
      abort.abort()
      await expect(sent).rejects.toMatchObject({ failure: 'aborted' })
    }
    await expect(upstreams.send(createRequest(body))).rejects.toMatchObject({ failure: 'unreachable' })
  })

  it('for those that were given up behind others, which then go on', async () => {
    const waiting: ServerResponse[] = []
    const { server, upstreams, request } = await setUp((_, response) => void waiting.push(response), { connections: 1 })
    const first = upstreams.send(request)
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    const abort = new AbortController()
    const post = { ...request, method: 'POST', body: Buffer.from('x'), signal: abort.signal } as const
    const given = [upstreams.send(post), upstreams.send(post)]
    const last = upstreams.send({ ...request, headers: { 'x-last': '1' } })
    abort.abort()
    for (const one of given) await expect(one).rejects.toMatchObject({ failure: 'aborted' })
    waiting[0]?.end('1')
    expect(String((await first).body)).toBe('1')
    await vi.waitFor(() => expect(waiting).toHaveLength(2))
    waiting[1]?.end('2')
    expect(String((await last).body)).toBe('2')
    expect(server.requests).toEqual(['GET /mcp?a=b', 'GET /mcp?a=b'])
  })

  it('with header fields that cannot be sent', async () => {
    const { server, upstreams, request } = await setUp((_, response) => response.end())
    for (const value of ['a\r\nx-evil: 1', 'a\0']) {
      await expect(upstreams.send({ ...request, headers: { 'x-a': value } })).rejects.toMatchObject({
        failure: 'unreachable',
      })
    }
    expect(server.requests).toHaveLength(0)
  })

  it('through a proxy that refuses: its status is said', async () => {
    const proxy = createServer().on('connect', (_, socket) =>
      socket.end('HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n'),
    )
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const uri = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const agent = new ProxyAgent({ uri, proxyTunnel: true })
    const upstreams = createUpstreams(LIMITS, agent)
    closers.push(
      async () => proxy.close(),
      () => agent.destroy(),
    )
    await expect(
      upstreams.send({ url: new URL('http://127.0.0.1:9/mcp'), method: 'GET', headers: {} }),
    ).rejects.toMatchObject({
      failure: 'unreachable',
      message: 'the connection to the upstream failed: the proxy answers 407',
    })
  })

  it('over another protocol', async () => {
    const server = createServer()
    server.on('connection', (socket) =>
      socket.once('data', () =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      ),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const upstreams = createUpstreams(LIMITS)
    closers.push(
      async () => server.close(),
      () => upstreams.close(),
    )
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await expect(upstreams.send({ url, method: 'GET', headers: {} })).rejects.toMatchObject({ failure: 'unreachable' })
  })
})

describe('closing', () => {
  it('lets a request end, and breaks off a stream that does not', async () => {
    let finish: (() => void) | undefined
    const { upstreams, request } = await setUp((message, response) => {
      if (message.url === '/stream') response.write(': a\n\n')
      else finish = () => response.end('done')
    })
    const stream = await upstreams.send({ ...request, url: new URL('/stream', request.url), lasting: true })
    const call = upstreams.send(request)
    await expect.poll(() => finish).toBeDefined()
    const closed = upstreams.close()
    finish?.()
    expect(String((await call).body)).toBe('done')
    await closed
    expect((stream.body as Readable).destroyed).toBe(true)
    await expect(upstreams.send(request)).rejects.toMatchObject({ failure: 'unreachable' })
  })

  it('leaves a dispatcher that was given', async () => {
    const agent = new Agent()
    closers.push(() => agent.close())
    const { request } = await setUp((_, response) => response.end('ok'))
    const upstreams = createUpstreams(LIMITS, agent)
    await upstreams.send(request)
    await upstreams.close()
    expect(agent.closed).toBe(false)
  })
})
