/**
 * Where the clients play: a gateway on a real server with SQLite behind it, a guard that signs people in, two authorization
 * servers, and MCP servers of each kind.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createGuard, generateKey, type Integration } from 'sallyport'
import { type AuditEvent, createGateway, type Gateway } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { API } from '../support/login-provider.ts'
import type { McpFixture } from '../support/mcp/calls.ts'
import { startEverythingServer } from '../support/mcp/everything-server.ts'
import { type ProtectedServer, startProtectedServer } from '../support/mcp/protected-server.ts'
import { type Sdk1Server, startSdk1Server } from '../support/mcp/sdk1-server.ts'
import { type Sdk2Server, startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { freePort, temporaryFolder } from '../support/temp-server.ts'
import { jwtFor } from './application.ts'
import type { FoundParts } from './parts.ts'
import { APPLICATION, nameAtService, PEOPLE, startIdentityProvider, startServiceProvider } from './providers.ts'
import { formVisitor, type Visitor } from './visitor.ts'

/** The credential that `data/hub` wants. */
export const HUB_KEY = 'hub-key-of-the-gateway-0123456789'
const CLIENT_SECRET = 'a-secret-of-the-gateway-0123456789-0123456789'

/** See the top of the file. */
export interface Stage {
  readonly origin: string
  /** The identity provider. */
  readonly issuer: string
  readonly gateway: Gateway
  readonly audits: readonly AuditEvent[]
  readonly parts: FoundParts
  readonly upstreams: Upstreams
  /** Where clients are sent back to after signing in by themselves. */
  readonly callbackUrl: string
  /** The endpoint of a server: `public/wiki`. */
  endpoint(server: string): string
  /** Somebody who has not been here before. */
  person(): Promise<TestPerson>
  /** Alice, who owns the virtual account `ci`. */
  readonly alice: TestPerson
  /** A token of the virtual account `ci`. */
  readonly accountToken: string
  /** Follows a link as that person; rejects unless they are told that it went well. */
  consent(person: TestPerson, url: string): Promise<void>
  /** Signs in at the identity provider as that person, where a client has sent them; where they were sent back to. */
  signIn(person: TestPerson, url: string): Promise<URL>
  close(): Promise<void>
}

/** The MCP servers, by what they are known as at the gateway. */
export interface Upstreams {
  readonly wiki: Sdk2Server
  readonly hub: Sdk2Server
  readonly notes: ProtectedServer<Sdk2Server>
  readonly orders: ProtectedServer<Sdk2Server>
  readonly board: Sdk1Server
  readonly everything: McpFixture
}

/** A person and what they come with. */
export interface TestPerson {
  readonly name: string
  readonly atService: string
  /** An access token of the identity provider's, for the API that the gateway and `core/orders` are. */
  readonly jwt: string
  /** A new personal token. */
  personalToken(): Promise<string>
}

/** Starts everything. `visitor` is who follows links. */
export async function openStage(parts: FoundParts, visitor: Visitor): Promise<Stage> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const callbackUrl = `${origin}/agent/callback`
  const servicePort = await freePort()
  const serviceIssuer = `http://127.0.0.1:${servicePort}`
  const common = { response_types: ['code' as const], grant_types: ['authorization_code', 'refresh_token'] }
  const provider = await startIdentityProvider([
    {
      ...common,
      client_id: 'gateway',
      client_secret: CLIENT_SECRET,
      redirect_uris: [`${origin}/.sallyport/callback/corp`],
    },
    { ...common, client_id: APPLICATION, token_endpoint_auth_method: 'none', redirect_uris: [callbackUrl] },
  ])
  const upstreams = await startUpstreams(provider.issuer, serviceIssuer)
  const folder = temporaryFolder('clients')
  const keys = [generateKey()]
  const store = sqliteStore(join(folder.path, 'gateway.db'))
  const corp: Integration = {
    issuer: provider.issuer,
    audience: API,
    oauth2: { clientId: 'gateway', clientSecret: CLIENT_SECRET, scopes: ['openid', 'orders:read'], resource: API },
  }
  const guard = createGuard({
    integrations: { corp },
    login: { url: origin, keys, store },
    routes: [
      { path: '/agent/callback', auth: { type: 'none' } },
      { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
    ],
  })
  const service = {
    type: 'oauth2' as const,
    issuer: serviceIssuer,
    clientId: 'gateway-at-notes',
    clientSecret: CLIENT_SECRET,
    scopes: ['notes:read'],
  }
  const gateway = createGateway({
    url: origin,
    store,
    keys,
    integrations: { corp },
    scopes: ['openid'],
    signIn: guard,
    virtualAccounts: { ci: { description: 'nightly agent', owners: ['user:corp/alice@example.com'] } },
    servers: {
      'public/wiki': { url: upstreams.wiki.url, auth: { type: 'none' } },
      'data/hub': { url: upstreams.hub.url, auth: { type: 'header', headers: { authorization: `Bearer ${HUB_KEY}` } } },
      'dev/notes': { url: upstreams.notes.url, auth: service, id: 'notes' },
      // The same one, of which it is known what it speaks.
      'dev/tasks': { url: upstreams.notes.url, auth: service, era: 'modern' },
      'core/orders': { url: upstreams.orders.url, auth: { type: 'passthrough', audience: API } },
      'legacy/board': { url: upstreams.board.url, auth: { type: 'none' } },
      'tools/everything': { url: upstreams.everything.url, auth: { type: 'none' } },
      'secret/vault': { url: upstreams.wiki.url, auth: { type: 'none' } },
    },
    virtualServers: {
      'team/desk': {
        tools: {
          'public/wiki': ['echo', 'add'],
          'dev/notes': { include: ['whoami'], prefix: 'notes_' },
          'dev/tasks': { include: ['add'], rename: { whoami: 'who_at_tasks' }, prefix: 'tasks_' },
        },
        prompts: { 'public/wiki': '*' },
      },
    },
    access: [
      { to: 'user:corp/*', on: 'team/*' },
      { to: 'user:corp/*', on: ['public/*', 'data/*', 'dev/*', 'core/*', 'legacy/*', 'tools/*'] },
      { to: 'virtual-account:ci', on: ['public/*', 'data/*', 'dev/*', 'core/*'] },
    ],
  })
  const audits: AuditEvent[] = []
  gateway.on('audit', (event) => void audits.push(event))
  const serviceProvider = await startServiceProvider(servicePort, {
    ...common,
    client_id: service.clientId,
    client_secret: CLIENT_SECRET,
    redirect_uris: [...new Set(gateway.redirectUrls().map(({ redirectUrl }) => redirectUrl))],
  })
  server.on(
    'request',
    sallyport(
      gateway,
      guard,
    )((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('You can close this tab.')
    }),
  )
  await Promise.all([guard.ready(), gateway.ready()])

  const names = PEOPLE.values()
  const nameAt = (name: string) => (at: string) => (at === serviceIssuer ? nameAtService(name) : name)

  async function newPerson(): Promise<TestPerson> {
    const { value: name } = names.next()
    if (name === undefined) throw new Error('there are more cases than people: see PEOPLE')
    const jwt = await jwtFor(provider.issuer, callbackUrl, nameAt(name))
    return {
      name,
      atService: nameAtService(name),
      jwt,
      async personalToken() {
        const identity = await gateway.identify(`Bearer ${jwt}`)
        if (identity === null) throw new Error('the gateway does not know its own user')
        // What a personal token may do is taken from the last sign-in, so there has to be one.
        await formVisitor(`${origin}/`, nameAt(name))
        return (await gateway.keys.create(identity, { name: 'laptop' })).key
      },
    }
  }

  const alice = await newPerson()
  const { key: accountToken } = await gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
  return {
    origin,
    issuer: provider.issuer,
    gateway,
    audits,
    parts,
    upstreams,
    callbackUrl,
    alice,
    accountToken,
    endpoint: (name) => `${origin}/mcp/${name}/server`,
    person: newPerson,
    async consent(person, url) {
      if (!url.startsWith(`${origin}/`)) throw new Error("a consent link that is not the gateway's")
      const before = audits.length
      const { text } = await visitor(url, nameAt(person.name))
      const told = audits.slice(before).filter((event) => event.type === 'connection')
      if (told.some(({ kind }) => kind === 'connected')) return
      throw new Error(`not connected: ${JSON.stringify(told)}, the page says ${JSON.stringify(text.slice(0, 300))}`)
    },
    signIn: async (person, url) => new URL((await visitor(url, nameAt(person.name))).url),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      await gateway.close()
      await guard.close()
      await store.close()
      await Promise.all([provider, serviceProvider, ...Object.values(upstreams)].map((each) => each.close()))
      folder.remove()
    },
  }
}

async function startUpstreams(issuer: string, serviceIssuer: string): Promise<Upstreams> {
  const [wiki, hub, notes, orders, board, everything] = await Promise.all([
    startSdk2Server({ name: 'wiki' }),
    startSdk2Server({
      name: 'hub',
      answers: 'json',
      async before(request, response) {
        if (request.headers.authorization === `Bearer ${HUB_KEY}`) return false
        response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
        return true
      },
    }),
    startSdk2Server({ name: 'notes', answers: 'sse' }).then((server) =>
      startProtectedServer({ server, issuer: serviceIssuer, scopes: ['notes:read'] }),
    ),
    startSdk2Server({ name: 'orders', sessions: false }).then((server) =>
      startProtectedServer({ server, issuer, audience: API }),
    ),
    startSdk1Server({ name: 'board' }),
    startEverythingServer(),
  ])
  return { wiki, hub, notes, orders, board, everything }
}
