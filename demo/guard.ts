/**
 * The configuration in front of the four servers: the same for all but for where people sign in. A reader who wants to
 * know what sallyport can do reads this file.
 */
import { createGuard, type Guard, generateKey, hashPassword } from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { APP_CLIENT, LOGIN_SECRET, loginClientId, ORDERS_API, TOOLS_API } from './provider-clients.ts'

/** The domains that the services may be published on (A4). */
export const DOMAINS = ['*.example.com', '*.apps.example.com', 'example.com']

/** The password that `--user hello:pass` sends; the guard reads it from the environment (A12). */
const PASSWORD = 'pass'
/** What `{ secret: 'vault:…' }` means here: any function will do. */
const VAULT: Readonly<Record<string, string>> = { 'vault:ops': 'ops-password', 'vault:login': LOGIN_SECRET }

/** Every password and secret of the guard; none of them may turn up in an event. */
export const PASSWORDS = [PASSWORD, 'pässwörd', ...Object.values(VAULT), btoa(`hello:${PASSWORD}`)]
/** The integrations that people can sign in with. */
export type LoginName = 'corp' | 'branch-id' | 'customers'

/** What the configuration cannot know before the demo has started. */
export interface Surroundings {
  /** The issuer of the identity provider that most routes use. */
  readonly corp: string
  /** The issuer of a second one, which the walk switches off and on. */
  readonly branch: string
  /** All of them, since each guard has routes that tell ports apart. */
  readonly servers: readonly Place[]
}

/** A server, and where people see it. */
export interface Place {
  readonly name: string
  readonly port: number
  /** Its origin. */
  readonly url: string
}

/** The guard of `server`. */
export async function createDemoGuard(server: Place, { corp, branch, servers }: Surroundings): Promise<Guard> {
  process.env.SALLYPORT_DEMO_PASSWORD = PASSWORD
  const hello = { type: 'basic', username: 'hello', password: { secret: 'env:SALLYPORT_DEMO_PASSWORD' } } as const
  /** What the identity provider knows this server as (A8, A12). */
  const clientOf = (integration: LoginName) => ({
    clientId: loginClientId(server.name, integration),
    clientSecret: { secret: 'vault:login' },
  })
  return createGuard({
    domains: DOMAINS,
    internalNetworks: ['loopback', 'private'],
    trustProxy: ['loopback'],
    secrets: (name) => VAULT[name],
    // A8: where people sign in. One origin a guard, hence a guard a server.
    login: {
      url: server.url,
      keys: [generateKey()],
      store: memoryStore(),
      brand: { name: `Demo on ${server.name}` },
    },
    integrations: {
      // Endpoints and keys of all of them are found through the issuer's OpenID configuration.
      corp: {
        issuer: corp,
        audience: ORDERS_API,
        clockToleranceSeconds: 1,
        oauth2: { ...clientOf('corp'), scopes: ['openid', 'orders:read'], resource: ORDERS_API },
      },
      'corp-id': { issuer: corp, audience: APP_CLIENT.id, jwtSource: 'id_token' },
      branch: { issuer: branch, audience: ORDERS_API },
      'branch-id': {
        issuer: branch,
        audience: clientOf('branch-id').clientId,
        jwtSource: 'id_token',
        oauth2: { ...clientOf('branch-id'), scopes: ['openid'] },
      },
      // G3: people who call the gateway with tokens of this one sign in here only to give consent.
      customers: {
        issuer: branch,
        audience: TOOLS_API,
        clockToleranceSeconds: 1,
        oauth2: { ...clientOf('customers'), scopes: ['openid', 'orders:read'], resource: TOOLS_API },
      },
    },
    routes: [
      { name: 'health', path: '/healthz', auth: { type: 'none' } },

      // A7, A8, A10: pages to sign in to.
      { name: 'app', path: '/app/', auth: { type: 'jwt', integration: 'corp', login: true } },
      {
        name: 'app admin',
        path: '/app/admin/',
        auth: {
          type: 'jwt',
          integration: 'corp',
          login: true,
          claims: { email: '*@example.com', groups: ['admin', 'dev-*'] },
        },
      },
      { name: 'me', path: '/me/', auth: { type: 'jwt', integration: 'branch-id', login: true } },
      { name: 'customers', path: '/customers/', auth: { type: 'jwt', integration: 'customers', login: true } },

      // A1, A5: hosts with their own users; the second one's password is kept as a hash.
      { name: 's1', host: 's1.example.com', auth: hello },
      {
        name: 's2',
        host: 's2.example.com',
        auth: { type: 'basic', users: [{ username: 'zoë', passwordHash: await hashPassword('pässwörd') }] },
      },
      { name: 'notebooks', host: '*.apps.example.com', auth: { type: 'jwt', integration: 'corp' } },

      // A2: paths on one host; a host with a path in it; both together.
      { name: 'path-s1', host: 'example.com', path: '/s1', auth: hello },
      { name: 'path-s2', host: 'example.com/s2', auth: { type: 'jwt', integration: 'corp' } },
      { name: 'model', host: 'models.example.com', path: '/fastapi/v1/', auth: { type: 'jwt', integration: 'corp' } },

      // A6, A7, A10, A11: tokens.
      {
        name: 'admin',
        host: 'admin.example.com',
        auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com', groups: ['admin', 'dev-*'] } },
      },
      {
        name: 'audit',
        host: 'admin.example.com',
        path: '/audit',
        auth: { type: 'jwt', integration: 'corp', claims: { 'realm_access.roles': 'auditor' } },
      },
      {
        name: 'orders',
        host: 'orders.example.com',
        auth: { type: 'jwt', integration: 'corp', scopes: ['orders:read'], unauthenticated: 401 },
      },
      {
        name: 'orders-write',
        host: 'orders.example.com',
        methods: ['POST', 'PUT', 'DELETE'],
        auth: { type: 'jwt', integration: 'corp', scopes: ['orders:write'] },
      },
      { name: 'profile', host: 'profile.example.com', auth: { type: 'jwt', integration: 'corp-id' } },
      { name: 'partners', host: 'partners.example.com', auth: { type: 'jwt', integration: ['corp', 'branch'] } },
      { name: 'chat', host: 'chat.example.com', auth: { type: 'jwt', integration: 'corp' } },

      // A12: a password that the `secrets` function above looks up.
      {
        name: 'ops',
        host: 'ops.example.com',
        auth: { type: 'basic', username: 'ops', password: { secret: 'vault:ops' } },
      },

      // A3, A13: by port. Each server has metrics with a user of its own, and an internal name.
      ...servers.flatMap(({ name, port }) => [
        {
          name: `metrics ${name}`,
          path: '/metrics',
          port,
          auth: { type: 'basic', username: name, password: { secret: 'vault:ops' } } as const,
        },
        {
          name: `internal ${name}`,
          host: `orders-ml.svc.cluster.local:${port}`,
          exposed: false,
          auth: { type: 'none' } as const,
        },
      ]),
    ],
  })
}
