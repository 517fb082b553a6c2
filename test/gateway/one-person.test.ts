/**
 * Everything real: `oidc-provider` for people and for the upstream, a guard whose login the consent pages use, SQLite, the SDK's
 * clients and servers. One person by JWT, personal token and browser session (G22), whose connection outlives a restart (G8, G13).
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { createGuard, generateKey } from 'sallyport'
import { createGateway } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { FormBrowser } from '../support/form-browser.ts'
import { API, type LoginProvider, PASSWORD, startLoginProvider } from '../support/login-provider.ts'
import { startProtectedServer } from '../support/mcp/protected-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { temporaryFolder } from '../support/temp-server.ts'

const SECRET = 'a-secret-of-the-gateway-0123456789-0123456789'
const CODE = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code' as const] }

async function listen(): Promise<{ server: Server; origin: string }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Does what pages ask for until there is nothing left to do. */
async function follow(browser: FormBrowser, url: string, name: string) {
  let page = await browser.load(url)
  for (let step = 0; step < 8 && /<form[^>]*method="post"/i.test(page.body); step++) {
    const isSignIn = page.body.includes('id="password"')
    page = await browser.submit(page, isSignIn ? { name, password: PASSWORD } : {})
  }
  return page
}

/** An access token for the API, by the code flow of an application of the person's own. */
async function tokenOf(provider: LoginProvider, redirectUri: string, name: string): Promise<string> {
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    client_id: 'app',
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid orders:read',
    resource: API,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const { url } = await follow(new FormBrowser(), `${provider.issuer}/auth?${query}`, name)
  const response = await fetch(`${provider.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'app',
      code: new URL(url).searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: verifier,
      resource: API,
    }),
  })
  return ((await response.json()) as { access_token: string }).access_token
}

test('G22 G8 one person connects once, and is known by JWT, personal token and browser, also after a restart', async () => {
  const { server, origin } = await listen()
  const folder = temporaryFolder('one-person')
  const corp = await startLoginProvider({
    clients: [
      { ...CODE, client_id: 'gw', client_secret: SECRET, redirect_uris: [`${origin}/.sallyport/callback/corp`] },
      { ...CODE, client_id: 'app', token_endpoint_auth_method: 'none', redirect_uris: [`${origin}/app`] },
    ],
  })
  const service = await startLoginProvider({
    clients: [{ ...CODE, client_id: 'notes', client_secret: SECRET, redirect_uris: [`${origin}/consented`] }],
    adjust: (configuration) => ({
      ...configuration,
      // Browsers do not tell the ports of one host apart.
      cookies: { keys: ['only-for-tests'], names: { session: 's', interaction: 'i', resume: 'r' } },
    }),
  })
  const notes = await startProtectedServer({
    server: await startSdk2Server({ name: 'notes' }),
    issuer: service.issuer,
    audience: API,
  })
  const keys = [generateKey()]
  // People sign in by ID token; agents come with access tokens, which stock clients get by themselves.
  const integrations = { corp: { issuer: corp.issuer, audience: API } }
  const forBrowsers = {
    corp: {
      issuer: corp.issuer,
      audience: 'gw',
      jwtSource: 'id_token',
      oauth2: { clientId: 'gw', clientSecret: SECRET, scopes: ['openid', 'email'] },
    },
  } as const

  /** One run of the program. */
  function run() {
    const store = sqliteStore(join(folder.path, 'tokens.db'))
    const guard = createGuard({
      integrations: forBrowsers,
      login: { url: origin, keys, store },
      routes: [
        { path: '/app', auth: { type: 'none' } },
        { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
      ],
    })
    const gateway = createGateway({
      url: origin,
      store,
      keys,
      integrations,
      signIn: guard,
      servers: {
        'dev/notes': {
          url: notes.url,
          auth: {
            type: 'oauth2',
            issuer: service.issuer,
            clientId: 'notes',
            clientSecret: SECRET,
            scopes: ['openid', 'orders:read'],
            resource: API,
            callbackPath: '/consented',
          },
        },
      },
      access: [{ to: 'user:corp/*@example.com', on: 'dev/*' }],
    })
    const handler = sallyport(gateway, guard)((_request, response) => void response.end('the application'))
    server.removeAllListeners('request')
    server.on('request', handler)
    return {
      gateway,
      async end() {
        await gateway.close()
        await guard.close()
        await store.close()
      },
    }
  }

  let running = run()
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await running.end()
    await Promise.all([corp.close(), service.close(), notes.close()])
    folder.remove()
  })
  await running.gateway.ready()
  const url = new URL(`${origin}/mcp/dev/notes/server`)
  // Stock clients are sent to where such tokens come from (RFC 9728).
  const metadata = await fetch(`${origin}/.well-known/oauth-protected-resource${url.pathname}`)
  expect(await metadata.json()).toMatchObject({ authorization_servers: [corp.issuer] })
  const jwt = await tokenOf(corp, `${origin}/app`, 'alice')

  /** Who a tool says that they are, by a client of either version. */
  async function whoami(token: string, version: 1 | 2): Promise<string> {
    const requestInit = { headers: { authorization: `Bearer ${token}` } }
    const client =
      version === 1
        ? new Client1({ name: 'test', version: '1' })
        : new Client2({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    const transport = version === 1 ? new Transport1(url, { requestInit }) : new Transport2(url, { requestInit })
    try {
      await client.connect(transport as never)
      const { content } = (await client.callTool({ name: 'whoami', arguments: {} })) as { content: { text: string }[] }
      return content[0]?.text ?? ''
    } finally {
      await client.close()
    }
  }
  const missing = async (token: string, version: 1 | 2) => {
    const error = await whoami(token, version).then(
      () => undefined,
      (thrown: unknown) => thrown as Error & { data?: unknown },
    )
    return /Please visit: (\S+)/.exec(String(error?.data ?? error?.message))?.[1] ?? String(error)
  }

  const link = await missing(jwt, 1)
  expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/connect\//)
  expect(await missing(jwt, 2)).toBe(link)

  // Somebody else at the browser: not their link.
  const mallory = await follow(new FormBrowser(), link, 'mallory')
  expect(mallory.status).toBe(403)
  expect(await missing(jwt, 1)).toBe(link)

  const browser = new FormBrowser()
  expect((await follow(browser, link, 'alice')).status).toBe(200)
  expect([await whoami(jwt, 1), await whoami(jwt, 2)]).toEqual(['alice', 'alice'])

  // By a personal token, made for whoever the JWT is.
  const me = await running.gateway.identify(`Bearer ${jwt}`)
  if (me === null) throw new Error('nobody')
  const { key } = await running.gateway.keys.create(me, { name: 'laptop' })
  expect([await whoami(key, 1), await whoami(key, 2)]).toEqual(['alice', 'alice'])

  await running.end()
  running = run()
  expect([await whoami(jwt, 2), await whoami(key, 1)]).toEqual(['alice', 'alice'])
  expect(await running.gateway.connections.list(me)).toMatchObject([{ server: 'dev/notes', state: 'connected' }])
  expect(await running.gateway.connections.revoke(me, 'dev/notes')).toBe(true)
  expect(await missing(key, 2)).toMatch(/\/connect\//)
}, 60_000)
