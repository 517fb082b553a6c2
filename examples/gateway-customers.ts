/**
 * Fastify: customers of your application, who have no accounts at your company, connect accounts of theirs. They come with JWTs of
 * the identity provider that your application uses. `TOKEN_KEY=… CRM_SECRET=… npx tsx examples/gateway-customers.ts`
 */
import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import type { SignIn } from 'sallyport'
import { sallyport } from 'sallyport/fastify'
import { createGateway, GatewayError } from 'sallyport/gateway'
import { sqliteStore } from 'sallyport/stores/sqlite'

const url = 'http://localhost:3000'

/** The application's own sessions. Here they are filled by `POST /session`, which stands for the sign-in that you have. */
const sessions = new Map<string, string>()

/** How the gateway finds out whether whoever opens a link is the customer that it was made for. */
const signIn: SignIn = {
  integrations: ['customers'],
  async identify({ headers }) {
    const [, session = ''] = /(?:^|; )session=([^;]+)/.exec(headers.cookie ?? '') ?? []
    const jwt = sessions.get(session)
    return jwt === undefined ? null : gateway.identify(`Bearer ${jwt}`)
  },
  start: (_request, returnTo) => ({
    status: 302,
    headers: { location: `/sign-in?next=${encodeURIComponent(returnTo)}`, 'cache-control': 'no-store' },
  }),
}

const gateway = createGateway({
  url,
  store: sqliteStore('gateway.db'),
  keys: [{ secret: 'env:TOKEN_KEY' }],
  signIn,
  integrations: {
    customers: { issuer: process.env.ISSUER ?? 'https://customers.example.com/', audience: 'my-application' },
  },
  externalIdentities: { acme: { integration: 'customers', claims: { org: 'acme' } } },
  servers: {
    'sales/crm': {
      url: process.env.MCP_URL ?? 'https://mcp.crm.example.com/mcp',
      auth: {
        type: 'oauth2',
        issuer: process.env.CRM_ISSUER ?? 'https://login.crm.example.com',
        clientId: 'my-application',
        clientSecret: { secret: 'env:CRM_SECRET' },
        scopes: ['contacts:read'],
      },
    },
  },
  access: [{ to: 'external-identity:acme', on: 'sales/crm', tools: ['search_*', 'list_*'] }],
})
console.log('register at the CRM:', gateway.redirectUrls())
// Rejects with what is missing: a key, a secret, the provider, the store.
await gateway.ready()

const app = Fastify()
await app.register(sallyport(gateway))
app.post('/session', (request, reply) => {
  const session = randomUUID()
  sessions.set(session, request.headers.authorization?.replace(/^Bearer /, '') ?? '')
  return reply.header('set-cookie', `session=${session}; Path=/; HttpOnly; SameSite=Lax`).send('signed in')
})
app.get('/sign-in', () => 'Your own sign-in is here. It goes to ?next= in the end.')
// "Connect your CRM" in your application. Agents that call too early get the same link in the error.
app.post('/settings/crm', async ({ headers: { authorization = '' } }, reply) => {
  try {
    const link = await gateway.connections.connectUrl({ server: 'sales/crm', who: { authorization } })
    return reply.redirect(link, 303)
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'ERR_UNAUTHENTICATED')
      return reply.code(401).send('sign in first')
    throw error
  }
})
await app.listen({ port: 3000 })
