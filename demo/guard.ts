/** The one configuration in front of all four servers. A reader who wants to know what sallyport can do reads this file. */
import { createGuard, type Guard, hashPassword } from 'sallyport'
import { APP_CLIENT, ORDERS_API } from './identity-provider.ts'

/** The domains that the services may be published on (A4). */
export const DOMAINS = ['*.example.com', '*.apps.example.com', 'example.com']

/** The password that `--user hello:pass` sends; the guard reads it from the environment (A12). */
const PASSWORD = 'pass'
/** What `{ secret: 'vault:…' }` means here: any function will do. */
const VAULT: Readonly<Record<string, string>> = { 'vault:ops': 'ops-password' }

/** Every password that the demo knows; none of them may turn up in an event. */
export const PASSWORDS = [PASSWORD, 'pässwörd', ...Object.values(VAULT), btoa(`hello:${PASSWORD}`)]

/** What the configuration cannot know before the demo has started. */
export interface Surroundings {
  /** The issuer of the identity provider that most routes use. */
  readonly corp: string
  /** The issuer of a second one, which the walk switches off and on. */
  readonly branch: string
  /** The servers' names and ports. */
  readonly servers: readonly { readonly name: string; readonly port: number }[]
}

/** The guard of the demo. */
export async function createDemoGuard({ corp, branch, servers }: Surroundings): Promise<Guard> {
  process.env.SALLYPORT_DEMO_PASSWORD = PASSWORD
  const hello = { type: 'basic', username: 'hello', password: { secret: 'env:SALLYPORT_DEMO_PASSWORD' } } as const
  return createGuard({
    domains: DOMAINS,
    internalNetworks: ['loopback', 'private'],
    trustProxy: ['loopback'],
    secrets: (name) => VAULT[name],
    integrations: {
      // The keys of all three are found through the issuer's OpenID configuration.
      corp: { issuer: corp, audience: ORDERS_API, clockToleranceSeconds: 1 },
      'corp-id': { issuer: corp, audience: APP_CLIENT.id, jwtSource: 'id_token' },
      branch: { issuer: branch, audience: ORDERS_API },
    },
    routes: [
      { name: 'health', path: '/healthz', auth: { type: 'none' } },

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
