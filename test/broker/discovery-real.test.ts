/** B5 with real parts: `oidc-provider` registers the gateway, or fetches its metadata document; the MCP server is one of the SDK. */
import type { Configuration } from 'oidc-provider'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FormBrowser } from '../support/form-browser.ts'
import { type LoginProvider, PASSWORD, startLoginProvider } from '../support/login-provider.ts'
import { startProtectedServer } from '../support/mcp/protected-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { json, startOpenProvider, startOpenServer } from './open-site.ts'
import { type Bureau, type BureauOptions, openBureau, person, SERVER, wish } from './setup.ts'

const GATEWAY = 'https://gw.example.com'
const ALICE = person('alice').id

/** A provider with a feature more, a protected server that trusts it, and a gateway that knows the server's URL. */
async function openReal(features: Configuration['features'], options: BureauOptions = {}) {
  let bureau: Bureau | undefined
  let resource = ''
  const provider = await startLoginProvider({
    clients: [],
    adjust: (configuration) => ({
      ...configuration,
      clientAuthMethods: ['client_secret_basic', 'none'],
      features: { ...configuration.features, ...features },
      // The gateway's name is known to nobody: it is here.
      fetch: (url, init) => {
        const { dispatcher: _, ...rest } = (init ?? {}) as RequestInit & { dispatcher?: unknown }
        return fetch(String(url).replace(GATEWAY, bureau?.origin ?? ''), {
          ...rest,
          headers: { ...(rest.headers as Record<string, string>), 'x-forwarded-host': 'gw.example.com' },
        })
      },
      loadExistingGrant: async (ctx) => {
        const grant = new ctx.oidc.provider.Grant({
          clientId: ctx.oidc.client?.clientId ?? '',
          accountId: ctx.oidc.session?.accountId ?? '',
        })
        grant.addOIDCScope('openid offline_access')
        grant.addResourceScope(resource, 'orders:read')
        await grant.save()
        return grant
      },
    }),
  })
  onTestFinished(() => provider.close())
  const upstream = await startProtectedServer({
    server: await startSdk2Server(),
    issuer: provider.issuer,
    scopes: ['orders:read'],
  })
  onTestFinished(() => upstream.close())
  resource = upstream.url
  const server = { id: SERVER, url: upstream.url, label: 'Orders', auth: { type: 'oauth2' } as const }
  bureau = await openBureau({ servers: [server], ...options })
  return Object.assign(bureau, { provider, upstream })
}

/** From the link to the end, through the provider's own form. */
async function connectReal(bureau: Bureau & { readonly provider: LoginProvider }, browser: FormBrowser) {
  const page = await browser.load(await bureau.broker.connectUrl(wish('alice')))
  const asked = await browser.submit(page, {})
  if (!asked.body.includes('id="password"')) throw new Error(`no form: ${asked.status} ${asked.url} ${asked.body}`)
  return browser.submit(asked, { name: 'bob', password: PASSWORD })
}

/** Whether the MCP server takes what the gateway has. */
async function use(bureau: Bureau, url: string): Promise<number> {
  const found = await bureau.broker.tokens(ALICE, SERVER)
  if (found.kind !== 'tokens') throw new Error(found.kind)
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${found.tokens.accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    }),
  })
  await response.body?.cancel()
  return response.status
}

describe('oidc-provider', () => {
  it('registers the gateway (RFC 7591); the SDK server takes its tokens, refreshed ones too, and they are revoked', async () => {
    const real = await openReal({ registration: { enabled: true } })
    const done = await connectReal(real, real.browserOf('alice'))
    expect(done.body).toContain('Orders is connected')
    expect(real.provider.asked.get('POST /reg')).toBe(1)
    expect(await use(real, real.upstream.url)).toBe(200)
    const found = await real.broker.tokens(ALICE, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    expect(await real.broker.tokens(ALICE, SERVER, { rejected: found.stamp })).toMatchObject({ kind: 'tokens' })
    expect(await use(real, real.upstream.url)).toBe(200)
    await real.broker.disconnect(ALICE, SERVER)
    expect(real.events.map(({ kind }) => kind)).not.toContain('revocation_failed')
    expect(real.provider.asked.get('POST /token/revocation')).toBe(2)
  })

  it('fetches the metadata document of the gateway, and nothing is registered', async () => {
    const features = {
      registration: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
    } as Configuration['features']
    const real = await openReal(features, { url: GATEWAY })
    const browser = new FormBrowser(new Map([[GATEWAY, Number(new URL(real.origin).port)]]))
    browser.setCookie('gw.example.com', 'who', 'alice')
    const done = await connectReal(real, browser)
    expect(done.body).toContain('Orders is connected')
    expect(done.way.map((url) => new URL(url).pathname)).toContain('/oauth2/callback/client')
    expect(real.provider.asked.get('POST /reg')).toBeUndefined()
    expect(await use(real, real.upstream.url)).toBe(200)
    const found = await real.broker.tokens(ALICE, SERVER)
    expect(found).toMatchObject({ kind: 'tokens', tokens: { clientId: `${GATEWAY}/oauth2/client.json` } })
    expect(real.broker.redirectUrls()).toEqual([{ server: SERVER, redirectUrl: `${GATEWAY}/oauth2/callback/client` }])
  })
})

describe('the metadata document', () => {
  const document = (bureau: Bureau, method = 'GET') => fetch(`${bureau.origin}/oauth2/client.json`, { method })

  it('says who the gateway is, to everybody', async () => {
    const upstream = await startOpenServer([])
    const bureau = await openBureau({ servers: [upstream.server], url: GATEWAY })
    const response = await document(bureau)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({
      client_id: `${GATEWAY}/oauth2/client.json`,
      client_name: 'sallyport MCP gateway',
      client_uri: GATEWAY,
      redirect_uris: [`${GATEWAY}/oauth2/callback/client`],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'web',
    })
    expect((await document(bureau, 'POST')).status).toBe(405)
    expect(await (await document(bureau, 'HEAD')).text()).toBe('')
  })

  it.each([
    ['http, where nobody could fetch it', { servers: 'found', url: undefined }],
    ['servers that all have a client of their own', { servers: 'configured', url: GATEWAY }],
  ])('is not there with %s', async (_, { servers, url }) => {
    const upstream = await startOpenServer([], servers === 'found' ? {} : { clientId: 'mine' })
    const bureau = await openBureau({ servers: [upstream.server], ...(url && { url }) })
    expect(await (await document(bureau)).text()).toBe('the application')
  })

  it.each<[string, Record<string, unknown>, object, boolean]>([
    ['is used where the server takes it and sends iss', {}, {}, true],
    [
      'not without iss: anybody can name the client at any server, and only iss tells answers apart',
      { iss: false },
      {},
      false,
    ],
    [
      'not where public clients are not taken',
      { token_endpoint_auth_methods_supported: ['client_secret_basic'] },
      {},
      false,
    ],
    ['not with a callback that somebody has chosen', {}, { callbackPath: '/back' }, false],
    ['not where a client is configured', {}, { clientId: 'mine' }, false],
  ])('%s', async (_, { iss = true, ...metadata }, auth, expected) => {
    const provider = await startOpenProvider()
    provider.clients.set('mine', undefined)
    Object.assign(provider.metadata, {
      client_id_metadata_document_supported: true,
      authorization_response_iss_parameter_supported: iss,
      ...metadata,
    })
    const upstream = await startOpenServer([provider.issuer], auth)
    const bureau = await openBureau({ servers: [upstream.server], url: GATEWAY })
    const browser = new FormBrowser(new Map([[GATEWAY, Number(new URL(bureau.origin).port)]]))
    browser.setCookie('gw.example.com', 'who', 'alice')
    const done = await browser.submit(await browser.load(await bureau.broker.connectUrl(wish('alice'))), {})
    expect(done.body).toContain('is connected')
    const found = await bureau.broker.tokens(ALICE, SERVER)
    const clientId = found.kind === 'tokens' ? found.tokens.clientId : ''
    expect(clientId === `${GATEWAY}/oauth2/client.json`).toBe(expected)
  })

  it('an answer without iss counts for nothing at its callback, whatever the server announces by then', async () => {
    const provider = await startOpenProvider()
    provider.metadata.client_id_metadata_document_supported = true
    const upstream = await startOpenServer([provider.issuer])
    const bureau = await openBureau({ servers: [upstream.server], url: GATEWAY })
    const browser = new FormBrowser(new Map([[GATEWAY, Number(new URL(bureau.origin).port)]]))
    browser.setCookie('gw.example.com', 'who', 'alice')
    const page = await browser.load(await bureau.broker.connectUrl(wish('alice')))
    provider.iss = undefined
    provider.routes.set(
      'GET /.well-known/oauth-authorization-server',
      json({ ...provider.metadata, authorization_response_iss_parameter_supported: false }),
    )
    expect((await browser.submit(page, {})).status).toBe(400)
    expect(bureau.events.at(-1)?.detail).toContain('has no iss')
    expect(provider.count('POST /token')).toBe(0)
  })

  it('a registration that people have connected with stays, when the server takes documents one day', async () => {
    const provider = await startOpenProvider()
    const upstream = await startOpenServer([provider.issuer])
    const bureau = await openBureau({ servers: [upstream.server], url: GATEWAY })
    const browser = new FormBrowser(new Map([[GATEWAY, Number(new URL(bureau.origin).port)]]))
    browser.setCookie('gw.example.com', 'who', 'alice')
    await browser.submit(await browser.load(await bureau.broker.connectUrl(wish('alice'))), {})
    provider.metadata.client_id_metadata_document_supported = true
    bureau.clock.advance(120)
    await browser.submit(await browser.load(await bureau.broker.connectUrl(wish('alice'))), {})
    expect(await bureau.broker.tokens(ALICE, SERVER)).toMatchObject({
      kind: 'tokens',
      tokens: { clientId: [...provider.clients.keys()][0] },
    })
  })
})
