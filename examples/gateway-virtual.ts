/**
 * Express: one endpoint with chosen tools of three servers, each called with that server's own credential for the user who asks: an
 * account of their own, a key of the company, the JWT that they have come with. Who connects first is given the links to everything
 * that is still to be allowed. `TOKEN_KEY=… GITHUB_SECRET=… HUB_KEY=… npx tsx examples/gateway-virtual.ts`
 */
import express from 'express'
import { sallyport } from 'sallyport/express'
import { createGateway, ndjsonAudit } from 'sallyport/gateway'
import { sqliteStore } from 'sallyport/stores/sqlite'

const gateway = createGateway({
  url: 'http://localhost:3000',
  store: sqliteStore('gateway.db'),
  keys: [{ secret: 'env:TOKEN_KEY' }],
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'gateway' } },
  // Whoever has the link connects, and must keep it to themselves; with a guard on this server: its `signIn`, which asks who somebody is.
  signIn: 'link',
  servers: {
    'dev/github': {
      label: 'GitHub',
      url: 'https://api.githubcopilot.com/mcp/',
      auth: {
        type: 'oauth2',
        clientId: process.env.GITHUB_ID ?? 'Iv1.0123456789abcdef',
        clientSecret: { secret: 'env:GITHUB_SECRET' },
        authorizationUrl: 'https://github.com/login/oauth/authorize',
        tokenUrl: 'https://github.com/login/oauth/access_token',
        scopes: ['repo'],
      },
    },
    'data/hub': {
      url: process.env.HUB_URL ?? 'https://mcp.hub.example.com/mcp',
      auth: {
        type: 'header',
        headers: { authorization: 'Bearer {{key}}' },
        values: { key: { secret: 'env:HUB_KEY' } },
      },
    },
    'core/orders': {
      url: process.env.ORDERS_URL ?? 'https://orders.example.com/mcp',
      auth: { type: 'passthrough', audience: 'gateway' },
    },
  },
  virtualServers: {
    'team/assistant': {
      description: 'Repositories, datasets and orders',
      tools: {
        'dev/github': ['get_*', 'search_code'],
        'data/hub': { include: ['search_*'], prefix: 'hub_', rename: { query: 'ask_hub' } },
        'core/orders': ['my_orders'],
      },
      prompts: { 'data/hub': '*' },
    },
  },
  // Enough for what is chosen above; nobody has the servers behind it as such.
  access: [{ to: 'user:corp/*@example.com', on: 'team/assistant' }],
  audit: ndjsonAudit('gateway-audit.ndjson'),
})

console.log('register at GitHub:', gateway.redirectUrls())
// Rejects with what is missing: a key, a secret, the provider, the store.
await gateway.ready()

const app = express()
app.use(sallyport(gateway))
app.listen(3000)
