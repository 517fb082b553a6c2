/** Two gateways over one store: what is ended on one is ended on the other, and a consent may wander between them (B7, B1). */
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { generateKey } from 'sallyport'
import { createGateway, type Gateway } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FormBrowser } from '../support/form-browser.ts'
import { AUDIENCE, startKeyServer } from '../support/identity-provider.ts'
import { startQuirkyProvider } from '../support/mcp/quirky-provider.ts'
import { temporaryFolder } from '../support/temp-server.ts'
import { cookieSignIn, linkIn, listen, startStub } from './attack-parts.ts'
import { ask, callTool, initialize, openSession, rpc, send } from './world.ts'

/** What is believed without asking the store, and a little more. */
const BOUND_MS = 8_000

/** Two processes' worth of gateways behind one name; `at` says which of them answers. */
async function open(secondKeys?: readonly string[]) {
  const folder = temporaryFolder('attack-replicas')
  const people = await startKeyServer()
  const provider = await startQuirkyProvider()
  const notes = await startStub()
  notes.answer = (request, response) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    if (provider.isGood(token)) return false
    response.writeHead(401).end()
    return true
  }
  const proxy = createServer()
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const keys = [generateKey()]
  const replicas = await Promise.all(
    [keys, secondKeys ?? keys].map(async (own) => {
      const store = sqliteStore(join(folder.path, 'tokens.db'))
      const gateway = createGateway({
        url: origin,
        store,
        keys: own,
        integrations: { corp: { issuer: people.issuer, audience: AUDIENCE } },
        signIn: cookieSignIn(() => people.issuer),
        servers: {
          'dev/notes': { url: notes.url, auth: provider.auth },
          'dev/open': { url: notes.url, auth: { type: 'header', headers: { authorization: 'Bearer x' } } },
        },
        access: [
          { to: 'user:corp/*', on: '*' },
          { to: 'virtual-account:late', on: '*' },
        ],
        virtualAccounts: { late: {} },
        limits: { recheckMs: 100 },
      })
      const server = createServer(sallyport(gateway)((_request, response) => void response.writeHead(404).end()))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return { gateway, store, server, port: (server.address() as AddressInfo).port }
    }),
  )
  const state = { at: 0 }
  proxy.on('request', (request, response) => {
    const { method = 'GET', url = '/', headers } = request
    const { port = 0 } = replicas[state.at] ?? {}
    const onward = httpRequest({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
      answer.on('error', () => response.destroy())
      answer.on('aborted', () => response.destroy())
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  onTestFinished(async () => {
    proxy.closeAllConnections()
    proxy.close()
    for (const { gateway, server, store } of replicas) {
      server.closeAllConnections()
      server.close()
      await gateway.close()
      await store.close()
    }
    await people.close()
    await provider.close()
    folder.remove()
  })
  const [one, two] = replicas.map(({ gateway }) => gateway) as [Gateway, Gateway]
  const jwt = (sub: string) => people.sign({ sub, email: `${sub}@example.com`, email_verified: true })
  return {
    one,
    two,
    state,
    provider,
    notes,
    origin,
    ports: replicas.map(({ port }) => port),
    jwt,
    url: `${origin}/mcp/dev/notes/server`,
    openUrl: `${origin}/mcp/dev/open/server`,
  }
}

function browserOf(name: string): FormBrowser {
  const browser = new FormBrowser()
  browser.setCookie('127.0.0.1', 'who', name)
  return browser
}

describe('a consent that wanders', () => {
  test('link on one, page on the other, button on the first, callback on the other: one connection on both', async () => {
    const { state, url, jwt, provider } = await open()
    const token = await jwt('alice')
    const link = linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)
    const alice = browserOf('alice')
    state.at = 1
    expect(linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)).toBe(link)
    const page = await alice.load(link)
    state.at = 0
    const sent = await alice.submit(page, {}, { follow: false })
    const answered = await alice.load(String(sent.headers.location), { follow: false })
    state.at = 1
    const callback = String(answered.headers.location)
    expect((await alice.load(callback)).status).toBe(200)
    for (const at of [0, 1]) {
      state.at = at
      expect((await rpc(url, { token, body: ask('ping') })).json.result).toBeDefined()
    }
    // Replayed at the other one: there is nothing left of it, nor of the link.
    state.at = 0
    const redeemed = provider.asked.filter(({ path }) => path === '/token').length
    expect((await alice.load(callback)).status).toBeGreaterThanOrEqual(400)
    expect((await alice.load(link)).status).toBe(404)
    expect(provider.asked.filter(({ path }) => path === '/token').length).toBe(redeemed)
  })

  test('the button pressed on both at the same moment starts one flow', async () => {
    const { state, url, jwt, provider } = await open()
    const token = await jwt('alice')
    const link = linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)
    const alice = browserOf('alice')
    const page = await alice.load(link)
    const first = alice.submit(page, {}, { follow: false })
    state.at = 1
    const second = alice.submit(page, {}, { follow: false })
    const statuses = (await Promise.all([first, second])).map(({ status }) => status).sort()
    // The second may have come in time to the first gateway, where it is a double click.
    expect([
      [303, 303],
      [303, 404],
    ]).toContainEqual(statuses)
    expect(provider.asked.filter(({ path }) => path === '/token')).toEqual([])
  })
})

describe('what is ended on one', () => {
  test('is ended on the other within seconds: a key', async () => {
    const { one, state, openUrl } = await open()
    const { key, id } = await one.keys.create({ virtualAccount: 'late' }, { name: 'x' })
    state.at = 1
    // The upstream does not take the shared key; what counts here is who may ask.
    expect((await rpc(openUrl, { token: key, body: ask('ping') })).status).toBe(502)
    await one.keys.revoke({ virtualAccount: 'late' }, id)
    await expect
      .poll(async () => (await rpc(openUrl, { token: key, body: ask('ping') })).status, {
        timeout: BOUND_MS,
        interval: 100,
      })
      .toBe(401)
  })

  test('is ended on the other within seconds: a connection, its streams, and its tokens upstream at once', async () => {
    const { one, two, state, url, jwt, provider, notes } = await open()
    const token = await jwt('alice')
    const alice = browserOf('alice')
    const link = linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)
    expect((await alice.submit(await alice.load(link), {})).status).toBe(200)
    state.at = 1
    const headers = await openSession(url, token)
    const stream = listen(await send(url, { token, headers, method: 'GET' }))
    await expect.poll(() => stream.text()).toContain('here')
    const me = await two.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    const last = notes.tokens().at(-1)?.replace('Bearer ', '') ?? ''
    expect(provider.isGood(last)).toBe(true)
    expect(await one.connections.revoke(me, 'dev/notes')).toBe(true)
    expect(provider.isGood(last)).toBe(false)
    expect(await stream.ended).toBe('cut')
    const after = await rpc(url, { token, headers, body: callTool('ok') })
    expect(after.json.error.code).toBe(4011)
    expect(await two.connections.list(me)).toEqual([])
    expect(await two.connections.revoke(me, 'dev/notes')).toBe(false)
  })

  test('a refused token is renewed once for both', async () => {
    const { state, url, jwt, provider, ports } = await open()
    const token = await jwt('alice')
    const alice = browserOf('alice')
    const link = linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)
    expect((await alice.submit(await alice.load(link), {})).status).toBe(200)
    for (const at of [0, 1]) {
      state.at = at
      expect((await rpc(url, { token, body: callTool('ok') })).json.result).toBeDefined()
    }
    provider.endAccessTokens()
    const calls: Promise<Awaited<ReturnType<typeof rpc>>>[] = []
    for (let turn = 0; turn < 10; turn++) {
      const own = new URL(url)
      own.port = String(ports[turn % 2])
      calls.push(rpc(own.href, { token, body: callTool('ok', {}, turn) }))
    }
    expect((await Promise.all(calls)).map(({ json }) => json.result?.content[0].text)).toEqual(
      calls.map(() => 'did ok'),
    )
    expect(provider.asked.filter(({ parameters }) => parameters.grant_type === 'refresh_token')).toHaveLength(1)
  })
})

test('a gateway with other keys opens nothing of the first: no session, no link, no key', async () => {
  const { one, state, url, jwt, openUrl } = await open([generateKey()])
  const token = await jwt('alice')
  const link = linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)
  const { key } = await one.keys.create({ virtualAccount: 'late' }, { name: 'x' })
  state.at = 1
  const page = await browserOf('alice').load(link)
  expect(page.status).toBeGreaterThanOrEqual(400)
  expect([401, 503]).toContain((await rpc(openUrl, { token: key, body: ask('ping') })).status)
})
