/** One caller with what belongs to another: session ids, consent links, callbacks, `state`, `requestState` (B2, B7, G14). */
import { describe, expect, onTestFinished, test } from 'vitest'
import { AUDIENCE, startKeyServer } from '../support/identity-provider.ts'
import { listen, modern, startConsentWorld, startStub } from './attack-parts.ts'
import { ask, callTool, openSession, rpc, send, startWorld } from './world.ts'

describe('the session id of somebody else', () => {
  /** Everybody may use both servers; `alice` of two providers, an account of the same name, and nobody in particular. */
  async function open() {
    const wiki = await startStub()
    const partner = await startKeyServer()
    onTestFinished(() => partner.close())
    const world = await startWorld({
      servers: {
        'dev/one': { url: wiki.url, auth: { type: 'none' }, id: 'one' },
        'dev/two': { url: wiki.url, auth: { type: 'none' } },
      },
      integrations: { partner: { issuer: partner.issuer, audience: AUDIENCE } },
      virtualAccounts: { alice: {} },
      access: [{ to: 'anonymous', on: '*' }],
    })
    const { key } = await world.gateway.keys.create({ virtualAccount: 'alice' }, { name: 'x' })
    const callers = {
      'alice of partner': await partner.sign({ sub: 'alice', email: 'alice@example.com', email_verified: true }),
      'bob of partner': await partner.sign({ sub: 'bob' }),
      'the virtual account alice': key,
      'nobody in particular': undefined,
    }
    return { world, wiki, callers }
  }

  test('is unknown, by POST, GET and DELETE, whoever the other is, and nothing reaches the upstream', async () => {
    const { world, wiki, callers } = await open()
    const url = world.endpoint('dev/one')
    for (const [owner, token] of Object.entries(callers)) {
      const headers = await openSession(url, token)
      const reached = wiki.requests.length
      for (const [name, other] of Object.entries(callers)) {
        if (name === owner) continue
        const answers = await Promise.all([
          rpc(url, { token: other, headers, body: ask('tools/list') }),
          rpc(url, { token: other, headers, body: { jsonrpc: '2.0', method: 'notifications/initialized' } }),
          rpc(url, { token: other, headers, method: 'GET' }),
          rpc(url, { token: other, headers, method: 'DELETE' }),
        ])
        expect([owner, name, answers.map(({ status }) => status)]).toEqual([owner, name, [404, 404, 404, 404]])
        expect(answers.every(({ text }) => !text.includes('upstream-session'))).toBe(true)
      }
      // Nor on another server, though it is the caller's own.
      expect((await rpc(world.endpoint('dev/two'), { token, headers, body: ask('tools/list') })).status).toBe(404)
      expect(wiki.requests.length).toBe(reached)
      expect((await rpc(url, { token, headers, body: ask('tools/list') })).status).toBe(200)
    }
  })

  test('does not become good by being cached for its owner, nor by a change of its bytes', async () => {
    const { world, callers } = await open()
    const url = world.endpoint('dev/one')
    const token = callers['bob of partner']
    const headers = await openSession(url, token)
    const id = headers['mcp-session-id']
    for (let turn = 0; turn < 3; turn++) {
      expect((await rpc(url, { token, headers, body: ask('tools/list') })).status).toBe(200)
      expect((await rpc(url, { token: callers['alice of partner'], headers, body: ask('tools/list') })).status).toBe(
        404,
      )
    }
    for (const forged of [
      `${id}x`,
      id.slice(0, -1),
      id.toUpperCase(),
      'upstream-session',
      '',
      '.',
      id.replace('.', '..'),
    ]) {
      const answer = await rpc(url, {
        token,
        headers: { ...headers, 'mcp-session-id': forged },
        body: ask('tools/list'),
      })
      expect([forged === id, answer.status]).toEqual([false, 404])
    }
  })

  test('is the same session by both endpoints of one server', async () => {
    const { world, callers } = await open()
    const token = callers['bob of partner']
    const headers = await openSession(world.endpoint('dev/one'), token)
    const byId = `${world.origin}/api/llm/mcp/one/server`
    expect((await rpc(byId, { token, headers, body: ask('tools/list') })).status).toBe(200)
    expect((await rpc(byId, { token: undefined, headers, body: ask('tools/list') })).status).toBe(404)
  })

  test('takes over no stream: the owner’s goes on', async () => {
    const { world, callers } = await open()
    const url = world.endpoint('dev/one')
    const token = callers['bob of partner']
    const headers = await openSession(url, token)
    const stream = listen(await send(url, { token, headers, method: 'GET' }))
    await expect.poll(() => stream.text()).toContain(': here')
    for (const other of [callers['alice of partner'], callers['nobody in particular']]) {
      const answer = await rpc(url, {
        token: other,
        headers: { ...headers, 'last-event-id': '1' },
        method: 'GET',
      })
      expect([answer.status, answer.text.includes('here')]).toEqual([404, false])
      expect((await rpc(url, { token: other, headers, method: 'DELETE' })).status).toBe(404)
    }
    expect(await Promise.race([stream.ended, Promise.resolve('open')])).toBe('open')
  })
})

describe('the consent of somebody else', () => {
  test('a link made for alice of one provider is nothing to alice of another', async () => {
    const partner = await startKeyServer()
    onTestFinished(() => partner.close())
    const corp = await startKeyServer()
    onTestFinished(() => corp.close())
    const { world, url, link, browserOf } = await startConsentWorld({
      provider: corp,
      integrations: {
        corp: { issuer: corp.issuer, audience: AUDIENCE },
        partner: { issuer: partner.issuer, audience: AUDIENCE },
      },
      access: [{ to: 'user:corp/*', on: '*' }],
    })
    const made = await link(await world.jwt('alice'))
    const page = await browserOf('alice@partner').load(made)
    expect(page.status).toBe(403)
    expect(page.body).not.toContain('Notes')
    expect((await rpc(url, { token: await world.jwt('alice'), body: ask('ping') })).json.error.code).toBe(4011)
  })

  test('every agent has a link of its own: nobody is shown that of another', async () => {
    const { world, link } = await startConsentWorld()
    const links = await Promise.all(['alice', 'bob', 'carol'].map(async (name) => link(await world.jwt(name))))
    expect(new Set(links).size).toBe(3)
  })

  test('a link for a virtual account opens for the owner who asked, not for another owner nor for the same at another provider', async () => {
    const { world, browserOf } = await startConsentWorld({
      virtualAccounts: { ci: { owners: ['user:corp/alice@example.com', 'user:corp/bob@example.com'] } },
      access: [{ to: 'virtual-account:ci', on: '*' }],
    })
    const who = { authorization: `Bearer ${await world.jwt('alice')}` }
    const made = await world.gateway.connections.connectUrl({ server: 'dev/notes', who, forVirtualAccount: 'ci' })
    expect((await browserOf('bob').load(made)).status).toBe(403)
    expect((await browserOf('mallory').load(made)).status).toBe(403)
    expect((await browserOf('alice').load(made)).status).toBe(200)
    // The account itself has no say in that.
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
    const self = { server: 'dev/notes', who: { authorization: `Bearer ${key}` }, forVirtualAccount: 'ci' }
    await expect(world.gateway.connections.connectUrl(self)).rejects.toMatchObject({ code: 'ERR_ACCESS' })
  })

  test('an owner who is none any more does not finish what they began', async () => {
    const account = { owners: ['user:corp/alice@example.com'] }
    const { world, browserOf, server } = await startConsentWorld({
      virtualAccounts: { ci: account },
      access: [{ to: 'virtual-account:ci', on: '*' }],
    })
    const who = { authorization: `Bearer ${await world.jwt('alice')}` }
    const made = await world.gateway.connections.connectUrl({ server: 'dev/notes', who, forVirtualAccount: 'ci' })
    const browser = browserOf('alice')
    const page = await browser.load(made)
    await world.gateway.configure({
      servers: { 'dev/notes': server },
      access: [{ to: 'virtual-account:ci', on: '*' }],
      virtualAccounts: { ci: { owners: ['user:corp/bob@example.com'] } },
    })
    expect((await browser.submit(page, {})).status).toBe(403)
    expect(await world.gateway.connections.list({ virtualAccount: 'ci' })).toEqual([])
  })

  /** Stops at the answer of the authorization server: the URL of the callback. */
  async function callbackOf({ link, browserOf, world }: Awaited<ReturnType<typeof startConsentWorld>>, name: string) {
    const browser = browserOf(name)
    const page = await browser.load(await link(await world.jwt(name)))
    const sent = await browser.submit(page, {}, { follow: false })
    const state = new URL(String(sent.headers.location)).searchParams.get('state') ?? ''
    const answered = await browser.load(String(sent.headers.location), { follow: false })
    return { browser, state, callback: String(answered.headers.location) }
  }

  test('a callback in the browser of somebody else connects nobody, and what was begun can still be finished', async () => {
    const consents = await startConsentWorld()
    const { world, url, provider, browserOf } = consents
    const mallory = await callbackOf(consents, 'mallory')
    expect(mallory.callback.startsWith(world.origin)).toBe(true)
    for (const browser of [browserOf('alice'), browserOf('mallory')]) {
      expect((await browser.load(mallory.callback)).status).toBeGreaterThanOrEqual(400)
    }
    expect(provider.asked.filter(({ path }) => path === '/token')).toEqual([])
    expect((await rpc(url, { token: await world.jwt('alice'), body: ask('ping') })).json.error.code).toBe(4011)
    expect((await mallory.browser.load(mallory.callback)).status).toBe(200)
    expect((await rpc(url, { token: await world.jwt('mallory'), body: ask('ping') })).json.result).toBeDefined()
  })

  test('the code of somebody else in a callback of one’s own is no connection (PKCE)', async () => {
    const consents = await startConsentWorld()
    const { world, url } = consents
    const mallory = await callbackOf(consents, 'mallory')
    const alice = await callbackOf(consents, 'alice')
    const swapped = new URL(mallory.callback)
    swapped.searchParams.set('state', alice.state)
    expect((await alice.browser.load(swapped.href)).status).toBeGreaterThanOrEqual(400)
    expect((await rpc(url, { token: await world.jwt('alice'), body: ask('ping') })).json.error.code).toBe(4011)
    for (const state of ['', 'x', mallory.state]) {
      swapped.searchParams.set('state', state)
      expect((await alice.browser.load(swapped.href)).status).toBeGreaterThanOrEqual(400)
    }
    expect((await rpc(url, { token: await world.jwt('alice'), body: ask('ping') })).json.error.code).toBe(4011)
  })
})

describe('the requestState of somebody else', () => {
  const canOpen = { capabilities: { elicitation: { url: {} } } }

  async function asked(url: string, token: string, name = 'ok', args: object = { a: 1 }) {
    const answer = await rpc(url, { token, ...modern('tools/call', { name, arguments: args }, canOpen) })
    return answer.json.result.requestState as string
  }

  test('is refused for another caller, server, tool and argument; nothing reaches the upstream', async () => {
    const stub = await startStub()
    const { world, url, notes, connect } = await startConsentWorld({
      more: { 'dev/open': { url: stub.url, auth: { type: 'none' } } },
    })
    const alice = await world.jwt('alice')
    const state = await asked(url, alice)
    const bob = await connect('bob')
    const reached = notes.requests.length
    const call = { name: 'ok', arguments: { a: 1 } }
    const withState = (params: object) => modern('tools/call', { ...params, requestState: state }, canOpen)
    const bobs = await rpc(url, { token: bob, ...withState(call) })
    expect(bobs.json.error.code).toBe(-32602)
    expect((await rpc(world.endpoint('dev/open'), { token: alice, ...withState(call) })).json.error.code).toBe(-32602)
    await connect('alice')
    for (const other of [
      { ...call, name: 'evil' },
      { ...call, arguments: { a: 2 } },
      { ...call, arguments: [] },
    ]) {
      expect((await rpc(url, { token: alice, ...withState(other) })).json.error.code).toBe(-32602)
    }
    expect(
      notes
        .methods()
        .slice(reached)
        .filter((method) => method === 'tools/call'),
    ).toEqual([])
    expect(stub.requests).toEqual([])
    // It grants nothing, and is cut out where it is good.
    const good = await rpc(url, { token: alice, ...withState(call) })
    expect(good.json.result.content[0].text).toBe('did ok')
    expect(notes.requests.at(-1)?.body).not.toContain('requestState')
  })

  test('helps nobody to a tool that is not granted', async () => {
    const { world, url, connect, notes } = await startConsentWorld({
      access: [{ to: 'user:corp/*', on: '*', tools: ['ok'] }],
    })
    const token = await world.jwt('alice')
    const state = await asked(url, token)
    await connect('alice')
    const denied = modern('tools/call', { name: 'evil', arguments: { a: 1 }, requestState: state }, canOpen)
    expect((await rpc(url, { token, ...denied })).json.error.code).toBe(-32602)
    const shown = await rpc(url, { token, ...modern('tools/call', { name: 'evil', arguments: {} }, canOpen) })
    expect(shown.text).not.toContain('requestState')
    expect(notes.requests.every(({ body }) => !body.includes('evil'))).toBe(true)
    // The legacy eras know of no state: there it is an argument like others, and goes to nobody as a pass.
    const legacy = await rpc(url, { token, body: callTool('evil') })
    expect(legacy.json.error.code).toBe(-32602)
  })
})
