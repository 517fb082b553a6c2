/** Changes while it runs (G23), open streams whose callers may no longer, replicas (B7), and what is told of all that (G17, B9). */

import diagnostics_channel from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { generateKey } from 'sallyport'
import { type AuditEvent, createGateway, type RequestEvent } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { AUDIENCE, startKeyServer } from '../support/identity-provider.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { temporaryFolder } from '../support/temp-server.ts'
import { startStub } from './attack-parts.ts'
import { ask, callTool, EVERYTHING, initialize, openSession, rpc, send, startWorld } from './world.ts'

async function upstream(options: Parameters<typeof startSdk2Server>[0] = {}) {
  const server = await startSdk2Server(options)
  onTestFinished(() => server.close())
  return server
}

const none = { type: 'none' } as const

describe('G23 changes while it runs', () => {
  test('servers and grants come and go, one by one and as a whole', async () => {
    const wiki = await upstream()
    const { gateway, endpoint, jwt } = await startWorld({ servers: {} })
    const token = await jwt('alice')
    const status = async (name: string) => (await rpc(endpoint(name), { token, body: initialize() })).status
    expect(await status('dev/one')).toBe(404)
    await gateway.servers.set('dev/one', { url: wiki.url, auth: none })
    expect(await status('dev/one')).toBe(404)
    await gateway.access.add({ to: 'user:corp/*', on: 'dev/*' })
    expect(await status('dev/one')).toBe(200)
    expect(await gateway.access.remove({ on: 'dev/*', to: 'user:corp/*' })).toBe(1)
    expect(await gateway.access.remove({ on: 'dev/*', to: 'user:corp/*' })).toBe(0)
    expect(await status('dev/one')).toBe(404)
    expect(await gateway.servers.remove('dev/one')).toBe(true)
    expect(await gateway.servers.remove('dev/one')).toBe(false)
    await gateway.configure({ servers: { 'dev/two': { url: wiki.url, auth: none } }, access: [EVERYTHING] })
    expect([await status('dev/one'), await status('dev/two')]).toEqual([404, 200])
    expect(Object.keys(gateway.servers.list())).toEqual(['dev/two'])
    expect(gateway.access.list()).toEqual([EVERYTHING])
  })

  test('a change with an error changes nothing, and says every problem with its path', async () => {
    const wiki = await upstream()
    const { gateway, endpoint, jwt } = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'user:corp/*', on: 'dev/one' }],
    })
    const before = [gateway.servers.list(), gateway.access.list()]
    const problems = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toMatchObject({ code: 'ERR_CONFIG' })
      return (error as { problems: { path: string; message: string }[] }).problems.map(({ path }) => path)
    }
    expect(
      await problems(gateway.access.add({ to: 'user:crop/*', on: 'dev/*' }, { to: 'nobody', on: 'dev/three' })),
    ).toEqual(['access[1].to', 'access[2].to', 'access[2].on'])
    expect(await problems(gateway.servers.set('dev', { url: 'ftp://x', auth: none }))).toEqual([
      'servers.dev',
      'servers.dev.url',
    ])
    expect(await problems(gateway.servers.remove('dev/one'))).toEqual(['access[0].on'])
    expect(await problems(gateway.configure({ servers: {}, url: 'https://x' } as never))).toEqual(['url'])
    await expect(
      gateway.servers.set('dev/two', {
        url: wiki.url,
        auth: { type: 'header', headers: { 'x-key': { secret: 'env:NOT_THERE' } } },
      }),
    ).rejects.toMatchObject({ code: 'ERR_SECRET' })
    expect([gateway.servers.list(), gateway.access.list()]).toEqual(before)
    expect((await rpc(endpoint('dev/one'), { token: await jwt('alice'), body: initialize() })).status).toBe(200)
  })

  test('changes at the same moment are made one after the other, and none is lost', async () => {
    const { gateway } = await startWorld({ servers: {} })
    const url = 'http://127.0.0.1:9/mcp'
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => gateway.servers.set(`dev/s${index}`, { url, auth: none })),
    )
    expect(Object.keys(gateway.servers.list())).toHaveLength(20)
  })

  test('no request is dropped: one under way ends under the configuration that it began under', async () => {
    const wiki = await upstream({ answers: 'json' })
    const { gateway, endpoint, jwt } = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [EVERYTHING],
    })
    const token = await jwt('alice')
    const headers = await openSession(endpoint('dev/one'), token)
    const waiting = once(wiki.events, 'waiting')
    const answer = rpc(endpoint('dev/one'), { token, headers, body: callTool('wait') })
    await waiting
    await gateway.configure({ servers: {} })
    wiki.release()
    expect((await answer).json.result.content[0].text).toBe('released')
    expect((await rpc(endpoint('dev/one'), { token, headers, body: ask('ping') })).status).toBe(404)
  })

  test('what a caller does to the objects afterwards changes nothing', async () => {
    const grant = { to: 'user:corp/alice@example.com', on: ['dev/one'] }
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      access: [grant],
    })
    grant.to = 'user:corp/*'
    expect((await rpc(world.endpoint('dev/one'), { token: await world.jwt('bob'), body: initialize() })).status).toBe(
      404,
    )
  })
})

describe('open streams', () => {
  async function openStream({ recheckMs = 3_600_000, clock = systemClock } = {}) {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      virtualAccounts: { ci: {} },
      access: [EVERYTHING, { to: 'virtual-account:ci', on: '*' }],
      limits: { recheckMs },
      clock,
    })
    const url = world.endpoint('dev/one')
    const stream = async (token: string) => {
      const headers = await openSession(url, token)
      const response = await send(url, { token, headers, method: 'GET' })
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
      return {
        response,
        ended: response.text().then(
          () => 'whole',
          () => 'cut',
        ),
      }
    }
    return { wiki, world, stream }
  }

  test('a grant that is taken away ends the streams under it at once, and that is told', async () => {
    const { world, stream } = await openStream()
    const { ended } = await stream(await world.jwt('alice'))
    await world.gateway.access.set([])
    expect(await ended).toBe('cut')
    const event = await world.told(({ httpMethod, reason }) => httpMethod === 'GET' && reason === 'access_ended')
    expect(event).toMatchObject({ outcome: 'denied', status: 200, caller: { subject: 'alice' } })
  })

  test('a server that is taken away ends its streams; those of others go on', async () => {
    const { world, stream, wiki } = await openStream()
    await world.gateway.servers.set('dev/two', { url: wiki.url, auth: none })
    const token = await world.jwt('alice')
    const { ended } = await stream(token)
    const two = world.endpoint('dev/two')
    const other = await send(two, { token, headers: await openSession(two, token), method: 'GET' })
    await world.gateway.servers.remove('dev/one')
    expect(await ended).toBe('cut')
    await wiki.toolsChanged()
    const reader = other.body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('list_changed')
    await reader?.cancel()
  })

  test('a key that is revoked ends its streams at once, elsewhere with the next look', async () => {
    const { world, stream } = await openStream()
    const { key, id } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    const { ended } = await stream(key)
    expect(await world.gateway.keys.revoke({ virtualAccount: 'ci' }, id)).toBe(true)
    expect(await ended).toBe('cut')
    expect(await world.told(({ reason }) => reason === 'access_ended')).toMatchObject({ outcome: 'unauthenticated' })
  })

  test('a JWT that expires ends its streams', async () => {
    let ahead = 0
    const { world, stream } = await openStream({ recheckMs: 20, clock: { now: () => Date.now() + ahead } })
    const { ended } = await stream(await world.jwt('alice'))
    ahead = 306_000
    expect(await ended).toBe('cut')
  })

  test('streams end with close(), and with their client', async () => {
    const { world, stream } = await openStream()
    const token = await world.jwt('alice')
    const gone = new AbortController()
    const url = world.endpoint('dev/one')
    const left = await send(url, { token, headers: await openSession(url, token), method: 'GET', signal: gone.signal })
    gone.abort()
    await left.text().catch(() => {})
    expect(await world.told(({ reason }) => reason === 'client_gone')).toMatchObject({ outcome: 'aborted' })
    const { ended } = await stream(token)
    await world.gateway.close()
    expect(await ended).toBe('cut')
  })
})

test('a stream that its upstream breaks off is told as a failure', async () => {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n', () =>
      request.socket.destroy(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const world = await startWorld({
    servers: { 'dev/one': { url: `http://127.0.0.1:${port}/mcp`, auth: none } },
    access: [EVERYTHING],
  })
  const response = await send(world.endpoint('dev/one'), { token: await world.jwt('alice'), body: callTool('x') })
  await expect(response.text()).rejects.toThrow()
  expect(await world.told(({ outcome }) => outcome === 'failed')).toMatchObject({ reason: 'broken', status: 200 })
})

describe('B7 replicas', () => {
  test('two gateways over one store serve one session behind a round-robin proxy', async () => {
    const wiki = await upstream()
    const folder = temporaryFolder('replicas')
    const provider = await startKeyServer()
    const proxy = createServer()
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const keys = [generateKey()]
    const served: string[] = []
    const replicas = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const store = sqliteStore(join(folder.path, 'tokens.db'))
        const gateway = createGateway({
          url: origin,
          store,
          keys,
          integrations: { corp: { issuer: provider.issuer, audience: AUDIENCE } },
          servers: { 'dev/one': { url: wiki.url, auth: none } },
          virtualAccounts: { ci: {} },
          access: [EVERYTHING, { to: 'virtual-account:ci', on: '*' }],
        })
        gateway.on('audit', ({ type }) => type === 'request' && void served.push(name))
        const server = createServer(sallyport(gateway)((_request, response) => void response.writeHead(404).end()))
        server.listen(0, '127.0.0.1')
        await once(server, 'listening')
        return { gateway, store, server, port: (server.address() as AddressInfo).port }
      }),
    )
    let turn = 0
    proxy.on('request', (request, response) => {
      const { port } = replicas[turn++ % 2] as { port: number }
      const { method = 'GET', url = '/', headers } = request
      const onward = httpRequest({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      })
      request.pipe(onward)
    })
    onTestFinished(async () => {
      for (const { gateway, server, store } of replicas) {
        server.closeAllConnections()
        server.close()
        await gateway.close()
        await store.close()
      }
      proxy.closeAllConnections()
      proxy.close()
      await provider.close()
      folder.remove()
    })
    const { key } = await (replicas[0] as { gateway: ReturnType<typeof createGateway> }).gateway.keys.create(
      { virtualAccount: 'ci' },
      { name: 'nightly' },
    )
    const url = `${origin}/mcp/dev/one/server`
    for (const token of [await provider.sign({ sub: 'alice' }), key]) {
      served.length = 0
      const headers = await openSession(url, token)
      for (let index = 0; index < 6; index++) {
        const answer = await rpc(url, { token, headers, body: callTool('echo', { text: String(index) }) })
        expect(answer.json.result.content[0].text).toBe(String(index))
      }
      expect(new Set(served)).toEqual(new Set(['one', 'two']))
    }
    expect(wiki.sessions()).toBe(2)
  })
})

describe('G17 the audit', () => {
  test('one event per request says who, what, by which grant, with which credential, and what came of it', async () => {
    const wiki = await upstream()
    const heard: AuditEvent[] = []
    const world = await startWorld({
      audit: (event) => void heard.push(event),
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'user:corp/*', on: 'dev/*', tools: ['echo'] }],
    })
    const published: unknown[] = []
    const listener = (event: unknown) => void published.push(event)
    diagnostics_channel.subscribe('sallyport:audit', listener)
    onTestFinished(() => void diagnostics_channel.unsubscribe('sallyport:audit', listener))
    const token = await world.jwt('alice', { secret: 'in-the-token' })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const session = await openSession(world.endpoint('dev/one'), token)
    const headers = { ...session, traceparent }
    await rpc(world.endpoint('dev/one'), { token, headers, body: callTool('echo', { text: 'an argument' }) })
    const event = await world.told(({ methods }) => methods.includes('tools/call'))
    expect(event).toEqual({
      type: 'request',
      at: expect.any(Number),
      ms: expect.any(Number),
      caller: {
        kind: 'person',
        via: 'jwt',
        id: expect.any(String),
        integration: 'corp',
        subject: 'alice',
        externalIdentities: [],
        keyId: null,
      },
      server: 'dev/one',
      member: null,
      httpMethod: 'POST',
      methods: ['tools/call'],
      targets: [{ kind: 'tool', name: 'echo' }],
      outcome: 'relayed',
      reason: null,
      detail: null,
      rule: { index: 0, grant: world.config.access?.[0] },
      credential: 'none',
      status: 200,
      upstreamStatus: 200,
      clientAddress: '127.0.0.1',
      traceparent,
    } satisfies Record<keyof RequestEvent, unknown>)
    expect(heard).toEqual(world.audits)
    expect(published).toEqual(world.audits)
    expect(wiki.calls.at(-1)?.headers.traceparent).toBe(traceparent)
    for (const secret of [token, 'an argument', 'in-the-token', session['mcp-session-id']]) {
      expect(JSON.stringify(world.audits)).not.toContain(secret)
    }
    await rpc(world.endpoint('dev/none'), { token, body: initialize() })
    expect(await world.told(({ outcome }) => outcome === 'denied')).toMatchObject({ server: null, reason: 'no_server' })
  })

  test('says where a client was that has gone away before its answer', async () => {
    const stub = await startStub()
    stub.answer = (_request, _response, body) => body.includes('"slow"')
    const world = await startWorld({ servers: { 'dev/one': { url: stub.url, auth: none } }, access: [EVERYTHING] })
    const leaving = new AbortController()
    const { signal } = leaving
    const token = await world.jwt('alice')
    const sent = send(world.endpoint('dev/one'), { token, body: callTool('slow'), signal }).catch(() => 'gone')
    await expect.poll(stub.methods).toContain('tools/call')
    leaving.abort()
    expect(await sent).toBe('gone')
    expect(await world.told(({ outcome }) => outcome === 'aborted')).toMatchObject({ clientAddress: '127.0.0.1' })
  })

  test('keys made, used, refused and revoked are told too', async () => {
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      virtualAccounts: { ci: {} },
    })
    const owner = { virtualAccount: 'ci' }
    const { key, id } = await world.gateway.keys.create(owner, { name: 'nightly' })
    await rpc(world.endpoint('dev/one'), { token: key, body: initialize() })
    await world.gateway.keys.revoke(owner, id)
    await rpc(world.endpoint('dev/one'), { token: key, body: initialize() })
    const events = world.audits.flatMap((event) => (event.type === 'key' ? [[event.kind, event.reason]] : []))
    expect(events).toEqual([
      ['created', null],
      ['used', null],
      ['revoked', null],
      ['refused', 'unknown_token'],
    ])
    expect(JSON.stringify(world.audits)).not.toContain(key)
  })
})

describe('B9 explain', () => {
  test('says which grant decided, for people and virtual accounts, and that there is no such server', async () => {
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      virtualAccounts: { ci: {} },
      access: [
        { to: 'group:corp/staff', on: 'dev/*' },
        { to: 'virtual-account:ci', on: 'dev/*', tools: ['get_*'] },
      ],
    })
    const { gateway } = world
    const alice = await gateway.identify(`Bearer ${await world.jwt('alice', { groups: ['staff'] })}`)
    const bob = await gateway.identify(`Bearer ${await world.jwt('bob')}`)
    if (alice === null || bob === null) throw new Error('nobody')
    expect(await gateway.explain(alice, 'dev/one', 'get_it')).toMatchObject({ allowed: true, rule: { index: 0 } })
    expect(await gateway.explain(bob, 'dev/one')).toMatchObject({ allowed: false, reason: 'no_role' })
    const ci = { virtualAccount: 'ci' }
    expect(await gateway.explain(ci, 'dev/one', 'get_it')).toMatchObject({ allowed: true, rule: { index: 1 } })
    expect(await gateway.explain(ci, 'dev/one', { kind: 'prompt', name: 'x' })).toMatchObject({ reason: 'not_granted' })
    expect((await gateway.explain(alice, 'dev/on')).summary).toBe(
      'there is no server "dev/on"; did you mean "dev/one"?',
    )
    await expect(gateway.explain({ virtualAccount: 'none' }, 'dev/one')).rejects.toMatchObject({
      code: 'ERR_UNKNOWN_VIRTUAL_ACCOUNT',
    })
  })

  test('does not allow what a virtual server has of no member', async () => {
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      virtualServers: {
        'team/all': { tools: { 'dev/one': ['get_*'] }, resources: { 'dev/one': ['notes://public/*'] } },
      },
      access: [{ to: 'user:corp/*', on: 'team/all' }],
    })
    const { gateway } = world
    const alice = await gateway.identify(`Bearer ${await world.jwt('alice')}`)
    if (alice === null) throw new Error('nobody')
    const ofAll = (wanted?: Parameters<typeof gateway.explain>[2]) => gateway.explain(alice, 'team/all', wanted)
    for (const wanted of [
      undefined,
      'get_it',
      'dev_one_get_it',
      { kind: 'resource', uri: 'notes://public/a' },
    ] as const)
      expect(await ofAll(wanted)).toMatchObject({ allowed: true, rule: { index: 0 } })
    for (const wanted of [
      'drop_it',
      { kind: 'prompt', name: 'greet' },
      { kind: 'resource', uri: 'notes://public/../a' },
    ] as const)
      expect(await ofAll(wanted)).toMatchObject({ allowed: false, reason: 'not_granted' })
    expect((await ofAll('drop_it')).summary).toContain('the configuration chooses no such thing')
  })

  test('takes a person as authOf has them, by the record of their last sign-in, and refuses what names nobody', async () => {
    const { gateway, jwt } = await startWorld({
      servers: {
        'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none },
        'dev/two': {
          url: 'http://127.0.0.1:9/mcp',
          auth: {
            type: 'oauth2',
            clientId: 'gateway',
            authorizationUrl: 'http://127.0.0.1:9/authorize',
            tokenUrl: 'http://127.0.0.1:9/token',
            allowInsecureHttp: true,
          },
        },
      },
      signIn: 'link',
      access: [{ to: 'group:corp/staff', on: 'dev/*' }],
      virtualAccounts: { ci: { owners: ['user:corp/alice'] } },
    })
    const alice = await gateway.identify(`Bearer ${await jwt('alice', { groups: ['staff'] })}`)
    if (alice === null) throw new Error('nobody')
    const { id, integration } = alice
    const who = { id, integration }
    expect(await gateway.connections.connectUrl({ server: 'dev/two', who })).toContain('/connect/')
    expect((await gateway.virtualAccounts.ownedBy(who)).map(({ name }) => name)).toEqual(['ci'])
    expect(await gateway.explain({ id, integration }, 'dev/one', 'get_it')).toMatchObject({ allowed: true })
    expect(await gateway.servers.for({ id, integration })).toMatchObject([{ name: 'dev/one' }, { name: 'dev/two' }])
    const stranger = { id: 'nobody-of-this-id', integration }
    for (const ask of [
      gateway.explain(stranger, 'dev/one'),
      gateway.servers.for(stranger),
      gateway.connections.connectUrl({ server: 'dev/two', who: stranger }),
      gateway.virtualAccounts.ownedBy(stranger),
    ]) {
      await expect(ask).rejects.toMatchObject({ code: 'ERR_UNKNOWN_PERSON' })
    }
    for (const nobody of [{}, { id }, { id: '', integration }, 'Bearer secret', null, undefined]) {
      const asked = gateway.explain(nobody as never, 'dev/one')
      await expect(asked).rejects.toMatchObject({ code: 'ERR_SUBJECT', message: expect.not.stringContaining('secret') })
    }
  })

  test('tells what a function of the user’s own makes of it', async () => {
    const world = await startWorld({
      servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
      access: [EVERYTHING],
      decide: ({ wanted }) => wanted.kind !== 'tool',
    })
    const alice = await world.gateway.identify(`Bearer ${await world.jwt('alice')}`)
    if (alice === null) throw new Error('nobody')
    const explained = await world.gateway.explain(alice, 'dev/one', 'drop')
    expect([explained.allowed, explained.summary]).toEqual([false, expect.stringContaining('decide() denies it')])
  })
})
