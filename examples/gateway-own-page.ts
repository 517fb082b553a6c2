/**
 * node:http: a page of the application's own in place of the gateway's. Everything on `pages` is a method of `gateway`.
 * `KEY=… CORP_SECRET=… GITHUB_SECRET=… npx tsx examples/gateway-own-page.ts`
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createGuard, SallyportError } from 'sallyport'
import { createGateway } from 'sallyport/gateway'
import { authOf, sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'

const url = 'http://localhost:3000'
const store = sqliteStore('gateway.db')
const keys = [{ secret: 'env:KEY' }]
const integrations = {
  corp: {
    issuer: process.env.ISSUER ?? 'https://login.example.com/',
    audience: 'gateway',
    jwtSource: 'id_token',
    oauth2: { clientId: 'gateway', clientSecret: { secret: 'env:CORP_SECRET' }, scopes: ['openid', 'email'] },
  },
} as const

const guard = createGuard({
  login: { url, keys, store },
  integrations,
  // Its session cookie is what the forms below rely on: the guard takes them from this origin only.
  routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
})

const gateway = createGateway({
  url,
  store,
  keys,
  signIn: guard,
  integrations,
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
// Rejects with what is missing: a key, a secret, the provider, the store.
await guard.ready()
await gateway.ready()

/** Who is signed in, as the gateway takes them: with everything that grants look at. */
async function whoIs(req: IncomingMessage) {
  const { id = '', integration = '', subject = '', claims = {} } = authOf(req) ?? {}
  const [known] = await gateway.people.find(id)
  return known === undefined ? { id, integration, subject, groups: [], claims } : { ...known, claims }
}

async function answer(req: IncomingMessage, res: ServerResponse) {
  const me = await whoIs(req)
  const path = new URL(req.url ?? '/', url).pathname
  const [, action, server = ''] = /^\/(connect|revoke|tokens)(?:\/(.+))?$/.exec(path) ?? []
  if (req.method === 'POST' && action === 'connect') {
    const location = await gateway.connections.connectUrl({ server, who: me, returnTo: `${url}/` })
    res.writeHead(303, { location }).end()
  } else if (req.method === 'POST' && action === 'revoke') {
    await gateway.connections.revoke(me, server)
    res.writeHead(303, { location: '/' }).end()
  } else if (req.method === 'POST' && action === 'tokens') {
    const { key } = await gateway.keys.create(me, { name: 'my agent', ttlSeconds: 90 * 24 * 3600 })
    res.writeHead(200, { 'cache-control': 'no-store' }).end(`${key}\n\nThis is the only time that you see it.\n`)
  } else {
    const [servers, connections] = await Promise.all([gateway.servers.for(me), gateway.connections.list(me)])
    const stateOf = (name: string) => connections.find((each) => each.server === name)?.state ?? 'not connected'
    res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    res.end(JSON.stringify(servers.map(({ name, label, urls, auth }) => ({ label, urls, auth, state: stateOf(name) }))))
  }
}

/** What is rejected and caught nowhere ends the process. */
function refuse(res: ServerResponse, error: unknown) {
  const code = error instanceof SallyportError ? error.code : ''
  // A server that is not theirs, or is none: the two look alike.
  const status = code === 'ERR_ACCESS' || code === 'ERR_UNKNOWN_SERVER' ? 404 : 500
  if (status === 500) console.error(error)
  if (res.headersSent) res.destroy()
  else res.writeHead(status).end()
}

const server = createServer(
  sallyport(gateway, guard)((req, res) => void answer(req, res).catch((error: unknown) => refuse(res, error))),
)
server.listen(3000)
