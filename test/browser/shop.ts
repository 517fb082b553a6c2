/** One application with everything around it: its guard, a real identity provider, and what the guard tells. */
import { EventEmitter, once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import {
  createGuard,
  type Decision,
  type Guard,
  generateKey,
  type Integration,
  type LoginConfig,
  type LoginEvent,
  type OAuth2,
  type Route,
} from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { selfSigned } from '../adapters/self-signed.ts'
import { API, type LoginClient, type LoginProvider, startLoginProvider } from '../support/login-provider.ts'
import type { TestServer } from './servers.ts'

const CLIENT_ID = 'shop'
const CLIENT_SECRET = 'a-secret-of-the-shop-0123456789-0123456789'
/** How long to wait for what the guard is expected to tell. */
const PATIENCE_MS = 20_000

/** An application that listens. */
export interface Shop {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly origin: string
  readonly port: number
  readonly server: Server
  readonly guard: Guard
  readonly provider: LoginProvider
  readonly logins: readonly LoginEvent[]
  readonly decisions: readonly Decision[]
  /** Moves the guard's clock on. */
  advance(seconds: number): void
  /** The first login event of a kind, past or to come. */
  login(kind: LoginEvent['kind']): Promise<LoginEvent>
  close(): Promise<void>
}

/** How a {@link Shop} differs from the usual one. */
export interface ShopOptions {
  readonly login?: Partial<LoginConfig>
  readonly oauth2?: Partial<OAuth2>
  readonly client?: Partial<LoginClient>
  /** Further integrations, which lead to the same provider. */
  readonly alsoNamed?: Readonly<Record<string, string>>
  /** Claims by person, in place of the provider's usual people. */
  readonly people?: Readonly<Record<string, Record<string, unknown>>>
  /** Lifetime of access tokens; an hour by default. */
  readonly accessTokenSeconds?: number
  /** Further routes. */
  readonly routes?: readonly Route[]
  /** https, with a certificate that nobody knows. */
  readonly secure?: boolean
}

/** Starts provider, guard and application. */
export async function openShop(on: TestServer, options: ShopOptions = {}): Promise<Shop> {
  const server = options.secure === true ? createSecureServer(selfSigned()) : createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `${options.secure === true ? 'https' : 'http'}://127.0.0.1:${port}`
  const names = ['corp', ...Object.keys(options.alsoNamed ?? {})]

  const provider = await startLoginProvider({
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: names.map((name) => `${origin}/.sallyport/callback/${name}`),
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        post_logout_redirect_uris: [`${origin}/.sallyport/signed-out`],
        backchannel_logout_uri: `${origin}/.sallyport/back-channel/corp`,
        backchannel_logout_session_required: true,
        ...options.client,
      },
    ],
    ...(options.people === undefined ? {} : { people: options.people }),
    ...(options.accessTokenSeconds === undefined ? {} : { accessTokenSeconds: options.accessTokenSeconds }),
    adjust: (configuration) => ({
      ...configuration,
      features: {
        ...configuration.features,
        // Said, so that it prints no notice about the default.
        revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      },
    }),
  })
  let ahead = 0
  const session = options.login?.session ?? 'store'
  const integration = (label?: string): Integration => ({
    issuer: provider.issuer,
    audience: API,
    oauth2: {
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      scopes: ['openid', 'orders:read'],
      resource: API,
      ...options.oauth2,
      ...(label === undefined ? {} : { label }),
    },
  })
  const guard = createGuard({
    clock: { now: () => Date.now() + ahead },
    login: {
      url: origin,
      keys: [generateKey()],
      ...(session === 'store' ? { store: memoryStore() } : {}),
      ...options.login,
    },
    integrations: {
      corp: integration(),
      ...Object.fromEntries(
        Object.entries(options.alsoNamed ?? {}).map(([name, label]) => [name, integration(label)] as const),
      ),
    },
    routes: [
      { path: '/welcome', auth: { type: 'none' } },
      { path: '/admin', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'admin' } } },
      { path: '/', auth: { type: 'jwt', integration: names, login: true } },
      ...(options.routes ?? []),
    ],
  })
  const logins: LoginEvent[] = []
  const decisions: Decision[] = []
  const told = new EventEmitter().setMaxListeners(0)
  guard.on('login', (event) => {
    logins.push(event)
    told.emit(event.kind, event)
  })
  guard.on('decision', (event) => decisions.push(event))
  server.on('request', await on.build(guard))

  return {
    origin,
    port,
    server,
    guard,
    provider,
    logins,
    decisions,
    advance(seconds) {
      ahead += seconds * 1000
    },
    async login(kind) {
      const past = logins.find((event) => event.kind === kind)
      if (past !== undefined) return past
      const [event] = await once(told, kind, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {
        throw new Error(`the guard told nothing of "${kind}", only: ${logins.map((each) => each.kind).join(', ')}`)
      })
      return event
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
      await guard.close()
      await provider.close()
    },
  }
}
