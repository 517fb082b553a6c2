/** Access that ends while somebody is connected: keys, tokens, grants, servers, connections (G1, G13, G23). */
import type { ServerResponse } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AUDIENCE, startKeyServer } from '../support/identity-provider.ts'
import { connectRaw } from '../support/raw-client.ts'
import { event, linkIn, listen, modern, type Stub, startConsentWorld, startStub } from './attack-parts.ts'
import { ask, callTool, initialize, openSession, rpc, send, startWorld } from './world.ts'

const NEVER = 3_600_000
const EVERYBODY = { to: 'user:corp/*', on: 'dev/*' } as const

async function open(recheckMs = NEVER) {
  let ahead = 0
  const stub = await startStub()
  const world = await startWorld({
    servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
    virtualAccounts: { ci: {} },
    access: [EVERYBODY, { to: 'virtual-account:ci', on: 'dev/*' }],
    limits: { recheckMs },
    clock: { now: () => Date.now() + ahead },
  })
  /** Lets time go by. */
  const later = (seconds: number) => {
    ahead += seconds * 1000
  }
  return { stub, world, url: world.endpoint('dev/one'), later }
}

/** An upstream that keeps GETs waiting for its headers until they are let go. */
async function openSlow() {
  const opened = await open()
  const waiting: ServerResponse[] = []
  opened.stub.answer = (request, response) => {
    if (request.method !== 'GET') return false
    waiting.push(response)
    return true
  }
  return {
    ...opened,
    arrived: () => expect.poll(() => waiting.length).toBe(1),
    begin() {
      for (const response of waiting.splice(0)) {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(': here\n\n')
      }
    },
  }
}

describe('a stream that its upstream has kept waiting', () => {
  test('ends as it begins when the key is revoked meanwhile', async () => {
    const { world, url, arrived, begin } = await openSlow()
    const { key, id } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
    const headers = await openSession(url, key)
    const sent = send(url, { token: key, headers, method: 'GET' })
    await arrived()
    await world.gateway.keys.revoke({ virtualAccount: 'ci' }, id)
    begin()
    // The head may have gone out by then, or not.
    expect(
      await sent.then(
        (response) => listen(response).ended,
        () => 'cut',
      ),
    ).toBe('cut')
    expect(await world.told(({ reason }) => reason === 'access_ended')).toMatchObject({ outcome: 'unauthenticated' })
  })

  test('ends as it begins when the key has expired meanwhile, of which nobody tells', async () => {
    const { world, url, arrived, begin, later } = await openSlow()
    const expiresAt = Date.now() + 60_000
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x', expiresAt })
    const headers = await openSession(url, key)
    const sent = send(url, { token: key, headers, method: 'GET' })
    await arrived()
    later(61)
    // What begins sooner than that is not looked at again.
    const begun = performance.now()
    await expect.poll(() => performance.now() - begun).toBeGreaterThan(100)
    begin()
    expect(
      await sent.then(
        (response) => listen(response).ended,
        () => 'cut',
      ),
    ).toBe('cut')
    expect(await world.told(({ reason }) => reason === 'access_ended')).toMatchObject({ outcome: 'unauthenticated' })
  })

  test('ends as it begins when the grant is gone, and goes on where it is not', async () => {
    const { world, url, arrived, begin } = await openSlow()
    for (const [grants, cut] of [
      [[], true],
      [[EVERYBODY, { to: 'user:corp/bob@example.com', on: 'dev/*' }], false],
    ] as const) {
      await world.gateway.access.set([EVERYBODY])
      const token = await world.jwt('alice')
      const headers = await openSession(url, token)
      const sent = send(url, { token, headers, method: 'GET' })
      await arrived()
      await world.gateway.access.set([...grants])
      begin()
      const stream = await sent.then(listen, () => undefined)
      if (cut) expect((await stream?.ended) ?? 'cut').toBe('cut')
      else await expect.poll(() => stream?.text()).toContain('here')
    }
  })
})

/** The stream of a GET, and a call whose answer goes on and on, both begun. */
async function listenTwice(url: string, token: string) {
  const headers = await openSession(url, token)
  const get = listen(await send(url, { token, headers, method: 'GET' }))
  const post = listen(await send(url, { token, headers, body: callTool('stream') }))
  await expect.poll(() => [get.text(), post.text().includes('begun')]).toEqual([': here\n\n', true])
  return { headers, get, post }
}

/** The stream of `subscriptions/listen`, begun. */
async function subscribe(url: string, token: string, stub: Stub) {
  const usual = stub.answer
  stub.answer = (request, response, body) => {
    if (!body.includes('subscriptions/listen')) return usual(request, response, body)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(event({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: {} }))
    return true
  }
  const request = modern('subscriptions/listen', { notifications: { toolsListChanged: true } })
  const stream = listen(await send(url, { token, ...request }))
  await expect.poll(() => stream.text()).toContain('acknowledged')
  return stream
}

describe('a stream and a long answer', () => {
  test('end when the key is revoked', async () => {
    const { world, url } = await open()
    const { key, id } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
    const { get, post } = await listenTwice(url, key)
    await world.gateway.keys.revoke({ virtualAccount: 'ci' }, id)
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect((await rpc(url, { token: key, body: ask('ping') })).status).toBe(401)
  })

  test('end when the virtual account is deleted, also where one of its name is made at once', async () => {
    const { world, url } = await open()
    await world.gateway.virtualAccounts.create('late')
    await world.gateway.access.add({ to: 'virtual-account:late', on: 'dev/*' })
    const { key } = await world.gateway.keys.create({ virtualAccount: 'late' }, { name: 'x' })
    const { get, post, headers } = await listenTwice(url, key)
    const deleted = world.gateway.virtualAccounts.delete('late')
    await deleted
    await world.gateway.virtualAccounts.create('late')
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect((await rpc(url, { token: key, headers, body: ask('ping') })).status).toBe(401)
  })

  test('end when the JWT expires', async () => {
    const { world, url, later } = await open(20)
    const { get, post } = await listenTwice(url, await world.jwt('alice'))
    later(306)
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect(await world.told(({ reason }) => reason === 'access_ended')).toMatchObject({ outcome: 'unauthenticated' })
  })

  test('of an API key end when that expires', async () => {
    const { world, url, later } = await open(20)
    const expiresAt = Date.now() + 60_000
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x', expiresAt })
    const { get, post } = await listenTwice(url, key)
    expect(await Promise.race([get.ended, post.ended, Promise.resolve('open')])).toBe('open')
    later(61)
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
  })

  test('go on while nobody can tell: an outage is no end of access', async () => {
    const { world, url } = await open(20)
    const { get, post } = await listenTwice(url, await world.jwt('alice'))
    world.provider.mode = 'fail'
    await world.gateway.access.add({ to: 'user:corp/zoe@example.com', on: 'dev/*' })
    await expect
      .poll(async () => (await rpc(url, { token: await world.jwt('bob'), body: ask('ping') })).status)
      .toBe(200)
    expect(await Promise.race([get.ended, post.ended, Promise.resolve('open')])).toBe('open')
  })

  test('end when the grant of the very tool is taken away, though there is a role still', async () => {
    const { world, url } = await open()
    await world.gateway.access.set([{ to: 'user:corp/*', on: 'dev/*', tools: ['stream', 'ok'] }])
    const token = await world.jwt('alice')
    const { get, post, headers } = await listenTwice(url, token)
    await world.gateway.access.set([{ to: 'user:corp/*', on: 'dev/*', tools: ['ok'] }])
    expect(await post.ended).toBe('cut')
    expect(await world.told(({ reason }) => reason === 'access_ended')).toMatchObject({
      outcome: 'denied',
      targets: [{ kind: 'tool', name: 'stream' }],
    })
    expect(await Promise.race([get.ended, Promise.resolve('open')])).toBe('open')
    expect((await rpc(url, { token, headers, body: callTool('stream') })).json.error.code).toBe(-32602)
  })

  test('that lists are not filtered on end when they would be now', async () => {
    const { world, url } = await open()
    const { get } = await listenTwice(url, await world.jwt('alice'))
    await world.gateway.access.set([{ to: 'user:corp/*', on: 'dev/*', tools: ['stream', 'ok'] }])
    expect(await get.ended).toBe('cut')
  })

  test('of resources that are no longer granted end, in the modern era too', async () => {
    const { world, url, stub } = await open()
    stub.answer = (_request, response, body) => {
      if (!body.includes('subscriptions/listen')) return false
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(': begun\n\n')
      return true
    }
    const grant = (uris: string[]) => [{ to: 'user:corp/*', on: 'dev/*', resources: uris }]
    await world.gateway.access.set(grant(['note://a', 'note://b']))
    const request = modern('subscriptions/listen', { notifications: { resourceSubscriptions: ['note://a'] } })
    const stream = listen(await send(url, { token: await world.jwt('alice'), ...request }))
    await expect.poll(() => stream.text()).toContain('begun')
    await world.gateway.access.set(grant(['note://b']))
    expect(await stream.ended).toBe('cut')
  })

  test('that are about nothing that has changed go on', async () => {
    const { world, url, stub } = await open()
    const { get, post } = await listenTwice(url, await world.jwt('alice'))
    await world.gateway.servers.set('dev/two', { url: stub.url, auth: { type: 'none' } })
    await world.gateway.servers.set('dev/one', { url: stub.url, auth: { type: 'none' }, label: 'Another label' })
    await world.gateway.access.add({ to: 'user:corp/zoe@example.com', on: 'dev/two' })
    expect(await Promise.race([get.ended, post.ended, Promise.resolve('open')])).toBe('open')
  })
})

describe('a server that becomes another one', () => {
  test('under its name: who listens listens anew, a call ends where it began, and the next goes to the new one', async () => {
    const { world, url, stub } = await open()
    const other = await startStub()
    const token = await world.jwt('alice')
    const { get, post, headers } = await listenTwice(url, token)
    await world.gateway.servers.set('dev/one', { url: other.url, auth: { type: 'none' } })
    expect(await get.ended).toBe('cut')
    expect(await Promise.race([post.ended, Promise.resolve('open')])).toBe('open')
    const before = stub.requests.length
    // The session was the old one's, and so is its id.
    expect((await rpc(url, { token, headers, body: callTool('ok') })).status).toBe(404)
    expect([stub.requests.length, other.requests.length]).toEqual([before, 0])
    const anew = await openSession(url, token)
    expect((await rpc(url, { token, headers: anew, body: callTool('ok') })).json.result).toBeDefined()
    expect([stub.requests.length, other.methods()]).toEqual([
      before,
      ['initialize', 'notifications/initialized', 'tools/call'],
    ])
  })

  test('under its name: who listens by subscriptions/listen listens anew', async () => {
    const { world, url, stub } = await open()
    const other = await startStub()
    const token = await world.jwt('alice')
    const stream = await subscribe(url, token, stub)
    await world.gateway.servers.set('dev/one', { url: stub.url, auth: { type: 'none' }, label: 'Another label' })
    expect(await Promise.race([stream.ended, Promise.resolve('open')])).toBe('open')
    await world.gateway.servers.set('dev/one', { url: other.url, auth: { type: 'none' } })
    expect(await stream.ended).toBe('cut')
    expect(await world.told(({ reason }) => reason === 'access_ended')).toMatchObject({ outcome: 'denied' })
  })

  test('with another credential: who listens does so no longer with the old one', async () => {
    const { world, url, stub } = await open()
    const { get } = await listenTwice(url, await world.jwt('alice'))
    await world.gateway.servers.set('dev/one', {
      url: stub.url,
      auth: { type: 'header', headers: { authorization: 'Bearer new' } },
    })
    expect(await get.ended).toBe('cut')
  })

  test('gets no token that a person has allowed for the old one', async () => {
    const { world, url, server, connect } = await startConsentWorld()
    const token = await connect('alice')
    expect((await rpc(url, { token, body: callTool('ok') })).json.result).toBeDefined()
    const other = await startStub()
    await world.gateway.servers.set('dev/notes', { ...server, url: other.url })
    const answer = await rpc(url, { token, body: callTool('ok') })
    expect([answer.json.error.code, other.requests.length]).toEqual([4011, 0])
  })

  describe.each(['dev/notes', 'team/all'])('while a call of %s is under way', (name) => {
    /** A call that the old place keeps waiting, until alice has consented to the new one. */
    async function moveBeneath() {
      const virtualServers = { 'team/all': { tools: { 'dev/notes': ['slow', 'ok'] } } }
      const { world, url, notes, server, connect, browserOf } = await startConsentWorld({ virtualServers })
      const token = await connect('alice')
      const other = await startStub()
      const checked = notes.answer
      other.answer = checked
      const held: ServerResponse[] = []
      notes.answer = (request, response, body) => {
        if (!body.includes('"slow"')) return checked(request, response, body)
        held.push(response)
        return true
      }
      const call = rpc(world.endpoint(name), { token, body: callTool('slow') })
      await expect.poll(() => held.length).toBe(1)
      await world.gateway.servers.set('dev/notes', { ...server, url: other.url })
      const link = linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)
      const browser = browserOf('alice')
      expect((await browser.submit(await browser.load(link), {})).status).toBe(200)
      const useNew = () => rpc(world.endpoint(name), { token, body: callTool('ok') })
      expect((await useNew()).json.result).toBeDefined()
      return { notes, other, held, call, useNew, before: notes.requests.length }
    }

    test('the old place gets no token of the new one by refusing its own, and the new one loses nothing by that', async () => {
      const { notes, other, held, call, useNew, before } = await moveBeneath()
      const refusal = { 'www-authenticate': 'Bearer error="invalid_token"' }
      for (const response of held) response.writeHead(401, refusal).end()
      const { status, json } = await call
      expect([status, json.error.message]).toEqual([503, expect.stringContaining('try again')])
      expect(notes.requests.slice(before)).toEqual([])
      expect(notes.tokens().filter((each) => each !== '' && other.tokens().includes(each))).toEqual([])
      expect((await useNew()).json.result).toBeDefined()
    })

    test('the old place cannot have more scopes asked for the new one', async () => {
      const { held, call } = await moveBeneath()
      const challenge = { 'www-authenticate': 'Bearer error="insufficient_scope", scope="all:of-it"' }
      for (const response of held) response.writeHead(403, challenge).end()
      const { text } = await call
      expect(text).not.toContain('Please visit')
    })
  })

  test('is gone at once where it is removed, streams and calls included', async () => {
    const { world, url } = await open()
    const token = await world.jwt('alice')
    const { get, post, headers } = await listenTwice(url, token)
    await world.gateway.servers.remove('dev/one').catch(() => {})
    await world.gateway.configure({ servers: {}, virtualAccounts: { ci: {} } })
    expect([await get.ended, await post.ended]).toEqual(['cut', 'cut'])
    expect((await rpc(url, { token, headers, body: ask('ping') })).status).toBe(404)
    expect((await rpc(url, { token, headers, method: 'DELETE' })).status).toBe(404)
  })
})

describe('a connection that its owner ends', () => {
  test('or that consent has to be given to again: who listens is sent away, a call gets its answer', async () => {
    const { world, url, notes, provider, connect } = await startConsentWorld({ limits: { recheckMs: NEVER } })
    const token = await connect('alice')
    const { get, post, headers } = await listenTwice(url, token)
    const stream = await subscribe(url, token, notes)
    provider.endRefreshTokens()
    provider.endAccessTokens()
    expect((await rpc(url, { token, headers, body: callTool('ok') })).text).toContain('Please visit')
    await world.gateway.access.add({ to: 'user:corp/zoe@example.com', on: 'dev/notes' })
    expect([await get.ended, await stream.ended]).toEqual(['cut', 'cut'])
    expect(await Promise.race([post.ended, Promise.resolve('open')])).toBe('open')
  })

  test('ends the streams that were opened with it, and no one else’s', async () => {
    const { world, url, connect } = await startConsentWorld({ limits: { recheckMs: NEVER } })
    const [alice, bob] = [await connect('alice'), await connect('bob')]
    const hers = await listenTwice(url, alice)
    const his = await listenTwice(url, bob)
    const me = await world.gateway.identify(`Bearer ${alice}`)
    if (me === null) throw new Error('nobody')
    expect(await world.gateway.connections.revoke(me, 'dev/notes')).toBe(true)
    expect([await hers.get.ended, await hers.post.ended]).toEqual(['cut', 'cut'])
    expect(await Promise.race([his.get.ended, his.post.ended, Promise.resolve('open')])).toBe('open')
  })
})

describe('a body that is sent slowly', () => {
  /** A call whose last byte is kept back. */
  async function begin(url: string, token: string) {
    const { port, pathname, host } = new URL(url)
    const body = JSON.stringify(callTool('ok'))
    const connection = await connectRaw(Number(port))
    onTestFinished(() => connection.close())
    connection.write(
      `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
    )
    return {
      async end() {
        connection.write(body.slice(-1))
        return connection.answer('POST')
      },
    }
  }

  test('is judged by what holds when it is there: a grant, a server or a key that is gone meanwhile counts', async () => {
    const { world, url, stub } = await open()
    const token = await world.jwt('alice')
    // Somebody else's request shows that those before it have been looked at.
    const seen = async () => (await rpc(url, { token: await world.jwt('zoe'), body: ask('ping') })).status

    const one = await begin(url, token)
    expect(await seen()).toBe(200)
    await world.gateway.access.set([{ to: 'user:corp/*', on: 'dev/*', tools: ['other'] }])
    expect((await one.end()).json()).toMatchObject({ error: { code: -32602 } })

    await world.gateway.access.set([EVERYBODY])
    const two = await begin(url, token)
    expect(await seen()).toBe(200)
    await world.gateway.access.set([{ to: 'user:corp/zoe@example.com', on: 'dev/*' }])
    expect((await two.end()).status).toBe(404)

    await world.gateway.access.set([EVERYBODY])
    const three = await begin(url, token)
    const other = await startStub()
    expect(await seen()).toBe(200)
    await world.gateway.servers.set('dev/one', { url: other.url, auth: { type: 'none' } })
    expect((await three.end()).status).toBe(200)
    expect([stub.methods().includes('tools/call'), other.methods()]).toEqual([false, ['tools/call']])

    const four = await begin(url, token)
    expect(await seen()).toBe(200)
    await world.gateway.configure({ servers: {}, access: [] })
    expect((await four.end()).status).toBe(404)
  })

  test('does not keep a revoked key or an expired token good for as long as it lasts', async () => {
    const { world, url, stub, later } = await open(10)
    const { key, id } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
    const slow = await begin(url, key)
    const late = await begin(url, await world.jwt('alice'))
    expect((await rpc(url, { token: key, body: ask('ping') })).status).toBe(200)
    await world.gateway.keys.revoke({ virtualAccount: 'ci' }, id)
    // A body that comes within `recheckMs` is judged by what was so when it began.
    const begun = performance.now()
    await expect.poll(() => performance.now() - begun).toBeGreaterThan(10)
    expect((await slow.end()).status).toBe(401)
    later(306)
    expect((await late.end()).status).toBe(401)
    expect(stub.methods()).not.toContain('tools/call')
  })
})

test('a personal token ends with its owner’s groups, in the middle of a session', async () => {
  const provider = await startKeyServer()
  onTestFinished(() => provider.close())
  const stub = await startStub()
  let groups = ['staff']
  const world = await startWorld({
    provider,
    servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
    integrations: { corp: { issuer: provider.issuer, audience: AUDIENCE } },
    access: [{ to: 'group:corp/staff', on: 'dev/*' }],
    directory: async () => ({ integration: 'corp', subject: 'alice', groups }),
    limits: { recheckMs: 50 },
  })
  const url = world.endpoint('dev/one')
  const me = await world.gateway.identify(`Bearer ${await world.jwt('alice', { groups })}`)
  if (me === null) throw new Error('nobody')
  const { key } = await world.gateway.keys.create(me, { name: 'x' })
  const { get } = await listenTwice(url, key)
  groups = []
  expect(await get.ended).toBe('cut')
})
