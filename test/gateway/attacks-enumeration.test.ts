/** What can be found out by asking: servers, tools, people (G4, G15). Answers are compared byte by byte, header fields included. */
import { describe, expect, test } from 'vitest'
import { askRaw, type RawRequest } from '../support/raw-client.ts'
import { modern, startConsentWorld, startStub } from './attack-parts.ts'
import { ask, callTool, initialize, openSession, rpc, startWorld } from './world.ts'

/** A server that `alice` has no role on, and one that does not exist, with names of one length. */
async function open() {
  const stub = await startStub()
  const world = await startWorld({
    servers: {
      'dev/hidden': { url: stub.url, auth: { type: 'none' }, id: 'hidden' },
      'dev/seen': { url: stub.url, auth: { type: 'none' } },
    },
    virtualAccounts: { ci: {} },
    access: [
      { to: 'user:corp/bob@example.com', on: 'dev/hidden' },
      { to: 'user:corp/alice@example.com', on: 'dev/seen', tools: ['ok'], resources: ['note://ok'], prompts: ['ok'] },
    ],
  })
  const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
  const tokens: Record<string, string | undefined> = {
    'with no role': await world.jwt('alice'),
    'with a key': key,
    'with nothing': undefined,
    'with a bad token': 'eyJhbGciOiJub25lIn0.e30.',
    'with an expired token': await world.jwt('alice', { exp: 1 }),
    'with a bad key': `${key}x`,
    'with a revoked key': `spv_${'0'.repeat(49)}`,
  }
  return { stub, world, tokens, port: Number(new URL(world.origin).port) }
}

/** A request but for its target and its caller. */
interface Asked extends RawRequest {
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer as bytes, but for the date and the name that was asked for. */
async function bytesOf(port: number, request: RawRequest, name: string): Promise<string> {
  const answer = await askRaw(port, request)
  const headers = Object.entries(answer.headers).filter(([field]) => field !== 'date')
  return JSON.stringify([answer.status, headers, answer.body.toString('latin1')]).replaceAll(name, '<name>')
}

describe('a server', () => {
  test('that one may not use, and one that does not exist, are answered with the same bytes', async () => {
    const { world, stub, tokens, port } = await open()
    const host = new URL(world.origin).host
    const requests: [string, Asked][] = [
      ...['GET', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'].map((method): [string, Asked] => [
        method,
        { method },
      ]),
      ...[initialize(), initialize('2025-03-26'), ask('tools/list'), callTool('ok'), [ask('ping')], {}, 1].map(
        (body): [string, Asked] => [
          'POST',
          { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } },
        ],
      ),
      ...[modern('server/discover'), modern('tools/list'), modern('tools/call', { name: 'ok' })].map(
        ({ headers, body }): [string, Asked] => [
          'POST',
          { method: 'POST', body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } },
        ],
      ),
      ['POST', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
      ['POST', { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } }],
      ['POST', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', 'mcp-session-id': 'x' } }],
      ['POST', { method: 'POST', body: '{}', headers: { 'x-tfy-mcp-headers': '{' } }],
      ['POST', { method: 'POST', headers: { 'content-length': '99999999', 'content-type': 'application/json' } }],
      ['POST', { method: 'POST', body: '{}', headers: { origin: 'https://evil.test' } }],
      ['OPTIONS', { method: 'OPTIONS', headers: { origin: world.origin, 'access-control-request-method': 'POST' } }],
    ]
    for (const [who, token] of Object.entries(tokens)) {
      for (const [what, request] of requests) {
        for (const pattern of ['/mcp/dev/<name>/server', '/api/llm/mcp/<name>/server']) {
          const both = await Promise.all(
            ['hidden', 'absent'].map((name) =>
              bytesOf(
                port,
                {
                  ...request,
                  target: pattern.replace('<name>', name),
                  headers: {
                    host,
                    ...request.headers,
                    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
                  },
                },
                name,
              ),
            ),
          )
          expect([who, what, both[0]]).toEqual([who, what, both[1]])
        }
      }
    }
    expect(stub.requests).toEqual([])
  }, 40_000)

  test('has metadata whether it exists or not, with the same bytes', async () => {
    const { world, port } = await open()
    const host = new URL(world.origin).host
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) {
      const [one, two] = await Promise.all(
        ['hidden', 'absent'].map((name) =>
          bytesOf(
            port,
            { method, target: `/.well-known/oauth-protected-resource/mcp/dev/${name}/server`, headers: { host } },
            name,
          ),
        ),
      )
      expect(one).toBe(two)
    }
  })

  test('by a token that is for it alone is no more found out than by any other', async () => {
    const { world, port } = await open()
    const host = new URL(world.origin).host
    const asked = async (name: string, at: string) =>
      bytesOf(
        port,
        {
          method: 'POST',
          target: at.replace('<name>', name),
          headers: {
            host,
            'content-type': 'application/json',
            authorization: `Bearer ${await world.jwt('alice', { aud: `${world.origin}/api/llm/mcp/${name}/server` })}`,
          },
          body: JSON.stringify(initialize()),
        },
        name,
      )
    for (const at of ['/api/llm/mcp/<name>/server', '/mcp/dev/<name>/server', '/mcp/dev/seen/server']) {
      expect(await asked('hidden', at)).toBe(await asked('absent', at))
    }
  })

  test('needs no consent to be found: who has no role is told nothing of it', async () => {
    const { world } = await startConsentWorld({ access: [{ to: 'user:corp/bob@example.com', on: '*' }] })
    const port = Number(new URL(world.origin).port)
    const token = await world.jwt('alice')
    for (const body of [initialize(), callTool('ok'), modern('server/discover').body]) {
      const [one, two] = await Promise.all(
        ['notes', 'other'].map((name) =>
          bytesOf(
            port,
            {
              method: 'POST',
              target: `/mcp/dev/${name}/server`,
              headers: {
                host: new URL(world.origin).host,
                authorization: `Bearer ${token}`,
                'content-type': 'application/json',
              },
              body: JSON.stringify(body),
            },
            name,
          ),
        ),
      )
      expect(one).toBe(two)
    }
  })
})

describe('a tool, prompt or resource', () => {
  test('that is not granted, and one that does not exist, are answered with the same bytes in all eras', async () => {
    const { world, tokens, port, stub } = await open()
    const host = new URL(world.origin).host
    const token = tokens['with no role']
    const session = await openSession(world.endpoint('dev/seen'), token)
    const before = stub.requests.length
    const asks = (name: string) => [
      { body: callTool(name) },
      { body: callTool(name), headers: session },
      { body: [callTool(name), ask('ping', undefined, 2)] },
      { body: { ...callTool(name), id: 'x' } },
      { body: ask('prompts/get', { name }) },
      { body: ask('resources/read', { uri: `note://${name}` }) },
      { body: ask('resources/subscribe', { uri: `note://${name}` }) },
      { body: ask('completion/complete', { ref: { type: 'ref/prompt', name }, argument: { name: 'a', value: 'b' } }) },
      modern('tools/call', { name }),
      modern('prompts/get', { name }),
      modern('resources/read', { uri: `note://${name}` }),
      modern('subscriptions/listen', { notifications: { resourceSubscriptions: [`note://${name}`] } }),
    ]
    for (const [index] of asks('x').entries()) {
      // The stub has `evil`, and no `void`.
      const both = await Promise.all(
        ['evil', 'void'].map((name) => {
          const { body, headers = {} } = asks(name)[index] as { body: object; headers?: Record<string, string> }
          const request = {
            method: 'POST',
            target: '/mcp/dev/seen/server',
            headers: { host, authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
            body: JSON.stringify(body),
          }
          return bytesOf(port, request, name)
        }),
      )
      expect([index, both[0]]).toEqual([index, both[1]])
      expect(both[0]).toMatch(/^\[200/)
    }
    expect(stub.requests.length).toBe(before)
  })
})

describe('a person', () => {
  test('is not found out by consent links: used, expired, made up and somebody else’s say no names', async () => {
    const { world, link, browserOf } = await startConsentWorld()
    const made = await link(await world.jwt('alice'))
    const foreign = await browserOf('bob').load(made)
    expect([foreign.status, /alice|Notes|dev\/notes/.test(foreign.body)]).toEqual([403, false])
    const alice = browserOf('alice')
    const page = await alice.load(made)
    expect((await alice.submit(page, {})).status).toBe(200)
    const pages = await Promise.all(
      [made.slice(-43), 'A'.repeat(43), `${made.slice(-43, -1)}A`].map(async (random) => {
        const { status, body, headers } = await browserOf('bob').load(`${world.origin}/connect/${random}`)
        return JSON.stringify([status, body, { ...headers, date: '' }]).replace(/nonce[-=][^ >;']+/g, 'nonce')
      }),
    )
    expect(new Set(pages).size).toBe(1)
  })

  test('is not told from another by the key that they have: unknown, revoked and deleted are one answer', async () => {
    const { world } = await open()
    const { key, id } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'y' })
    const url = world.endpoint('dev/seen')
    await world.gateway.keys.revoke({ virtualAccount: 'ci' }, id)
    const { key: other } = await (await open()).world.gateway.keys.create(
      { virtualAccount: 'ci' },
      { name: 'elsewhere' },
    )
    const [revoked, unknown] = [
      await rpc(url, { token: key, body: ask('ping') }),
      await rpc(url, { token: other, body: ask('ping') }),
    ]
    expect([revoked.status, revoked.text, revoked.headers.get('www-authenticate')]).toEqual([
      unknown.status,
      unknown.text,
      unknown.headers.get('www-authenticate'),
    ])
  })
})
