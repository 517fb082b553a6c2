/**
 * A gateway with its own pages, everything real: a guard that signs people in at `oidc-provider`, MCP servers of each kind, one of
 * them with an authorization server of its own. On any of the servers that sallyport supports.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createGuard, type Guard, generateKey, type TokenStore } from 'sallyport'
import { type AuditEvent, createGateway, type Gateway, type GatewayConfig } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import { SERVERS, type TestServer } from '../browser/servers.ts'
import { FormBrowser, type LoadedPage } from '../support/form-browser.ts'
import { API, type LoginProvider, PASSWORD, startLoginProvider } from '../support/login-provider.ts'
import { startProtectedServer } from '../support/mcp/protected-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'

/** See the top of the file. */
export interface PortalWorld {
  readonly origin: string
  /** The URL of a page: `''` or `/tokens`. */
  page(path?: string): string
  readonly gateway: Gateway
  readonly guard: Guard
  readonly store: TokenStore
  /** What seals it. */
  readonly keys: readonly string[]
  /** Where people sign in, and the authorization server of `dev/notes`. */
  readonly corp: LoginProvider
  readonly service: LoginProvider
  readonly audits: AuditEvent[]
  /** Moves the clock of gateway and guard on. */
  advance(ms: number): void
  /** A browser that somebody has signed in with, and the first page. */
  signIn(name?: string): Promise<FormBrowser>
  close(): Promise<void>
}

/** What is different from the usual one. */
export interface PortalWorldOptions {
  readonly on?: TestServer['name']
  readonly config?: Partial<GatewayConfig>
  readonly people?: Readonly<Record<string, Record<string, unknown>>>
  /** Of the guard's sessions. */
  readonly idleSeconds?: number
  /** Of the tokens that people get with their sign-in. */
  readonly tokenSeconds?: number
  /** Stands between the gateway and its store. */
  readonly wrapStore?: (store: TokenStore) => TokenStore
}

const SECRET = 'a-secret-of-the-gateway-0123456789-0123456789'
const CODE = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code' as const] }

/** Everybody of the tests: an administrator of `dev/*`, one of everything, and two without such a role. */
export const PEOPLE = {
  alice: { email: 'alice@example.com', email_verified: true, name: 'Alice Ames', groups: ['staff', 'dev-admins'] },
  root: { email: 'root@example.com', email_verified: true, name: 'Rue Root', groups: ['operators'] },
  bob: { email: 'bob@example.com', email_verified: true, name: 'Bob <b>Bold</b>', groups: ['staff'] },
  mallory: { email: 'mallory@example.com', email_verified: true, name: 'Mallory', groups: [] },
}

/** Starts one. */
export async function startPortal(options: PortalWorldOptions = {}): Promise<PortalWorld> {
  const server = createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const corp = await startLoginProvider({
    people: options.people ?? PEOPLE,
    ...(options.tokenSeconds === undefined ? {} : { accessTokenSeconds: options.tokenSeconds }),
    clients: [
      {
        ...CODE,
        client_id: 'gw',
        client_secret: SECRET,
        redirect_uris: [`${origin}/.sallyport/callback/corp`],
        post_logout_redirect_uris: [`${origin}/.sallyport/signed-out`],
      },
    ],
  })
  const service = await startLoginProvider({
    people: options.people ?? PEOPLE,
    clients: ['notes', 'notes-2'].map((client_id) => ({
      ...CODE,
      client_id,
      client_secret: SECRET,
      redirect_uris: [`${origin}/consented`],
    })),
    adjust: (configuration) => ({
      ...configuration,
      // Browsers do not tell the ports of one host apart.
      cookies: { keys: ['only-for-tests'], names: { session: 's', interaction: 'i', resume: 'r' } },
      features: {
        ...configuration.features,
        // Said, so that it prints no notice about the default.
        revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      },
    }),
  })
  const wiki = await startSdk2Server({ name: 'wiki' })
  const notes = await startProtectedServer({
    server: await startSdk2Server({ name: 'notes' }),
    issuer: service.issuer,
    audience: API,
  })

  let ahead = 0
  const clock = { now: () => Date.now() + ahead }
  const inner = memoryStore({ clock })
  const store = options.wrapStore?.(inner) ?? inner
  const keys = [generateKey()]
  const integrations = {
    corp: {
      issuer: corp.issuer,
      audience: API,
      oauth2: { clientId: 'gw', clientSecret: SECRET, scopes: ['openid', 'orders:read'], resource: API },
    },
  }
  const brand = { name: 'Example Tools', footerLink: { text: 'Help', url: '/help' } }
  const guard = createGuard({
    clock,
    integrations,
    login: {
      url: origin,
      keys,
      store: inner,
      brand,
      ...(options.idleSeconds === undefined ? {} : { idleSeconds: options.idleSeconds }),
    },
    routes: [
      { path: '/welcome', auth: { type: 'none' } },
      { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
    ],
  })
  const audits: AuditEvent[] = []
  const gateway = createGateway({
    url: origin,
    clock,
    store,
    keys,
    integrations,
    signIn: guard,
    pages: { path: '/gateway', brand },
    audit: (event) => audits.push(event),
    virtualAccounts: {
      ci: { description: 'builds every night', owners: ['user:corp/alice@example.com'] },
      broad: { description: 'may use more than dev', owners: ['user:corp/root@example.com'] },
    },
    servers: {
      'dev/notes': {
        label: 'Notes',
        description: 'Your notes, by page and by day.',
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
      'public/wiki': {
        label: 'Wiki',
        description: 'What everybody here knows.',
        url: wiki.url,
        auth: { type: 'none' },
      },
      'data/hub': {
        label: 'Data hub',
        description: 'Search in the data sets of the company.',
        url: wiki.url,
        auth: { type: 'header', headers: { authorization: 'Bearer the-shared-key' } },
      },
      'core/orders': { label: 'Orders', url: wiki.url, auth: { type: 'passthrough' } },
      'secret/plans': { label: 'Secret plans', url: wiki.url, auth: { type: 'none' } },
    },
    virtualServers: {
      'team/assistant': {
        label: 'Assistant',
        description: 'What the team uses every day.',
        tools: { 'dev/notes': '*', 'public/wiki': { include: '*', prefix: 'wiki_' } },
      },
    },
    access: [
      { to: 'group:corp/staff', on: ['dev/notes', 'core/*', 'team/*'] },
      { to: 'group:corp/staff', on: 'data/hub', tools: ['search_*'] },
      { to: 'user:corp/*', on: 'public/*' },
      { to: 'group:corp/dev-admins', on: 'dev/*', role: 'admin' },
      { to: 'group:corp/operators', on: '*', role: 'admin' },
      { to: 'virtual-account:ci', on: 'dev/*' },
      { to: 'virtual-account:broad', on: ['dev/*', 'data/*'] },
    ],
    ...options.config,
  })
  await listenOn(server, options.on ?? 'node:http', gateway, guard)

  const world: PortalWorld = {
    origin,
    page: (path = '') => `${origin}/gateway${path}`,
    gateway,
    guard,
    store,
    keys,
    corp,
    service,
    audits,
    advance(ms) {
      ahead += ms
    },
    async signIn(name = 'bob') {
      const browser = new FormBrowser()
      const page = await follow(browser, await browser.load(world.page()), name)
      if (page.status !== 200 || page.url !== world.page()) throw new Error(`not signed in: ${page.status} ${page.url}`)
      return browser
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await gateway.close()
      await guard.close()
      await Promise.all([corp.close(), service.close(), wiki.close(), notes.close()])
    },
  }
  return world
}

/** The application on one of the servers, behind gateway and guard. */
async function listenOn(server: Server, name: TestServer['name'], gateway: Gateway, guard: Guard): Promise<void> {
  const on = SERVERS.find((each) => each.name === name)
  if (on === undefined) throw new Error(`no server is called ${name}`)
  const both: Guard = {
    ...guard,
    async handle(request) {
      const outcome = await gateway.handle(request)
      return outcome.kind === 'skip' ? guard.handle(request) : outcome
    },
  }
  server.on('request', await on.build(both))
}

/** Fills in the form of a provider, where there is one. */
export async function follow(browser: FormBrowser, page: LoadedPage, name: string): Promise<LoadedPage> {
  return page.body.includes('id="password"') ? browser.submit(page, { name, password: PASSWORD }) : page
}
