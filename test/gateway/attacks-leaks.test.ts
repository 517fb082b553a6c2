/** Credentials where they do not belong: answers, errors, audit, warnings, redirects, other servers (G7, G8, G10, G17, G18). */
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { done, event, listen, startConsentWorld, startStub } from './attack-parts.ts'
import { ask, callTool, EVERYTHING, initialize, openSession, rpc, send, startWorld } from './world.ts'

const KEY = 'shared-key-0123456789'
const SHARED = {
  type: 'header',
  headers: { authorization: 'Bearer {{key}}', 'x-api-key': '{{key}}' },
  values: { key: KEY },
} as const

/** All that the process writes on the side. */
function overhear(): () => string {
  const said: string[] = []
  const onWarning = (warning: Error) => void said.push(`${warning.name} ${warning.message} ${warning.stack}`)
  process.on('warning', onWarning)
  const { stdout, stderr } = process
  const writes = [stdout, stderr].map((stream) => {
    const { write } = stream
    stream.write = ((...args: Parameters<typeof write>) => {
      said.push(String(args[0]))
      return write.apply(stream, args)
    }) as typeof write
    return () => {
      stream.write = write
    }
  })
  onTestFinished(() => {
    process.off('warning', onWarning)
    for (const restore of writes) restore()
  })
  return () => said.join('\n')
}

describe('a shared key', () => {
  test('is in no answer, error, event or warning, whatever the upstream does', async () => {
    const heard = overhear()
    const stub = await startStub()
    const world = await startWorld({ servers: { 'data/hub': { url: stub.url, auth: SHARED } }, access: [EVERYTHING] })
    const token = await world.jwt('alice')
    const url = world.endpoint('data/hub')
    const said: string[] = []
    const answers: (typeof stub)['answer'][] = [
      (_, response) => done(response.writeHead(401, { 'www-authenticate': `Bearer realm="${KEY}"` }).end(KEY)),
      (_, response) =>
        done(response.writeHead(403, { 'www-authenticate': `Bearer error="insufficient_scope", x="${KEY}"` }).end()),
      (_, response) => done(response.writeHead(500, { 'x-echo': KEY }).end(`stack trace with ${KEY}`)),
      (_, response) => done(response.writeHead(302, { location: `https://evil.test/?key=${KEY}` }).end()),
      (_, response) => done(response.writeHead(200, { 'content-type': `text/html; x=${KEY}` }).end(KEY)),
      (_, response) =>
        done(response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': KEY }).end('{}')),
      (request) => done(request.socket.destroy()),
      (_, response) =>
        done(
          response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': `${KEY}\u00e9` }).end('{}'),
        ),
    ]
    for (const answer of answers) {
      stub.answer = answer
      for (const body of [initialize(), ask('tools/list'), callTool('ok')]) {
        const got = await rpc(url, { token, body })
        said.push(got.text, JSON.stringify([...got.headers]))
        expect(got.status >= 400 || got.text === '{}').toBe(true)
      }
    }
    stub.answer = () => false
    expect((await rpc(url, { token, body: callTool('ok') })).status).toBe(200)
    expect(stub.tokens()).toEqual(stub.tokens().map(() => `Bearer ${KEY}`))
    expect(said.join()).not.toContain(KEY)
    expect(JSON.stringify(world.audits)).not.toContain(KEY)
    expect(
      JSON.stringify(await world.gateway.explain({ ...(await me(world.gateway, token)) }, 'data/hub')),
    ).not.toContain(KEY)
    expect(heard()).not.toContain(KEY)
  })

  test('is not followed to where an upstream redirects, on the same host or another', async () => {
    const other = await startStub()
    const stub = await startStub()
    const world = await startWorld({ servers: { 'data/hub': { url: stub.url, auth: SHARED } }, access: [EVERYTHING] })
    const token = await world.jwt('alice')
    for (const status of [301, 302, 303, 307, 308]) {
      for (const location of [other.url, `${stub.url}/elsewhere`, `//127.0.0.1:${other.port}/`, 'http://[::1]:1/']) {
        stub.answer = (_, response) => done(response.writeHead(status, { location }).end())
        for (const request of [{ body: callTool('ok') }, { method: 'GET' }, { method: 'GET', headers: await none() }]) {
          const answer = await rpc(world.endpoint('data/hub'), { token, ...request })
          expect([answer.status, answer.headers.has('location'), answer.text.includes(String(other.port))]).toEqual([
            502,
            false,
            false,
          ])
        }
      }
    }
    expect(other.requests).toEqual([])
    expect(stub.requests.every(({ headers }) => headers.host === `127.0.0.1:${stub.port}`)).toBe(true)
  })

  async function none(): Promise<Record<string, string>> {
    return { 'last-event-id': 'x' }
  }

  test('of a server is not sent to another one by a caller’s headers', async () => {
    const [hub, open] = [await startStub(), await startStub()]
    const world = await startWorld({
      servers: { 'data/hub': { url: hub.url, auth: SHARED }, 'data/open': { url: open.url, auth: { type: 'none' } } },
      access: [EVERYTHING],
    })
    const token = await world.jwt('alice')
    for (const headers of [
      { 'x-tfy-mcp-headers': `{"host":"127.0.0.1:${open.port}"}` },
      { 'x-tfy-mcp-headers': `{"x-forwarded-host":"127.0.0.1:${open.port}"}` },
      { 'x-forwarded-host': `127.0.0.1:${open.port}`, forwarded: `host=127.0.0.1:${open.port}` },
      { 'x-original-url': '/mcp/data/open/server', 'x-rewrite-url': '/mcp/data/open/server' },
    ]) {
      await rpc(world.endpoint('data/hub'), { token, headers: headers as Record<string, string>, body: callTool('ok') })
    }
    expect(open.requests).toEqual([])
    await rpc(world.endpoint('data/open'), { token, body: callTool('ok') })
    expect(open.tokens()).toEqual([''])
  })
})

async function me(gateway: Awaited<ReturnType<typeof startWorld>>['gateway'], token: string) {
  const identity = await gateway.identify(`Bearer ${token}`)
  if (identity === null) throw new Error('nobody')
  return identity
}

describe('a person’s token', () => {
  test('for an upstream is in no answer, event, warning or page, from consent to the end', async () => {
    const heard = overhear()
    const { world, url, notes, provider, connect } = await startConsentWorld()
    const seen = new Set<string>()
    const note = () => {
      for (const each of [provider.last.accessToken, provider.last.refreshToken ?? '']) if (each !== '') seen.add(each)
    }
    const token = await connect('alice')
    note()
    const texts: string[] = []
    const take = async (body: object | object[]) => {
      const answer = await rpc(url, { token, body })
      texts.push(answer.text, JSON.stringify([...answer.headers]))
      return answer
    }
    expect((await take(callTool('ok'))).json.result).toBeDefined()
    // Refused, renewed, refused for good; then ended.
    provider.endAccessTokens()
    expect((await take(callTool('ok'))).json.result).toBeDefined()
    note()
    provider.endAccessTokens()
    provider.endRefreshTokens()
    expect((await take(callTool('ok'))).json.error.code).toBe(4011)
    const identity = await me(world.gateway, token)
    texts.push(JSON.stringify(await world.gateway.connections.list(identity)))
    await world.gateway.connections.revoke(identity, 'dev/notes')
    expect(seen.size).toBe(4)
    expect(new Set(notes.tokens()).size).toBeGreaterThanOrEqual(2)
    const all = [...texts, JSON.stringify(world.audits), heard()].join('\n')
    for (const secret of [...seen, 'a-secret-of-the-gateway', token]) expect(all.includes(secret)).toBe(false)
    const codes = provider.asked.flatMap(({ parameters }) => [
      parameters.code,
      parameters.code_verifier,
      parameters.state,
    ])
    for (const code of codes) if (code !== undefined) expect(JSON.stringify(world.audits)).not.toContain(code)
  })

  test('of the gateway reaches no upstream but one it is passed to, in no field', async () => {
    const stubs = { none: await startStub(), header: await startStub(), pass: await startStub() }
    const world = await startWorld({
      servers: {
        'a/none': { url: stubs.none.url, auth: { type: 'none' } },
        'a/header': { url: stubs.header.url, auth: SHARED },
        'a/pass': { url: stubs.pass.url, auth: { type: 'passthrough' } },
      },
      access: [EVERYTHING],
    })
    const token = await world.jwt('alice')
    const headers = {
      cookie: 'session=of-the-browser',
      'proxy-authorization': 'Basic of-the-proxy',
      'x-forwarded-for': '1.2.3.4',
      'x-api-key': 'of-the-caller',
      referer: 'https://internal.example.com/secret',
      'x-custom': 'of-the-caller',
    }
    for (const name of ['a/none', 'a/header', 'a/pass']) {
      const url = world.endpoint(name)
      const session = await openSession(url, token)
      await rpc(`${url}?access_token=${token}`, { token, headers: { ...session, ...headers }, body: callTool('ok') })
      const get = await send(url, { token, headers: { ...session, ...headers }, method: 'GET' })
      await get.body?.cancel()
      await rpc(url, { token, headers: { ...session, ...headers }, method: 'DELETE' })
    }
    const sent = (stub: typeof stubs.none) => JSON.stringify(stub.requests)
    for (const stub of Object.values(stubs)) {
      expect(stub.requests.length).toBeGreaterThanOrEqual(4)
      for (const theirs of ['of-the-browser', 'of-the-proxy', '1.2.3.4', 'of-the-caller', 'internal.example.com']) {
        expect(sent(stub)).not.toContain(theirs)
      }
    }
    expect(sent(stubs.none)).not.toContain(token)
    expect(sent(stubs.header)).not.toContain(token)
    expect(new Set(stubs.pass.tokens())).toEqual(new Set([`Bearer ${token}`]))
    expect(JSON.stringify(world.audits)).not.toContain(token)
  })
})

describe('what an upstream says of itself', () => {
  const HOSTILE = {
    'set-cookie': 'who=mallory; Path=/',
    'www-authenticate': 'Basic realm="type your password"',
    'access-control-allow-origin': '*',
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': '*',
    location: 'https://evil.test/',
    refresh: '0; url=https://evil.test/',
    link: '<https://evil.test/>; rel=preload',
    'strict-transport-security': 'max-age=0',
    'clear-site-data': '"*"',
    'content-security-policy': "default-src 'none'",
    'alt-svc': 'h2="evil.test:443"',
    'service-worker-allowed': '/',
    'x-accel-redirect': '/internal',
    'x-sendfile': '/etc/passwd',
    server: 'upstream/1.0',
    via: '1.1 internal',
    'x-powered-by': 'upstream',
    'proxy-authenticate': 'Basic',
    'mcp-session-id': 'of-the-upstream',
    trailer: 'x',
  }

  test('reaches no client: cookies, challenges, CORS, and what proxies and browsers would act on', async () => {
    const stub = await startStub()
    const world = await startWorld({
      servers: { 'a/one': { url: stub.url, auth: { type: 'none' } } },
      access: [EVERYTHING],
      allowedOrigins: ['https://app.test'],
    })
    const token = await world.jwt('alice')
    const bodies = [initialize(), callTool('ok'), callTool('stream'), ask('tools/list')]
    for (const status of [200, 400, 403, 404, 418, 500]) {
      stub.answer = (request, response, body) => {
        for (const [name, value] of Object.entries(HOSTILE)) response.setHeader(name, value)
        const { id = null, method } = request.method === 'POST' ? JSON.parse(body) : {}
        response.writeHead(status, { 'content-type': 'application/json' })
        const result = method === 'initialize' ? { protocolVersion: '2025-11-25' } : { tools: [] }
        response.end(
          JSON.stringify({
            jsonrpc: '2.0',
            id,
            ...(status < 300 ? { result } : { error: { code: -1, message: 'x' } }),
          }),
        )
        return true
      }
      for (const body of bodies) {
        const answer = await rpc(world.endpoint('a/one'), { token, body, headers: { origin: 'https://app.test' } })
        for (const [name, value] of Object.entries(HOSTILE)) {
          expect([name, answer.headers.get(name)]).not.toEqual([name, value])
        }
        expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.test')
        expect(answer.headers.has('access-control-allow-credentials')).toBe(false)
      }
    }
  })

  test('of caches does not let one in front of the gateway give one caller’s answer to another', async () => {
    const stub = await startStub()
    stub.answer = (request, response, body) => {
      const headers = {
        'cache-control': 'public, max-age=3600, s-maxage=3600',
        etag: '"1"',
        expires: 'Fri, 01 Jan 2100 00:00:00 GMT',
      }
      if (request.method === 'GET') {
        response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' })
        response.end(event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } }))
      } else {
        response.writeHead(200, { ...headers, 'content-type': 'application/json' })
        response.end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result: { tools: [] } }))
      }
      return true
    }
    const world = await startWorld({
      servers: { 'a/one': { url: stub.url, auth: { type: 'none' } } },
      access: [EVERYTHING],
    })
    const token = await world.jwt('alice')
    for (const request of [{ method: 'GET' }, { body: callTool('ok') }, { body: ask('tools/list') }]) {
      const answer = await rpc(world.endpoint('a/one'), { token, ...request })
      expect(answer.status).toBe(200)
      const control = answer.headers.get('cache-control') ?? ''
      expect(control).not.toMatch(/public|s-maxage/)
      expect(control).toMatch(/no-store/)
      expect([answer.headers.get('etag'), answer.headers.get('expires')]).toEqual([null, null])
    }
  })
})

describe('x-tfy-mcp-headers', () => {
  test('is told to nobody: not upstream, not in answers, events or warnings, right or wrong', async () => {
    const heard = overhear()
    const stub = await startStub()
    const world = await startWorld({
      servers: { 'a/one': { url: stub.url, auth: { type: 'none' } } },
      access: [EVERYTHING],
    })
    const token = await world.jwt('alice')
    const secret = 'callers-own-secret-0123456789'
    const texts: string[] = []
    for (const value of [
      `{"authorization":"Bearer ${secret}"}`,
      `{"authorization":"Bearer ${secret}"`,
      `{"authorization":["${secret}"]}`,
      `{"host":"${secret}"}`,
      `{"x y":"${secret}"}`,
      `{"x":"${secret}\\r\\n"}`,
      `"${secret}"`,
      secret,
      `{"x":"1","X":"${secret}"}`,
      `{"a":{"b":"${secret}"}}`,
    ]) {
      const answer = await rpc(world.endpoint('a/one'), {
        token,
        headers: { 'x-tfy-mcp-headers': value },
        body: callTool('ok'),
      })
      texts.push(answer.text)
    }
    expect(stub.requests.map(({ headers }) => [headers.authorization, headers['x-tfy-mcp-headers']])).toEqual([
      [`Bearer ${secret}`, undefined],
    ])
    expect([...texts, JSON.stringify(world.audits), heard()].join()).not.toContain(secret)
  })
})

test('an audit listener that throws leaks nothing and stops nobody', async () => {
  const stub = await startStub()
  const world = await startWorld({ servers: { 'data/hub': { url: stub.url, auth: SHARED } }, access: [EVERYTHING] })
  const warned = once(process, 'warning') as Promise<[Error]>
  world.gateway.on('audit', (told) => {
    throw new Error(`cannot write ${told.type}`)
  })
  const token = await world.jwt('alice')
  expect((await rpc(world.endpoint('data/hub'), { token, body: callTool('ok') })).status).toBe(200)
  const [warning] = await warned
  expect(`${warning.message}${warning.stack}`).not.toContain(KEY)
  const stream = listen(await send(world.endpoint('data/hub'), { token, body: callTool('stream') }))
  await expect.poll(() => stream.text()).toContain('begun')
})
