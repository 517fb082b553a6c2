/**
 * Koa: one key for everybody, which callers never see; who may do what is decided here. A person may search everything, the
 * nightly agent public datasets only. `TOKEN_KEY=… HUB_KEY=… npx tsx examples/gateway-shared-key.ts`
 */
import Koa from 'koa'
import { createGateway, ndjsonAudit } from 'sallyport/gateway'
import { sallyport } from 'sallyport/koa'
import { sqliteStore } from 'sallyport/stores/sqlite'

const gateway = createGateway({
  url: 'http://localhost:3000',
  store: sqliteStore('gateway.db'),
  keys: [{ secret: 'env:TOKEN_KEY' }],
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'gateway' } },
  virtualAccounts: { nightly: { description: 'an agent that runs at night', owners: ['user:corp/ann@example.com'] } },
  servers: {
    'data/hub': {
      id: 'hub',
      url: process.env.MCP_URL ?? 'https://mcp.hub.example.com/mcp',
      auth: {
        type: 'header',
        headers: { authorization: 'Bearer {{key}}' },
        values: { key: { secret: 'env:HUB_KEY' } },
      },
    },
  },
  access: [
    { to: 'user:corp/*@example.com', on: 'data/hub', tools: ['search_*'] },
    { to: 'virtual-account:nightly', on: 'data/hub', tools: ['search_*'], arguments: { dataset: ['public/*'] } },
  ],
  audit: ndjsonAudit('gateway-audit.ndjson'),
})
// Rejects with what is missing: a key, a secret, the provider, the store.
await gateway.ready()
const agent = { virtualAccount: 'nightly' }
// It is shown once only; at later starts the agent has it.
if ((await gateway.keys.list(agent)).length === 0) {
  const { key } = await gateway.keys.create(agent, { name: 'first', ttlSeconds: 24 * 3600 })
  console.log(`for the nightly agent, at http://localhost:3000/mcp/data/hub/server: ${key}`)
}

const app = new Koa()
app.use(sallyport(gateway))
app.use((ctx) => {
  ctx.body = 'the rest of the application'
})
app.listen(3000)
