/** B5 through the gateway: a server of which nothing is configured but its URL, more scopes in mid-session, and `doctor`. */
import type { GateRequest, Identity, Secret, SignIn } from 'sallyport'
import type { GatewayConfig, McpServer } from 'sallyport/gateway'
import { describe, expect, test } from 'vitest'
import { identityId } from '../../src/identity/identity.ts'
import {
  json,
  type OpenProvider,
  RESOURCE_METADATA,
  startOpenProvider,
  startOpenServer,
  startSite,
} from '../broker/open-site.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { callTool, EVERYTHING, initialize, rpc, startWorld, type World } from './world.ts'

const NOTES = 'dev/notes'

function cookieSignIn(issuer: () => string): SignIn {
  return {
    integrations: ['corp'],
    async identify({ headers }: GateRequest): Promise<Identity | null> {
      const name = /(?:^|; )who=(\w+)/.exec(headers.cookie ?? '')?.[1]
      if (name === undefined) return null
      return { id: identityId(issuer(), name), integration: 'corp', subject: name, groups: [], claims: {} }
    },
    start: () => ({ status: 302, headers: { location: '/sign-in' } }),
  }
}

/** An MCP server that anybody may begin with, whose tool `write` needs another scope than the rest. */
async function startNotes(provider: OpenProvider) {
  const notes = await startOpenServer([provider.issuer])
  const challenge = notes.routes.get('POST /mcp')
  notes.routes.set('POST /mcp', (request, response) => {
    const [, token = ''] = /^Bearer (.*)$/.exec(request.headers.authorization ?? '') ?? []
    if (!provider.isGood(token)) return challenge?.(request, response)
    const { id, method, params } = JSON.parse(request.body)
    if (id === undefined) return response.writeHead(202).end()
    const scopes = provider.scopeOf(token).split(' ')
    if (params?.name === 'write' && !scopes.includes('notes:write')) {
      const field = 'Bearer error="insufficient_scope", scope="notes:write"'
      return json({ error: 'insufficient_scope' }, 403, { 'www-authenticate': field })(request, response)
    }
    const result =
      method === 'initialize'
        ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'notes', version: '1' } }
        : { content: [{ type: 'text', text: scopes.join(' ') }] }
    return json({ jsonrpc: '2.0', id, result })(request, response)
  })
  notes.metadata.scopes_supported = ['notes:read']
  return notes
}

async function openWorld(options: Partial<GatewayConfig> = {}) {
  const provider = await startOpenProvider()
  const notes = await startNotes(provider)
  let issuer = ''
  const world = await startWorld({
    signIn: cookieSignIn(() => issuer),
    servers: { [NOTES]: { url: notes.url, auth: { type: 'oauth2' } } },
    access: [EVERYTHING],
    ...options,
  })
  issuer = world.provider.issuer
  return { world, provider, notes }
}

async function consent(text: string, name: string) {
  const [, link = ''] = /Please visit: ([^\s"]+)"/.exec(text) ?? []
  const browser = new FormBrowser()
  browser.setCookie('127.0.0.1', 'who', name)
  return browser.submit(await browser.load(link), {})
}

async function connected(world: World, token: string) {
  const url = world.endpoint(NOTES)
  expect((await consent((await rpc(url, { token, body: initialize() })).text, 'alice')).body).toContain('is connected')
  const begun = await rpc(url, { token, body: initialize() })
  expect(begun.json.result.serverInfo.name).toBe('notes')
  const session = begun.headers.get('mcp-session-id') ?? ''
  return { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
}

test('B5 `{ url, auth: { type: "oauth2" } }`: a link, consent, and the same call works', async () => {
  const { world, provider } = await openWorld()
  await world.gateway.ready()
  const token = await world.jwt('alice')
  const headers = await connected(world, token)
  const answer = await rpc(world.endpoint(NOTES), { token, headers, body: callTool('read') })
  expect(answer.json.result.content[0].text).toBe('notes:read')
  expect(world.gateway.redirectUrls()).toEqual([
    { server: NOTES, redirectUrl: expect.stringContaining('/oauth2/callback/') },
  ])
  provider.endAccessTokens()
  expect((await rpc(world.endpoint(NOTES), { token, headers, body: callTool('read') })).json.result).toBeDefined()
})

test('B5 step-up: a call that needs more scope gets a link, and works after consent; the rest goes on', async () => {
  const { world } = await openWorld()
  const token = await world.jwt('alice')
  const headers = await connected(world, token)
  const refused = await rpc(world.endpoint(NOTES), { token, headers, body: callTool('write') })
  expect(refused.status).toBe(200)
  expect(refused.json.error.data).toMatch(/^Please visit: /)
  expect(refused.headers.get('www-authenticate')).toBeNull()
  const again = await rpc(world.endpoint(NOTES), { token, headers, body: callTool('write') })
  expect(again.json.error.data).toBe(refused.json.error.data)
  expect((await rpc(world.endpoint(NOTES), { token, headers, body: callTool('read') })).json.result).toBeDefined()
  await consent(refused.text, 'alice')
  const done = await rpc(world.endpoint(NOTES), { token, headers, body: callTool('write') })
  expect(done.json.result.content[0].text).toBe('notes:read notes:write')
  const event = await world.told(({ reason }) => reason === 'insufficient_scope')
  expect(event).toMatchObject({ outcome: 'authorization_required', upstreamStatus: 403 })
})

test('B5 step-up that was declined: the refusal reaches the client', async () => {
  const { world, provider } = await openWorld()
  provider.grants = () => 'notes:read'
  const token = await world.jwt('alice')
  const headers = await connected(world, token)
  await consent((await rpc(world.endpoint(NOTES), { token, headers, body: callTool('write') })).text, 'alice')
  const refused = await rpc(world.endpoint(NOTES), { token, headers, body: callTool('write') })
  expect(refused.status).toBe(403)
  expect(refused.text).not.toContain('Please visit')
})

test('a server that is removed while its token is refreshed: the call is to be tried again, and is told then', async () => {
  const { world, provider, notes } = await openWorld()
  await world.gateway.servers.set('dev/other', { url: notes.url, auth: { type: 'none' } })
  const token = await world.jwt('alice')
  const headers = await connected(world, token)
  provider.endAccessTokens()
  const held: (() => void)[] = []
  const usual = provider.routes.get('POST /token')
  provider.routes.set('POST /token', (request, response) => void held.push(() => usual?.(request, response)))
  const asking = rpc(world.endpoint(NOTES), { token, headers, body: callTool('read') })
  await expect.poll(() => held.length).toBe(1)
  await world.gateway.servers.remove(NOTES)
  for (const answer of held) answer()
  const { status, json: answer, headers: said } = await asking
  expect([status, answer.error.code, said.get('retry-after')]).toEqual([503, 5030, '1'])
  const event = await world.told(({ type, outcome }) => type === 'request' && outcome === 'failed')
  expect(event).toMatchObject({ reason: 'credential_unavailable', detail: expect.stringContaining(NOTES) })
  expect((await rpc(world.endpoint(NOTES), { token, headers, body: callTool('read') })).status).toBe(404)
})

describe('gateway.doctor', () => {
  const initialized = { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'old', version: '1' } }

  async function examined(config: McpServer) {
    const world = await startWorld({ signIn: 'link', servers: { [NOTES]: config } })
    const report = await world.gateway.doctor(NOTES)
    const about = (subject: string) => report.findings.filter((each) => each.about === subject)
    return { world, report, about }
  }

  test('a server that follows the specification', async () => {
    const provider = await startOpenProvider()
    provider.metadata.revocation_endpoint = `${provider.origin}/revoke`
    const notes = await startNotes(provider)
    const { report, about } = await examined({ url: notes.url, auth: { type: 'oauth2' } })
    expect(report).toMatchObject({ server: NOTES, verdict: 'good', suggestion: undefined })
    expect(about('authorization_server')[0]?.message).toContain(`${provider.issuer}, named by the MCP server`)
    expect(about('scopes')[0]?.message).toContain('notes:read')
    expect(report.text).toContain('the gateway registers itself when somebody connects for the first time')
    expect(provider.count('POST /register')).toBe(0)
    expect(notes.received.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  test('a provider that registers nobody: a client id is needed, and with which redirect URL', async () => {
    const provider = await startOpenProvider()
    delete provider.metadata.registration_endpoint
    const notes = await startNotes(provider)
    const { world, report } = await examined({ url: notes.url, auth: { type: 'oauth2' } })
    expect(report.verdict).toBe('bad')
    expect(report.suggestion).toEqual({ issuer: provider.issuer, clientId: '<as registered there>' })
    const [, redirectUrl] = /redirect URL (\S+)/.exec(report.text) ?? []
    await world.gateway.servers.set(NOTES, {
      url: notes.url,
      auth: { type: 'oauth2', issuer: provider.issuer, clientId: 'mine' },
    })
    expect(world.gateway.redirectUrls()).toEqual([{ server: NOTES, redirectUrl }])
    expect((await world.gateway.doctor(NOTES)).verdict).not.toBe('bad')
  })

  test.each<[string, (provider: OpenProvider) => void, string, object | undefined]>([
    ['no PKCE', (p) => void delete p.metadata.code_challenge_methods_supported, 'PKCE with S256', {}],
    [
      'another spelling',
      (p) => void Object.assign(p.metadata, { issuer: `${p.issuer}/` }),
      'one of them has a mistake',
      { slash: true },
    ],
    [
      'another issuer',
      (p) => void Object.assign(p.metadata, { issuer: 'https://evil.test' }),
      'names the issuer "https://evil.test"',
      undefined,
    ],
    [
      'a private endpoint',
      (p) => void Object.assign(p.metadata, { token_endpoint: 'http://10.0.0.1/t' }),
      'not https',
      undefined,
    ],
  ])('what a provider has wrong: %s', async (_, spoil, words, suggestion) => {
    const provider = await startOpenProvider()
    spoil(provider)
    const notes = await startNotes(provider)
    const { report } = await examined({ url: notes.url, auth: { type: 'oauth2' } })
    expect(report.verdict).toBe('bad')
    expect(report.text).toContain(words)
    const issuer = suggestion !== undefined && 'slash' in suggestion ? `${provider.issuer}/` : provider.issuer
    expect(report.suggestion).toEqual(suggestion && { issuer })
  })

  test('what works in another way than usual', async () => {
    const provider = await startOpenProvider()
    Object.assign(provider.metadata, {
      authorization_response_iss_parameter_supported: false,
      client_id_metadata_document_supported: true,
      grant_types_supported: ['authorization_code'],
    })
    const notes = await startNotes(provider)
    const { report, about } = await examined({ url: notes.url, auth: { type: 'oauth2' } })
    expect(report.verdict).toBe('attention')
    expect(about('refresh')[0]?.message).toContain('no refresh tokens')
    expect(about('revocation')[0]?.level).toBe('odd')
    expect(about('registration')[0]?.message).toContain('its metadata document is not used')
  })

  test.each<[string, McpServer['auth'], number, string, string]>([
    ['none where a credential is wanted', { type: 'none' }, 401, 'bad', "Try { type: 'oauth2' }"],
    ['none', { type: 'none' }, 200, 'good', 'it asks for no credential'],
    ['a header', { type: 'header', headers: { 'x-key': 'top-secret' } }, 401, 'good', 'has not been tried'],
    [
      'a header for nothing',
      { type: 'header', headers: { 'x-key': 'top-secret' } },
      200,
      'attention',
      'is auth of the type header needed?',
    ],
    ['a page', { type: 'none' }, 404, 'bad', 'is this its MCP endpoint?'],
    ['a redirect', { type: 'none' }, 307, 'bad', 'it redirects'],
  ])('servers of other kinds: %s', async (_, auth, status, verdict, words) => {
    const answer = { jsonrpc: '2.0', id: 1, result: initialized }
    const site = await startSite({ 'POST /mcp': json(answer, status, { location: '/elsewhere' }) })
    const { report } = await examined({ url: `${site.origin}/mcp?key=in-the-query`, auth })
    expect(report.verdict).toBe(verdict)
    expect(report.text).toContain(words)
    expect(report.text).not.toContain('in-the-query')
    expect(JSON.stringify([report, site.received])).not.toContain('top-secret')
  })

  test('nobody there, and metadata that is broken', async () => {
    const gone = await examined({ url: 'http://127.0.0.1:9/mcp', auth: { type: 'oauth2' } })
    expect(gone.report.text).toContain('it does not answer')
    const notes = await startOpenServer([])
    notes.routes.set(RESOURCE_METADATA, json({ resource: 'https://evil.test/\u001b[31m\nBAD' }))
    const { report } = await examined({ url: notes.url, auth: { type: 'oauth2' } })
    expect(report.verdict).toBe('bad')
    expect(report.text).not.toContain('\u001b')
    expect(report.suggestion).toEqual({ issuer: '<the issuer of its authorization server>' })
  })

  const discovered = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} }
  const notFound = { error: { code: -32601, message: 'Method not found' } }

  test.each<[string, McpServer['era'], (method: string) => object | string, string, string]>([
    ['a web page', undefined, () => '<h1>Welcome</h1>', 'bad', 'is this its MCP endpoint?'],
    ['JSON of something else', undefined, () => ({ hello: 'world' }), 'bad', 'is this its MCP endpoint?'],
    [
      'an old server, said to be old',
      'legacy',
      (method) => (method === 'initialize' ? { result: initialized } : notFound),
      'good',
      'it speaks 2025-11-25 or older',
    ],
    [
      'an old server, said to be new',
      'modern',
      (method) => (method === 'initialize' ? { result: initialized } : notFound),
      'attention',
      'it seems to speak the legacy one',
    ],
    [
      'a new one',
      undefined,
      (method) => (method === 'initialize' ? notFound : { result: discovered }),
      'good',
      'it speaks 2026-07-28\n',
    ],
    [
      'one of both, in events that go on',
      'legacy',
      (method) =>
        `data: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result: method === 'initialize' ? initialized : discovered })}\n\n`,
      'good',
      'it speaks 2026-07-28, and revisions before it',
    ],
  ])('what answers with 200: %s', async (_, era, answer, verdict, words) => {
    const site = await startSite({
      'POST /mcp': ({ body }, response) => {
        const said = answer(JSON.parse(body).method)
        const isText = typeof said === 'string'
        const type = isText ? (said.startsWith('data:') ? 'text/event-stream' : 'text/html') : 'application/json'
        response.writeHead(200, { 'content-type': type })
        if (type === 'text/event-stream') response.write(said)
        else response.end(isText ? said : JSON.stringify({ jsonrpc: '2.0', id: 1, ...said }))
      },
    })
    const config: McpServer = { url: `${site.origin}/mcp`, auth: { type: 'none' }, ...(era && { era }) }
    const { report } = await examined(config)
    expect(report.text).toContain(words)
    expect(report.verdict).toBe(verdict)
  })

  test('a shared key that is not there, and one that was not tried', async () => {
    const site = await startSite({
      'POST /mcp': (_, response) => response.writeHead(401, { 'www-authenticate': 'Bearer' }).end(),
    })
    const server = (authorization: Secret): McpServer => ({
      url: `${site.origin}/mcp`,
      auth: { type: 'header', headers: { authorization } },
    })
    const { report } = await examined(server({ secret: 'env:SALLYPORT_TEST_MISSING' }))
    expect(report.verdict).toBe('bad')
    expect(report.text).toContain('BAD  the secret "env:SALLYPORT_TEST_MISSING" is not set')
    const { report: untried } = await examined(server('Bearer a-key'))
    expect(untried.verdict).toBe('good')
    expect(untried.text.split('\n').at(-1)).toMatch(/^ {2}nothing is wrong so far, but the credential was not tried/)
    expect(site.received.some(({ headers }) => headers.authorization !== undefined)).toBe(false)
  })

  test('a client whose secret is not there', async () => {
    const clientSecret = { secret: 'env:SALLYPORT_TEST_MISSING' }
    const auth = { type: 'client_credentials', clientId: 'gw', clientSecret, tokenUrl: 'http://127.0.0.1:9/t' } as const
    const { about } = await examined({ url: 'http://127.0.0.1:9/mcp', auth })
    expect(about('registration')).toMatchObject([
      { level: 'bad', message: expect.stringContaining('SALLYPORT_TEST_MISSING') },
    ])
  })

  test('a server that does not exist', async () => {
    const { world } = await examined({ url: 'http://127.0.0.1:9/mcp', auth: { type: 'none' } })
    await expect(world.gateway.doctor('dev/note')).rejects.toMatchObject({ code: 'ERR_UNKNOWN_SERVER' })
  })
})
