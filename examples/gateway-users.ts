/**
 * Express: colleagues with accounts of their own at an MCP server, by OAuth. They sign in at the company's identity provider, make
 * a personal token, and connect their account once. `KEY=… CORP_SECRET=… GITHUB_SECRET=… npx tsx examples/gateway-users.ts`
 */
import express from 'express'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/express'
import { createGateway } from 'sallyport/gateway'
import { sqliteStore } from 'sallyport/stores/sqlite'

const url = 'http://localhost:3000'
// Guard and gateway share them: what somebody's personal token may do is known from their last sign-in.
const store = sqliteStore('gateway.db')
const keys = [{ secret: 'env:KEY' }]
const issuer = process.env.ISSUER ?? 'https://login.example.com/'
const integrations = {
  corp: {
    issuer,
    audience: 'gateway',
    jwtSource: 'id_token',
    oauth2: { clientId: 'gateway', clientSecret: { secret: 'env:CORP_SECRET' }, scopes: ['openid', 'email'] },
  },
} as const

const guard = createGuard({
  login: { url, keys, store },
  integrations,
  routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
})

const gateway = createGateway({
  url,
  store,
  keys,
  signIn: guard,
  // Stock MCP clients bring access tokens of the same provider: the same people.
  integrations: { corp: { issuer, audience: url } },
  servers: {
    'dev/github': {
      label: 'GitHub',
      url: process.env.MCP_URL ?? 'https://api.githubcopilot.com/mcp/',
      auth: {
        type: 'oauth2',
        clientId: process.env.GITHUB_ID ?? 'Iv1.0123456789abcdef',
        clientSecret: { secret: 'env:GITHUB_SECRET' },
        authorizationUrl: process.env.AUTHORIZATION_URL ?? 'https://github.com/login/oauth/authorize',
        tokenUrl: process.env.TOKEN_URL ?? 'https://github.com/login/oauth/access_token',
        scopes: ['repo'],
      },
    },
  },
  access: [{ to: 'user:corp/*@example.com', on: 'dev/*' }],
})
console.log('register at the identity provider:', guard.redirectUrls())
console.log('register at GitHub:', gateway.redirectUrls())
// Rejects with what is missing: a key, a secret, the provider, the store.
await guard.ready()
await gateway.ready()

const app = express()
app.use(sallyport(gateway, guard))
app.get('/', (_req, res) => {
  res.type('html').send('<form method="post" action="/tokens"><button>Make a personal token</button></form>')
})
app.post('/tokens', async (req, res) => {
  const { key } = await gateway.keys.create(authOf(req) ?? {}, { name: 'my agent', ttlSeconds: 90 * 24 * 3600 })
  res.type('text').send(`${key}\n\nThis is the only time that you see it. Use it at ${url}/mcp/dev/github/server\n`)
})
app.listen(3000)
