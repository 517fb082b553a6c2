/**
 * node:http: an MCP server of your own that trusts your identity provider itself, and gets the caller's JWT as it is. The gateway
 * decides who gets that far. `TOKEN_KEY=… npx tsx examples/gateway-passthrough.ts`
 */
import { createServer } from 'node:http'
import { createGateway } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'

const gateway = createGateway({
  url: 'http://localhost:3000',
  store: sqliteStore('gateway.db'),
  keys: [{ secret: 'env:TOKEN_KEY' }],
  // Tokens have to be made for both: for the gateway by the first audience, for the server behind it by the second.
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'gateway' } },
  servers: {
    'core/orders': {
      url: process.env.MCP_URL ?? 'http://localhost:4000/mcp',
      auth: { type: 'passthrough', audience: 'orders' },
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
