/** node:http: the same without a store, sessions in cookies. `SESSION_KEY=… CORP_SECRET=… npx tsx examples/login-cookie.ts` */
import { createServer } from 'node:http'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/node'

const guard = createGuard({
  login: { url: 'http://localhost:3000', keys: [{ secret: 'env:SESSION_KEY' }], session: 'cookie' },
  integrations: {
    corp: {
      issuer: process.env.ISSUER ?? 'https://login.example.com/',
      audience: 'orders-web',
      jwtSource: 'id_token',
      oauth2: { clientId: 'orders-web', clientSecret: { secret: 'env:CORP_SECRET' }, scopes: ['openid', 'email'] },
    },
  },
  routes: [
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
    { path: '/admin/', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'admin' } } },
  ],
})
console.log('register at the identity provider:', guard.redirectUrls())
// Rejects with what is missing: a key, a secret, the provider, the store.
await guard.ready()

const server = createServer(sallyport(guard)((req, res) => res.end(`hello ${authOf(req)?.claims?.email}`)))
server.listen(3000)
