/** G5, G16, G21, G12: consent for the members of a virtual server, their credentials, and headers of the caller's own. */
import type { IncomingHttpHeaders } from 'node:http'
import type { McpServer } from 'sallyport/gateway'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FormBrowser } from '../support/form-browser.ts'
import { startQuirkyProvider } from '../support/mcp/quirky-provider.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { cookieSignIn, done, modern, type Stub, startConsentWorld, startStub } from './attack-parts.ts'
import { during, GRANT, open, textOf } from './virtual-parts.ts'
import { ask, callTool, initialize, openSession, rpc, startWorld } from './world.ts'

/** Two members with accounts of each user's own, and one without. */
async function startMembers(require?: 'all' | 'any') {
  const one = await account()
  const two = await account()
  const plain = await during(startSdk2Server({ eras: 'modern' }))
  const issuers = new Map<string, string>()
  const world = await startWorld({
    signIn: cookieSignIn((name) => issuers.get(name) ?? ''),
    servers: {
      'dev/one': { url: one.stub.url, label: 'One', auth: one.provider.auth },
      'dev/two': { url: two.stub.url, label: 'Two', auth: two.provider.auth },
      'dev/plain': open(plain.url),
    },
    virtualServers: {
      'team/all': {
        ...(require === undefined ? {} : { require }),
        tools: { 'dev/one': ['ok', 'search'], 'dev/two': { prefix: 'two_' }, 'dev/plain': ['echo', 'whoami'] },
      },
    },
    access: [GRANT],
  })
  issuers.set('corp', world.provider.issuer)
  const url = world.endpoint('team/all')
  async function consent(link: string, name: string): Promise<number> {
    const browser = new FormBrowser()
    browser.setCookie('127.0.0.1', 'who', name)
    return (await browser.submit(await browser.load(link), {})).status
  }
  return { world, url, one: one.stub, two: two.stub, plain, consent, token: await world.jwt('alice') }
}

async function account(): Promise<{ stub: Stub; provider: Awaited<ReturnType<typeof startQuirkyProvider>> }> {
  const provider = await startQuirkyProvider('standard')
  onTestFinished(() => provider.close())
  const stub = await startStub()
  stub.answer = (request, response) => {
    const [, token = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
    if (provider.isGood(token)) return false
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
    return true
  }
  return { stub, provider }
}

const links = (text: string) => text.replace('Please visit: ', '').split(' , ')
const names = (result: { tools: { name: string }[] }) => result.tools.map(({ name }) => name)

describe("require: 'all'", () => {
  test('G16 connecting reports every missing consent at once, and works once they are given', async () => {
    const { url, token, consent, one, two } = await startMembers()
    const refused = await rpc(url, { token, body: initialize('2025-06-18') })
    expect(refused.status).toBe(200)
    expect(refused.json.error.code).toBe(4011)
    expect(refused.headers.get('mcp-session-id')).toBeNull()
    const urls = links(refused.json.error.data)
    expect(urls).toHaveLength(2)
    expect(refused.json.error.data).toBe(`Please visit: ${urls[0]} , ${urls[1]}`)
    // Nothing has reached the members for it.
    expect([...one.requests, ...two.requests]).toEqual([])
    // G21: the grant on the virtual server is enough to consent.
    expect(await consent(urls[0] ?? '', 'alice')).toBe(200)
    const half = await rpc(url, { token, body: initialize('2025-06-18') })
    expect(links(half.json.error.data)).toEqual([urls[1]])
    expect(await consent(urls[1] ?? '', 'alice')).toBe(200)
    const headers = await openSession(url, token)
    const list = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(names(list.json.result)).toEqual(['ok', 'search', 'two_ok', 'two_evil', 'two_search', 'echo', 'whoami'])
    expect(textOf((await rpc(url, { token, headers, body: callTool('two_ok') })).json.result)).toBe('did ok')
    // G14: each member its own token, the member without one none.
    const tokens = [one, two].map((stub) => new Set(stub.tokens()))
    expect(tokens.map(({ size }) => size)).toEqual([1, 1])
    expect(tokens[0]).not.toEqual(tokens[1])
    expect(textOf((await rpc(url, { token, headers, body: callTool('whoami') })).json.result)).toBe('nobody')
  })

  test('in each form that a client can use', async () => {
    const { url, token } = await startMembers()
    const urlError = await rpc(url, { token, body: initialize('2025-11-25', { elicitation: { url: {} } }) })
    expect(urlError.json.error.code).toBe(-32042)
    expect(urlError.json.error.data.elicitations).toHaveLength(2)
    const discover = await rpc(url, { token, ...modern('server/discover') })
    expect(discover.json.result).toMatchObject({ resultType: 'complete', capabilities: { tools: {} } })
    const list = await rpc(url, { token, ...modern('tools/list') })
    expect(links(list.json.error.data)).toHaveLength(2)
    const call = await rpc(url, {
      token,
      ...modern('tools/call', { name: 'ok' }, { capabilities: { elicitation: { url: {} } } }),
    })
    expect(call.json.result).toMatchObject({ resultType: 'input_required' })
    expect(Object.keys(call.json.result.inputRequests)).toHaveLength(2)
    const bare = await rpc(url, { token, ...modern('tools/call', { name: 'ok' }) })
    expect(links(bare.json.error.data)).toHaveLength(2)
  })

  test('a virtual account is told that a person is needed', async () => {
    const { world, url } = await startMembers()
    await world.gateway.virtualAccounts.create('ci', { owners: ['user:corp/alice@example.com'] })
    await world.gateway.access.add({ to: 'virtual-account:ci', on: 'team/all' })
    const { key: token } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'k' })
    const answer = await rpc(url, { token, body: initialize('2025-06-18') })
    expect(answer.json.error.code).toBe(4012)
  })
})

describe("require: 'any'", () => {
  test('connects, lists what is last known, and a call signals its own consent', async () => {
    const { world, url, token, consent } = await startMembers('any')
    const headers = await openSession(url, token)
    const list = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(names(list.json.result)).toEqual(['echo', 'whoami'])
    const call = await rpc(url, { token, headers, body: callTool('two_ok') })
    expect(call.json.error.code).toBe(4011)
    const [link = '', ...others] = links(call.json.error.data)
    expect(others).toEqual([])
    expect(await consent(link, 'alice')).toBe(200)
    expect(textOf((await rpc(url, { token, headers, body: callTool('two_ok') })).json.result)).toBe('did ok')
    const after = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(names(after.json.result)).toEqual(['two_ok', 'two_evil', 'two_search', 'echo', 'whoami'])
    // Somebody who is still to connect sees what there is.
    const bob = await world.jwt('bob')
    const bobs = await openSession(url, bob)
    const seen = await rpc(url, { token: bob, headers: bobs, body: ask('tools/list') })
    expect(names(seen.json.result)).toEqual(['two_ok', 'two_evil', 'two_search', 'echo', 'whoami'])
    expect((await rpc(url, { token: bob, headers: bobs, body: callTool('two_ok') })).json.error.code).toBe(4011)
  })
})

describe('what one user has listed', () => {
  const listed = async (url: string, token: string, list: string, headers: Record<string, string> = {}) =>
    (await rpc(url, { token, headers: { ...(await openSession(url, token)), ...headers }, body: ask(`${list}/list`) }))
      .text
  const mine = (server: string, sent: object) => ({ 'x-tfy-mcp-headers': JSON.stringify({ [server]: sent }) })
  /** Answers a list in its own way; the handshake and the rest as ever. */
  function lists(stub: Stub, method: string, answer: (headers: IncomingHttpHeaders) => object | undefined): void {
    const before = stub.answer
    stub.answer = (request, response, body) => {
      if (before(request, response, body)) return true
      if (!body.includes(`"${method}"`)) return false
      const result = answer(request.headers)
      if (result === undefined) return done(response.writeHead(500).end())
      response.writeHead(200, { 'content-type': 'application/json' })
      return done(response.end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result })))
    }
  }
  const named = (name: string) => ({ tools: [{ name, inputSchema: { type: 'object' } }] })

  test('of resources is shown to nobody who is still to connect', async () => {
    const { world, notes, connect, server } = await startConsentWorld()
    lists(notes, 'resources/list', () => ({ resources: [{ uri: 'notes://private/lawyer', name: 'To the lawyer' }] }))
    const alice = await connect('alice')
    await world.gateway.configure({
      servers: { 'dev/notes': server },
      virtualServers: { 'team/all': { tools: {}, resources: { 'dev/notes': '*' }, require: 'any' } },
      access: [GRANT],
    })
    const url = world.endpoint('team/all')
    expect(await listed(url, alice, 'resources')).toContain('lawyer')
    expect(await listed(url, await world.jwt('bob'), 'resources')).not.toContain('lawyer')
  })

  test('with headers of their own is shown to nobody who is still to connect', async () => {
    const { world, notes, connect, server } = await startConsentWorld()
    lists(notes, 'tools/list', (headers) => named(`of_${headers['x-workspace'] ?? 'all'}`))
    const alice = await connect('alice')
    await world.gateway.configure({
      servers: { 'dev/notes': server },
      virtualServers: { 'team/all': { tools: { 'dev/notes': '*' }, require: 'any' } },
      access: [GRANT],
    })
    const url = world.endpoint('team/all')
    const bob = await world.jwt('bob')
    const own = mine('dev/notes', { 'x-workspace': 'falcon' })
    expect(await listed(url, alice, 'tools', own)).toContain('of_falcon')
    expect(await listed(url, bob, 'tools')).not.toContain('of_falcon')
    expect(await listed(url, alice, 'tools')).toContain('of_all')
    expect(await listed(url, bob, 'tools')).toContain('of_all')
  })

  test('is not shown to others in place of what a member fails to list for them', async () => {
    const one = await startStub()
    const keys = new Map([
      ['Bearer admin', 'admin_wipe'],
      ['Bearer own', 'of_falcon'],
    ])
    lists(one, 'tools/list', ({ authorization = '' }) => {
      const name = keys.get(authorization)
      return name === undefined ? undefined : named(name)
    })
    const header = (token: string): McpServer => ({
      url: one.url,
      era: 'legacy',
      auth: { type: 'header', headers: { authorization: `Bearer ${token}` } },
    })
    const world = await startWorld({
      servers: { 'dev/admin': header('admin'), 'dev/small': header('small') },
      virtualServers: { 'team/admin': { tools: { 'dev/admin': '*' } }, 'team/all': { tools: { 'dev/small': '*' } } },
      access: [GRANT, { to: 'user:corp/alice@example.com', on: 'team/admin' }],
    })
    const [alice, bob] = [await world.jwt('alice'), await world.jwt('bob')]
    const url = world.endpoint('team/all')
    expect(await listed(world.endpoint('team/admin'), alice, 'tools')).toContain('admin_wipe')
    const own = mine('dev/small', { authorization: 'Bearer own' })
    expect(await listed(url, alice, 'tools', own)).toContain('of_falcon')
    expect(JSON.parse(await listed(url, bob, 'tools')).result.tools).toEqual([])
  })
})

describe('G12 x-tfy-mcp-headers', () => {
  async function startTwo() {
    const one = await startStub()
    const two = await startStub()
    const world = await startWorld({
      servers: {
        'dev/one': { url: one.url, auth: { type: 'header', headers: { authorization: 'Bearer shared' } } },
        'dev/two': open(two.url),
      },
      virtualServers: { 'team/all': { tools: { 'dev/one': ['ok'], 'dev/two': ['search'] } } },
      access: [{ to: 'user:corp/*', on: '*' }],
    })
    return { one, two, world, url: world.endpoint('team/all'), token: await world.jwt('alice') }
  }
  const field = (value: unknown) => ({ 'x-tfy-mcp-headers': JSON.stringify(value) })

  test('are by server on a virtual server', async () => {
    const { one, two, url, token } = await startTwo()
    const session = await openSession(url, token)
    const headers = { ...session, ...field({ 'dev/one': { Authorization: 'Bearer mine', 'X-A': '1' } }) }
    await rpc(url, { token, headers, body: callTool('ok') })
    await rpc(url, { token, headers, body: callTool('search') })
    const last = (stub: Stub) => stub.requests.findLast(({ body }) => body.includes('tools/call'))?.headers
    expect(last(one)).toMatchObject({ authorization: 'Bearer mine', 'x-a': '1' })
    expect(last(two)?.authorization).toBeUndefined()
    for (const stub of [one, two]) {
      for (const { headers: sent } of stub.requests) expect(sent['x-tfy-mcp-headers']).toBeUndefined()
    }
  })

  test.each([
    ['flat', { Authorization: 'Bearer mine' }, /flat object of headers, which is for one server/],
    ['for a server that is no member', { 'dev/three': { a: 'b' } }, /"dev\/three", which is no member/],
    ['a list', { 'dev/one': ['a'] }, /something else than an object/],
    ['with a header that is not for callers', { 'dev/two': { host: 'x' } }, /"dev\/two" is not right/],
  ])('%s are refused there', async (_, value, words) => {
    const { one, two, url, token } = await startTwo()
    const answer = await rpc(url, { token, headers: field(value), body: initialize() })
    expect(answer.status).toBe(400)
    expect(answer.json.error.message).toMatch(words)
    expect(answer.text).not.toContain('Bearer mine')
    expect([...one.requests, ...two.requests]).toEqual([])
  })

  test('by server are refused on one server', async () => {
    const { one, world, token } = await startTwo()
    const headers = field({ 'dev/one': { Authorization: 'Bearer mine' } })
    const answer = await rpc(world.endpoint('dev/one'), { token, headers, body: initialize() })
    expect(answer.status).toBe(400)
    expect(answer.json.error.message).toContain('headers by server are for virtual servers')
    expect(one.requests).toEqual([])
  })
})

test('somebody who has not said who they are is asked to, where a member needs it', async () => {
  const { world, url } = await startMembers('any')
  await world.gateway.access.add({ to: 'anonymous', on: 'team/all' })
  const list = await rpc(url, { ...modern('tools/list') })
  expect(names(list.json.result)).toEqual(['echo', 'whoami'])
  const answer = await rpc(url, { ...modern('tools/call', { name: 'two_ok' }) })
  expect(answer.status).toBe(401)
  expect(answer.headers.get('www-authenticate')).toContain('resource_metadata=')
})

test('a token that is good for too little asks for more (RFC 6750 §3.1)', async () => {
  const { url, token, consent, two } = await startMembers('any')
  const first = await rpc(url, { token, ...modern('tools/call', { name: 'two_ok' }) })
  expect(await consent(links(first.json.error.data)[0] ?? '', 'alice')).toBe(200)
  const usually = two.answer
  two.answer = (request, response, body) => {
    if (!body.includes('"evil"')) return usually(request, response, body)
    response.writeHead(403, { 'www-authenticate': 'Bearer error="insufficient_scope", scope="admin"' }).end()
    return true
  }
  expect(textOf((await rpc(url, { token, ...modern('tools/call', { name: 'two_ok' }) })).json.result)).toBe('did ok')
  const answer = await rpc(url, { token, ...modern('tools/call', { name: 'two_evil' }) })
  expect(answer.json.error.code).toBe(4011)
  expect(links(answer.json.error.data)).toHaveLength(1)
})

describe('a member that takes no token, not even a new one', () => {
  test('costs one refresh, however often an agent tries again, and the others go on', async () => {
    const { world, url, token, consent, one } = await startMembers('any')
    const first = await rpc(url, { token, ...modern('tools/call', { name: 'ok' }) })
    expect(await consent(links(first.json.error.data)[0] ?? '', 'alice')).toBe(200)
    expect(textOf((await rpc(url, { token, ...modern('tools/call', { name: 'ok' }) })).json.result)).toBe('did ok')
    one.answer = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
      return true
    }
    const before = one.requests.length
    for (let tries = 0; tries < 5; tries++) {
      const answer = await rpc(url, { token, ...modern('tools/call', { name: 'ok' }) })
      expect(answer.json.error.code).toBe(4011)
      expect(links(answer.json.error.data)).toHaveLength(1)
    }
    // Also where the same server is asked for by itself, with the same connection.
    await world.gateway.access.add({ to: 'user:corp/*', on: 'dev/one' })
    expect((await rpc(world.endpoint('dev/one'), { token, body: initialize('2025-06-18') })).json.error.code).toBe(4011)
    expect(new Set(one.tokens().slice(before)).size).toBe(2)
    const refreshed = world.audits.filter((event) => event.type === 'connection' && event.kind === 'refreshed')
    expect(refreshed).toHaveLength(1)
    const other = await rpc(url, { token, ...modern('tools/call', { name: 'echo', arguments: { text: 'here' } }) })
    expect(textOf(other.json.result)).toBe('here')
  })
})
