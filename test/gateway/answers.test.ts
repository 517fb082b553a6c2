/** What callers are told: every line of the design's table of answers that is about MCP. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { StoreError, type TokenStore } from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { ask, callTool, EVERYTHING, initialize, openSession, rpc, send, startWorld, type World } from './world.ts'

async function upstream(options: Parameters<typeof startSdk2Server>[0] = {}) {
  const server = await startSdk2Server(options)
  onTestFinished(() => server.close())
  return server
}

const none = { type: 'none' } as const

describe('callers', () => {
  test('B4 no token is answered 401 with the metadata, and without an error', async () => {
    const world = await startWorld({ servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } } })
    const answer = await rpc(world.endpoint('dev/one'), { body: initialize() })
    expect(answer.status).toBe(401)
    const challenge = answer.headers.get('www-authenticate') ?? ''
    expect(challenge).toMatch(/^Bearer /)
    expect(challenge).not.toContain('error')
    const [, metadata = ''] = /resource_metadata="([^"]+)"/.exec(challenge) ?? []
    expect(await (await fetch(metadata)).json()).toMatchObject({
      resource: world.endpoint('dev/one'),
      authorization_servers: [world.provider.issuer],
    })
  })

  test('B4 bad tokens of every kind are answered 401 invalid_token', async () => {
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      access: [EVERYTHING],
    })
    const past = Math.floor(Date.now() / 1000) - 600
    const bad = [
      'nonsense',
      await world.jwt('alice', { exp: past }),
      await world.jwt('alice', { aud: 'another-api' }),
      await world.jwt('alice', { iss: 'https://evil.test' }),
      `${(await world.jwt('alice')).slice(0, -4)}AAAA`,
      'spt_person_0000000000000000000000000000',
    ]
    for (const token of bad) {
      const answer = await rpc(world.endpoint('dev/one'), { token, body: initialize() })
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toMatch(/resource_metadata=.*error="invalid_token"/)
    }
  })

  test('a grant to anonymous opens a server to those without a token, and no other', async () => {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'public/wiki': { url: wiki.url, auth: none }, 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'anonymous', on: 'public/*' }],
    })
    expect((await rpc(world.endpoint('public/wiki'), { body: initialize() })).status).toBe(200)
    expect((await rpc(world.endpoint('dev/one'), { body: initialize() })).status).toBe(401)
    expect((await rpc(world.endpoint('dev/none'), { body: initialize() })).status).toBe(401)
    // Whoever brings a token is somebody, or nobody at all.
    expect((await rpc(world.endpoint('public/wiki'), { token: 'nonsense', body: initialize() })).status).toBe(401)
  })

  test('nobody in particular gets no link for a server of the users’ own accounts, but 401', async () => {
    const world = await startWorld({
      servers: {
        'dev/github': {
          url: 'http://127.0.0.1:9/mcp',
          auth: { type: 'oauth2', clientId: 'x', authorizationUrl: 'https://x.test/a', tokenUrl: 'https://x.test/t' },
        },
        'core/orders': { url: 'http://127.0.0.1:9/mcp', auth: { type: 'passthrough' } },
      },
      signIn: 'link',
      access: [{ to: 'anonymous', on: '*' }],
    })
    for (const name of ['dev/github', 'core/orders']) {
      const plain = await rpc(world.endpoint(name), { body: initialize() })
      expect([plain.status, plain.text.includes('connect')]).toEqual([401, false])
      const headers = { 'x-tfy-mcp-headers': '{"x-other":"1"}' }
      const other = await rpc(world.endpoint(name), { headers, body: initialize() })
      expect([other.status, other.text.includes('/connect/')]).toEqual([401, false])
    }
  })

  test('an identity provider that cannot be reached is 503, with Retry-After', async () => {
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      access: [EVERYTHING],
    })
    const token = await world.jwt('alice')
    world.provider.mode = 'refuse'
    const answer = await rpc(world.endpoint('dev/one'), { token, body: initialize() })
    expect([answer.status, Number(answer.headers.get('retry-after')) > 0]).toEqual([503, true])
  })

  test('a store that cannot be reached is 503 for API keys, never 401 and never a pass', async () => {
    const wiki = await upstream()
    const inner = memoryStore()
    let down = false
    const store = {
      ...inner,
      get: async (key) => {
        if (down) throw new StoreError('the store is away')
        return inner.get(key)
      },
    } satisfies TokenStore
    const world = await startWorld({
      store,
      virtualAccounts: { ci: {} },
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'virtual-account:ci', on: '*' }],
    })
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    down = true
    const answer = await rpc(world.endpoint('dev/one'), { token: key, body: initialize() })
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([503, true])
    down = false
    expect((await rpc(world.endpoint('dev/one'), { token: key, body: initialize() })).status).toBe(200)
  })
})

describe('access', () => {
  test('an unknown server and one without a role look exactly alike', async () => {
    const world = await startWorld({
      servers: {
        'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none },
        'dev/two': { url: 'http://127.0.0.1:9/mcp', auth: none },
      },
      access: [{ to: 'user:corp/bob@example.com', on: '*' }],
    })
    const token = await world.jwt('alice')
    const seen = await Promise.all(
      ['dev/one', 'dev/six'].flatMap((name) =>
        (['POST', 'GET', 'DELETE', 'PUT'] as const).map(async (method) => {
          const body = method === 'POST' ? initialize() : undefined
          const { status, headers, text } = await rpc(world.endpoint(name), { method, token, body })
          return [method, status, [...headers.keys()].sort().join(), text.replaceAll(name, 'dev/x')]
        }),
      ),
    )
    expect(seen.slice(4)).toEqual(seen.slice(0, 4))
    expect(seen[0]?.[1]).toBe(404)
    expect(seen[0]?.[3]).toContain('"jsonrpc":"2.0"')
  })

  test('G15 tools that are not granted look like tools that do not exist, and lists leave them out', async () => {
    for (const answers of ['json', 'sse'] as const) {
      const wiki = await upstream({ answers })
      const world = await startWorld({
        servers: { 'dev/one': { url: wiki.url, auth: none } },
        access: [{ to: 'user:corp/*', on: 'dev/*', tools: ['ec*'] }],
      })
      const token = await world.jwt('alice')
      const url = world.endpoint('dev/one')
      const headers = await openSession(url, token)
      const denied = await rpc(url, { token, headers, body: callTool('add', { a: 1, b: 2 }) })
      const unknown = await rpc(url, { token, headers, body: callTool('nil', { a: 1, b: 2 }) })
      expect(denied.status).toBe(200)
      expect(denied.json).toEqual({ jsonrpc: '2.0', id: 1, error: { code: -32602, message: 'Unknown tool: add' } })
      expect(denied.text.replaceAll('add', 'nil')).toBe(unknown.text)
      expect([...denied.headers.keys()].sort()).toEqual([...unknown.headers.keys()].sort())
      const listed = await rpc(url, { token, headers, body: ask('tools/list') })
      expect(listed.json.result.tools.map(({ name }: { name: string }) => name)).toEqual(['echo'])
      // Naming tools grants nothing else.
      const prompts = await rpc(url, { token, headers, body: ask('prompts/list') })
      expect(prompts.json.result.prompts).toEqual([])
      const read = await rpc(url, { token, headers, body: ask('resources/read', { uri: 'test://x' }) })
      expect(read.json.error.message).toBe('Resource not found')
      expect(wiki.calls.filter(({ rpc: method }) => method === 'tools/call')).toEqual([])
    }
  })

  test('G15 argument values that are not granted are refused, and so is a call without them', async () => {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'user:corp/*', on: 'dev/*', tools: ['echo'], arguments: { text: ['public/*'] } }],
    })
    const token = await world.jwt('alice')
    const url = world.endpoint('dev/one')
    const headers = await openSession(url, token)
    const say = (args: object) => rpc(url, { token, headers, body: callTool('echo', args) })
    expect((await say({ text: 'public/a' })).json.result.content[0].text).toBe('public/a')
    expect((await say({ text: 'secret/a' })).json.error.code).toBe(-32602)
    expect((await say({})).json.error.code).toBe(-32602)
    expect((await say({ text: 'public/../secret' })).json.error.code).toBe(-32602)
    const event = await world.told(({ reason }) => reason === 'argument')
    expect(event).toMatchObject({ outcome: 'denied', rule: { index: 0 }, detail: 'the argument "text"' })
  })

  test('a denied call in a batch refuses the batch, and every request of it is answered', async () => {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'user:corp/*', on: 'dev/*', tools: ['echo'] }],
    })
    const token = await world.jwt('alice')
    const body = [callTool('echo', { text: 'a' }, 1), callTool('add', {}, 2)]
    const answer = await rpc(world.endpoint('dev/one'), { token, body })
    expect(answer.status).toBe(200)
    expect(answer.json.map(({ id, error }: { id: number; error: { code: number } }) => [id, error.code])).toEqual([
      [1, -32600],
      [2, -32602],
    ])
    expect(wiki.calls).toEqual([])
  })

  test('a message with two readings is refused before anybody reads it', async () => {
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      access: [{ to: 'user:corp/*', on: 'dev/*', tools: ['ok'] }],
    })
    const token = await world.jwt('alice')
    for (const params of [
      '{"name":"ok","Name":"evil"}',
      '{"name":"ok","name":"evil"}',
      '{"name":"ok","name\\u0000":"evil"}',
    ]) {
      const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`
      expect((await rpc(world.endpoint('dev/one'), { token, body })).status).toBe(400)
    }
  })

  test('a method that nobody knows takes a grant of everything', async () => {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [
        { to: 'user:corp/alice@example.com', on: 'dev/*', tools: ['echo'] },
        { to: 'user:corp/bob@example.com', on: 'dev/*' },
      ],
    })
    const url = world.endpoint('dev/one')
    for (const [name, calls] of [
      ['alice', 0],
      ['bob', 1],
    ] as const) {
      const token = await world.jwt(name)
      const headers = await openSession(url, token)
      const answer = await rpc(url, { token, headers, body: ask('tools/run', { name: 'add' }) })
      expect(answer.json.error).toMatchObject({ code: -32601 })
      expect(wiki.calls.filter(({ rpc: method }) => method === 'tools/run')).toHaveLength(calls)
    }
  })

  test('G4 a function decides in place of the grants, gives roles of its own, and fails closed', async () => {
    const wiki = await upstream()
    let broken = false
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none }, 'dev/two': { url: wiki.url, auth: none } },
      access: [{ to: 'user:corp/*', on: 'dev/two' }],
      decide: async ({ server, wanted }) => {
        if (broken) throw new Error('the policy server is away')
        return server === 'dev/one' && (wanted.kind === 'connect' || (wanted.kind === 'tool' && wanted.name === 'echo'))
      },
    })
    const token = await world.jwt('alice')
    const url = world.endpoint('dev/one')
    const headers = await openSession(url, token)
    expect((await rpc(url, { token, headers, body: callTool('echo', { text: 'a' }) })).json.result).toBeDefined()
    expect((await rpc(url, { token, headers, body: callTool('add', { a: 1, b: 1 }) })).json.error.code).toBe(-32602)
    const listed = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(listed.json.result.tools.map(({ name }: { name: string }) => name)).toEqual(['echo'])
    expect((await rpc(world.endpoint('dev/two'), { token, body: initialize() })).status).toBe(404)
    broken = true
    const failed = await rpc(url, { token, headers, body: ask('tools/list') })
    expect([failed.status, failed.headers.has('retry-after')]).toEqual([503, true])
  })
})

describe('requests', () => {
  async function open(
    options: Partial<Parameters<typeof startWorld>[0]> = {},
  ): Promise<{ world: World; url: string; token: string }> {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none, id: 'one' } },
      access: [EVERYTHING],
      ...options,
    })
    return { world, url: world.endpoint('dev/one'), token: await world.jwt('alice') }
  }

  test('what is no MCP request is refused with the status that says why', async () => {
    const { url, token } = await open({ limits: { maxBodyBytes: 2048 } })
    const statuses = await Promise.all([
      rpc(url, { token, method: 'PUT', body: '{}' }),
      rpc(url, { token, body: '{' }),
      rpc(url, { token, body: '[]' }),
      rpc(url, { token, body: 'x'.repeat(3000) }),
      rpc(url, { token, body: '{}', headers: { 'content-type': 'text/plain' } }),
      rpc(url, { token, body: '{}', headers: { 'content-encoding': 'gzip' } }),
      rpc(url, { token }),
      rpc(url, { token, body: initialize(), headers: { origin: 'https://evil.test' } }),
    ])
    expect(statuses.map(({ status }) => status)).toEqual([405, 400, 400, 413, 415, 415, 415, 403])
  })

  test('a body without a length that grows too long is refused while it comes', async () => {
    const { url, token } = await open({ limits: { maxBodyBytes: 2048 } })
    async function* endless() {
      for (;;) yield Buffer.alloc(1024, 0x20)
    }
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: endless() as unknown as ReadableStream,
      duplex: 'half',
    } as RequestInit).catch((error: unknown) => error)
    if (response instanceof Response) expect(response.status).toBe(413)
    else expect(response).toBeInstanceOf(TypeError)
  })

  test('G19 the endpoint by id is the same server', async () => {
    const { world, token } = await open()
    expect((await rpc(`${world.origin}/api/llm/mcp/one/server`, { token, body: initialize() })).status).toBe(200)
    expect((await rpc(`${world.origin}/api/llm/mcp/two/server`, { token, body: initialize() })).status).toBe(404)
    expect(world.gateway.endpoints()).toEqual([
      {
        server: 'dev/one',
        urls: [`${world.origin}/mcp/dev/one/server`, `${world.origin}/api/llm/mcp/one/server`],
        auth: 'none',
      },
    ])
  })

  test('what is not the gateway’s goes on to the application', async () => {
    const { world } = await open()
    for (const path of ['/', '/mcp', '/mcp/dev/one', '/elsewhere/%2f']) {
      expect((await fetch(`${world.origin}${path}`)).headers.get('x-app')).toBe('reached')
    }
    for (const path of ['/mcp/dev/one//server', '/mcp/dev%2fone/server', '/mcp/dev/one/server;x']) {
      const answer = await fetch(`${world.origin}${path}`)
      expect([path, answer.status, answer.headers.has('x-app')]).toEqual([path, 400, false])
    }
  })

  test('a session belongs to its caller and its server', async () => {
    const { world, url, token } = await open()
    const headers = await openSession(url, token)
    const bob = await world.jwt('bob')
    const cases = [
      { token: bob, headers },
      { token, headers: { ...headers, 'mcp-session-id': 'made-up' } },
    ]
    for (const each of cases) {
      const answer = await rpc(url, { ...each, body: ask('tools/list') })
      expect([answer.status, answer.json.id]).toEqual([404, 1])
    }
    expect((await rpc(url, { token, headers, body: ask('tools/list') })).status).toBe(200)
    expect((await rpc(url, { token, headers, method: 'DELETE' })).status).toBeLessThan(300)
  })

  test('upstreams that cannot be reached, are slow, or talk nonsense are 502, 504 and 502 with the request’s id', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/slow') return
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const servers = {
      'dev/away': { url: 'http://127.0.0.1:9/mcp', auth: none },
      'dev/slow': { url: `http://127.0.0.1:${port}/slow`, auth: none },
      'dev/odd': { url: `http://127.0.0.1:${port}/odd`, auth: none },
    } as const
    const patient = await startWorld({ servers, access: [EVERYTHING] })
    const hasty = await startWorld({ servers, access: [EVERYTHING], limits: { answerMs: 200 } })
    const answers = await Promise.all(
      (
        [
          ['dev/away', patient],
          ['dev/slow', hasty],
          ['dev/odd', patient],
        ] as const
      ).map(async ([name, world]) =>
        rpc(world.endpoint(name), { token: await world.jwt('alice'), body: ask('ping', {}, 'p-1') }),
      ),
    )
    expect(answers.map(({ status, json }) => [status, json.id])).toEqual([
      [502, 'p-1'],
      [504, 'p-1'],
      [502, 'p-1'],
    ])
  })

  test('after close() requests are answered 503', async () => {
    const { world, url, token } = await open()
    await world.gateway.close()
    const answer = await send(url, { token, body: initialize() })
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([503, true])
  })
})
