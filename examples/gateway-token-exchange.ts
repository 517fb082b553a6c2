/**
 * node:http: an MCP server of your own that takes tokens of your identity provider, and gets one that is good for it alone: the
 * caller's JWT is exchanged for it (RFC 8693). `TOKEN_KEY=… GATEWAY_SECRET=… npx tsx examples/gateway-token-exchange.ts`
 */
import { createServer } from 'node:http'
import { createGateway } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'

const issuer = process.env.ISSUER ?? 'https://login.example.com/'

const gateway = createGateway({
  url: 'http://localhost:3000',
  store: sqliteStore('gateway.db'),
  keys: [{ secret: 'env:TOKEN_KEY' }],
  // Callers come with tokens that are made for the gateway only.
  integrations: { corp: { issuer, audience: 'gateway' } },
  servers: {
    'core/orders': {
      url: process.env.MCP_URL ?? 'http://localhost:4000/mcp',
      auth: {
        type: 'token_exchange',
        issuer,
        clientId: 'gateway',
        clientSecret: { secret: 'env:GATEWAY_SECRET' },
        audience: 'orders',
        scopes: ['orders:read'],
      },
    },
  },
  access: [{ to: 'group:corp/sales', on: 'core/orders' }],
})
// Rejects with what is missing: a key, a secret, the provider, the store.
await gateway.ready()

const server = createServer(
  sallyport(gateway)((_req, res) => {
    res.end('the rest of the application')
  }),
)
server.listen(3000)
