/** Fetching from servers that answer late, too much, elsewhere, or nonsense. */
import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { FetchError } from '../../src/core/errors.ts'
import { boundedFetch, type Fetch, fetchJson, isSecureUrl } from '../../src/net/fetch.ts'
import { type LocalServer, localServer } from './server.ts'

const limits = { timeoutMs: 5_000, maxBytes: 1000 }
const impatient = { timeoutMs: 100, maxBytes: 1000 }
const globalFetch: Fetch = (url, init) => fetch(url, init)

const open: LocalServer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})
async function serve(answer: RequestListener): Promise<LocalServer> {
  const server = await localServer(answer)
  open.push(server)
  return server
}

/** The error of something that must fail. */
async function failure(promise: Promise<unknown>): Promise<FetchError> {
  const error = await promise.then(
    (value) => expect.fail(`came back with ${String(value)}`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(FetchError)
  expect(error).toMatchObject({ code: 'ERR_FETCH' })
  return error as FetchError
}

describe('A6 fetching a whole answer', () => {
  it('has status, headers and body, whatever the status', async () => {
    const { url } = await serve((_, response) => response.writeHead(418, { 'x-a': 'b' }).end('body'))
    const response = await boundedFetch(globalFetch, url, limits)
    expect([response.status, response.headers.get('x-a'), await response.text()]).toEqual([418, 'b', 'body'])
  })

  it.each([204, 205, 304])('has no body with %i', async (status) => {
    const { url } = await serve((_, response) => response.writeHead(status).end())
    const response = await boundedFetch(globalFetch, url, limits)
    expect([response.status, response.body]).toEqual([status, null])
  })

  it('sends what it is told to', async () => {
    const server = await serve((request, response) =>
      request.pipe(response.writeHead(200, { 'x-got': String(request.headers['x-a']) })),
    )
    const response = await boundedFetch(globalFetch, server.url, limits, {
      method: 'POST',
      body: 'hello',
      headers: { 'x-a': '1' },
    })
    expect([response.headers.get('x-got'), await response.text()]).toEqual(['1', 'hello'])
    expect(server.requests).toEqual(['POST /'])
  })

  it('as JSON, asking for it', async () => {
    const { url } = await serve((request, response) => response.end(JSON.stringify({ accept: request.headers.accept })))
    expect(await fetchJson(globalFetch, url, limits)).toEqual({ accept: 'application/json' })
  })

  it('is not JSON, which is not shown', async () => {
    for (const body of ['<html>secret</html>', '', '{', '\xff']) {
      const { url } = await serve((_, response) => response.end(body))
      const { message } = await failure(fetchJson(globalFetch, `${url}/jwks`, limits))
      expect(message).toBe(`${url}/jwks: the answer is not JSON`)
    }
  })

  it.each([201, 204, 304, 401, 404, 500, 503])('is no JSON document with status %i', async (status) => {
    const { url } = await serve((_, response) =>
      response.writeHead(status).end(status === 204 || status === 304 ? undefined : '{}'),
    )
    expect((await failure(fetchJson(globalFetch, url, limits))).message).toBe(`${url}: answered ${status}`)
  })
})

describe('A6 a deadline', () => {
  it('covers a socket that is accepted and never answered', async () => {
    const silent = createTcpServer(() => {})
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const sockets: { destroy(): void }[] = []
    silent.on('connection', (socket) => sockets.push(socket))
    expect((await failure(boundedFetch(globalFetch, url, impatient))).message).toBe(
      `${url}: no whole answer within 100 ms`,
    )
    for (const socket of sockets) socket.destroy()
    silent.close()
  })

  it('covers headers that never come, and closes the connection', async () => {
    let closed: Promise<unknown> | undefined
    const { url } = await serve((request) => {
      closed = once(request.socket, 'close')
    })
    expect((await failure(boundedFetch(globalFetch, url, impatient))).message).toContain('within 100 ms')
    await closed
  })

  it('covers a body that drips for ever, and closes the connection', async () => {
    let closed: Promise<unknown> | undefined
    const { url } = await serve((_, response) => {
      const timer = setInterval(() => response.write('x'), 5)
      closed = once(response, 'close').then(() => clearInterval(timer))
    })
    expect((await failure(boundedFetch(globalFetch, url, impatient))).message).toContain('within 100 ms')
    await closed
  })

  it('covers a body that stops in the middle', async () => {
    const { url } = await serve((_, response) => void response.writeHead(200, { 'content-length': 100 }).write('x'))
    expect((await failure(boundedFetch(globalFetch, url, impatient))).message).toContain('within 100 ms')
  })

  it('covers all redirects together', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/3') return
      setTimeout(() => response.writeHead(302, { location: `/${Number(request.url?.slice(1)) + 1}` }).end(), 10)
    })
    expect((await failure(boundedFetch(globalFetch, `${url}/1`, impatient))).message).toBe(
      `${url}/1: no whole answer within 100 ms`,
    )
  })

  it("covers a fetch of the user's own that does not listen to the signal", async () => {
    const deaf: Fetch = () => new Promise(() => {})
    expect((await failure(boundedFetch(deaf, 'https://a.example/', impatient))).message).toBe(
      'https://a.example/: no whole answer within 100 ms',
    )
    const silentBody: Fetch = async () => new Response(new ReadableStream())
    expect((await failure(boundedFetch(silentBody, 'https://a.example/', impatient))).message).toContain(
      'within 100 ms',
    )
  })
})

describe('A6 a size limit', () => {
  const answers: Record<string, (response: ServerResponse, size: number) => unknown> = {
    declared: (response, size) => response.writeHead(200, { 'content-length': size }).end('x'.repeat(size)),
    chunked: (response, size) => {
      for (let sent = 0; sent < size; sent += 100) response.write('x'.repeat(Math.min(100, size - sent)))
      response.end()
    },
  }

  it.each(Object.entries(answers))('holds for a %s body', async (_, answer) => {
    const { url } = await serve((request, response) => answer(response, Number(request.url?.slice(1))))
    expect((await (await boundedFetch(globalFetch, `${url}/1000`, limits)).text()).length).toBe(1000)
    expect((await failure(boundedFetch(globalFetch, `${url}/1001`, limits))).message).toBe(
      `${url}/1001: more than 1000 bytes`,
    )
  })

  it('holds for a body without end, which is broken off', async () => {
    let closed: Promise<unknown> | undefined
    const { url } = await serve((_, response) => {
      closed = once(response, 'close')
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect((await failure(boundedFetch(globalFetch, url, limits))).message).toContain('more than 1000 bytes')
    await closed
  })

  it('counts what a compressed body becomes', async () => {
    const { gzipSync } = await import('node:zlib')
    const { url } = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(1_000_000))),
    )
    expect((await failure(boundedFetch(globalFetch, url, limits))).message).toContain('more than 1000 bytes')
  })
})

describe('A6 redirects', () => {
  it('are followed, relative ones too, up to three', async () => {
    const server = await serve((request, response) => {
      const hop = Number(request.url?.slice(1))
      if (hop === 3) response.end('there')
      else
        response.writeHead([301, 302, 307][hop] ?? 308, { location: hop === 1 ? `./${hop + 1}` : `/${hop + 1}` }).end()
    })
    expect(await (await boundedFetch(globalFetch, `${server.url}/0`, limits)).text()).toBe('there')
    expect(server.requests).toEqual(['GET /0', 'GET /1', 'GET /2', 'GET /3'])
    expect((await failure(boundedFetch(globalFetch, `${server.url}/-1`, limits))).message).toContain(
      'more than 3 redirects',
    )
  })

  it('end where they go round in a circle', async () => {
    const server = await serve((_, response) => response.writeHead(302, { location: '/' }).end())
    expect((await failure(boundedFetch(globalFetch, `${server.url}/?key=SECRET`, limits))).message).toBe(
      `${server.url}/: more than 3 redirects`,
    )
    expect(server.requests).toHaveLength(4)
  })

  it('a redirect without a location is an answer', async () => {
    const { url } = await serve((_, response) => response.writeHead(302).end('no'))
    expect((await boundedFetch(globalFetch, url, limits)).status).toBe(302)
  })

  it.each([
    ['https://idp.example/a?key=SECRET', 'http://idp.example/b', 'https://idp.example/a: redirects away from https'],
    ['HTTPS://idp.example/a', 'http://idp.example/b', 'HTTPS://idp.example/a: redirects away from https'],
    ['https://idp.example/a', 'http://127.0.0.1/b', 'redirects away from https'],
    ['https://idp.example/a', '//idp.example/b', ''],
    ['https://idp.example/a', 'HTTPS://other.example/b', ''],
    ['https://idp.example/a', 'file:///etc/passwd', 'redirects away from https'],
    ['https://idp.example/a', 'data:application/json,{}', 'redirects away from https'],
    ['http://127.0.0.1/a', 'file:///etc/passwd', 'redirects away from https'],
    ['https://idp.example/a', 'http://', 'redirects to what is not a URL'],
    ['https://idp.example/a', 'https://[x', 'redirects to what is not a URL'],
  ])('from %s to %s: %j', async (from, to, problem) => {
    const asked: string[] = []
    const redirecting: Fetch = async (url) => {
      asked.push(url)
      return url === from ? new Response(null, { status: 302, headers: { location: to } }) : new Response('there')
    }
    if (problem === '') {
      expect(await (await boundedFetch(redirecting, from, limits)).text()).toBe('there')
      expect(asked).toEqual([from, new URL(to, from).href])
    } else {
      expect((await failure(boundedFetch(redirecting, from, limits))).message).toContain(problem)
      expect(asked).toEqual([from])
    }
  })

  it('that leave https in the second step are refused too', async () => {
    const hops: Record<string, string> = {
      'https://a.example/': 'https://b.example/',
      'https://b.example/': 'http://b.example/',
    }
    const redirecting: Fetch = async (url) =>
      new Response(null, { status: 307, headers: { location: hops[url] ?? '' } })
    expect((await failure(boundedFetch(redirecting, 'https://a.example/', limits))).message).toBe(
      'https://b.example/: redirects away from https',
    )
  })
})

describe('A8 a redirect that is refused', () => {
  it.each([301, 302, 303, 307, 308])('with %i: nothing goes there', async (status) => {
    const elsewhere = await serve((_, response) => response.end('there'))
    const { url } = await serve((_, response) => response.writeHead(status, { location: elsewhere.url }).end())
    const init = { method: 'POST', body: 'secret', redirect: 'error' } as const
    expect((await failure(boundedFetch(globalFetch, `${url}/token?key=SECRET`, limits, init))).message).toBe(
      `${url}/token: redirects, which is not followed here`,
    )
    expect(elsewhere.requests).toEqual([])
  })

  it('any other answer is one', async () => {
    const { url } = await serve((_, response) => response.writeHead(400).end('no'))
    expect((await boundedFetch(globalFetch, url, limits, { redirect: 'error' })).status).toBe(400)
  })
})

describe('G9 a fetch that is given up', () => {
  it('while the server thinks: the connection is closed', async () => {
    const stop = new AbortController()
    let closed: Promise<unknown> | undefined
    const { url } = await serve((request) => {
      closed = once(request.socket, 'close')
      stop.abort(new Error('enough'))
    })
    const error = await failure(boundedFetch(globalFetch, `${url}/a?key=SECRET`, limits, { signal: stop.signal }))
    expect(error.message).toBe(`${url}/a: given up`)
    await closed
  })

  it('while the body comes', async () => {
    const stop = new AbortController()
    const { url } = await serve((_, response) => {
      response.write('x')
      setTimeout(() => stop.abort(), 20)
    })
    expect((await failure(boundedFetch(globalFetch, url, limits, { signal: stop.signal }))).message).toContain(
      'given up',
    )
  })

  it('before it began: nothing is sent', async () => {
    const server = await serve((_, response) => response.end())
    const init = { signal: AbortSignal.abort() }
    expect((await failure(boundedFetch(globalFetch, server.url, limits, init))).message).toContain('given up')
    expect((await failure(boundedFetch(() => new Promise(() => {}), server.url, limits, init))).message).toContain(
      'given up',
    )
    expect(server.requests).toEqual([])
  })

  it("by a caller, although a fetch of the user's own does not listen", async () => {
    const stop = new AbortController()
    const fetching = boundedFetch(() => new Promise(() => {}), 'https://a.example/', limits, { signal: stop.signal })
    stop.abort()
    expect((await failure(fetching)).message).toBe('https://a.example/: given up')
  })

  it('by nobody: the deadline holds still, and an answer is one', async () => {
    const { signal } = new AbortController()
    const hanging = await serve(() => {})
    expect((await failure(boundedFetch(globalFetch, hanging.url, impatient, { signal }))).message).toContain(
      'within 100 ms',
    )
    const { url } = await serve((_, response) => response.end('there'))
    expect(await (await boundedFetch(globalFetch, url, limits, { signal })).text()).toBe('there')
  })
})

describe('A6 what went wrong is said usefully, and without secrets', () => {
  async function closedPort(): Promise<number> {
    const server = await localServer(() => {})
    const port = Number(new URL(server.url).port)
    await server.close()
    return port
  }

  it.each(['127.0.0.1', 'localhost'])('a connection to %s that is refused', async (host) => {
    const port = await closedPort()
    const { message } = await failure(
      boundedFetch(globalFetch, `http://${host}:${port}/jwks?key=SECRET#SECRET`, limits),
    )
    expect(message).toContain(`http://${host}:${port}/jwks: `)
    expect(message).toContain('ECONNREFUSED')
    expect(message).toContain(`:${port}`)
    expect(message).not.toContain('SECRET')
  })

  it('a connection that is cut', async () => {
    const { url } = await serve((request) => request.socket.destroy())
    expect((await failure(boundedFetch(globalFetch, url, limits))).message).toMatch(
      /: (?:other side closed|socket hang up|.*ECONNRESET)/,
    )
  })

  it('an answer that is not HTTP', async () => {
    const { url } = await serve((request) => void request.socket.end('220 smtp.example ESMTP\r\n'))
    expect((await failure(boundedFetch(globalFetch, url, limits))).message).toMatch(/: .*(?:HTTP|Expected)/)
  })

  it.each([
    'http://user:SECRET@127.0.0.1:9/x?key=SECRET',
    'https://SECRET@idp.example/',
    'SECRET://x',
    'http://h:99999/?key=SECRET',
    'http:/user:SECRET@idp.example/',
  ])('%s', async (url) => {
    const { message } = await failure(boundedFetch(globalFetch, url, limits))
    expect(message.replace(/^SECRET:/, '')).not.toContain('SECRET')
  })

  it("an error of the user's own fetch", async () => {
    const broken: Fetch = async (url) => {
      throw new Error(`proxy says no to ${url}`)
    }
    expect((await failure(boundedFetch(broken, 'https://u:SECRET@a.example/x?key=SECRET', limits))).message).toBe(
      'https://a.example/x: proxy says no to https://a.example/x',
    )
    const throwing: Fetch = () => {
      throw 'text'
    }
    expect((await failure(boundedFetch(throwing, 'https://a.example/', limits))).message).toBe(
      'https://a.example/: text',
    )
  })

  it('keeps the cause', async () => {
    const cause = new Error('inner')
    expect((await failure(boundedFetch(() => Promise.reject(cause), 'https://a.example/', limits))).cause).toBe(cause)
  })
})

describe('A6 secure URLs', () => {
  it.each([
    'https://a.example',
    'HTTPS://A.example:8443/x?y',
    'http://localhost:3000',
    'http://LOCALHOST',
    'http://127.0.0.1/',
    'http://127.1/',
    'http://127.9.9.9/',
    'http://0x7f.1/',
    'http://[::1]:80/',
    'http://[0:0::1]/',
  ])('%s is one', (url) => {
    expect(isSecureUrl(url)).toBe(true)
  })

  it.each([
    'http://a.example',
    'http://localhost.evil.example',
    'http://evil.example/localhost',
    'http://localhost@evil.example',
    'http://127.0.0.1.evil.example',
    'http://127.evil.example',
    'http://10.0.0.1',
    'http://0.0.0.0',
    'http://[::ffff:127.0.0.1]',
    'http://[::2]',
    'ws://localhost',
    'ftp://localhost',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'localhost:3000',
    '//localhost',
    '/x',
    '',
    'https://',
  ])('%s is none', (url) => {
    expect(isSecureUrl(url)).toBe(false)
  })
})
