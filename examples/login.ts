/** Express: people sign in with their browser and stay signed in. `SESSION_KEY=… CORP_SECRET=… npx tsx examples/login.ts` */
import express from 'express'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/express'
import { sqliteStore } from 'sallyport/stores/sqlite'

const guard = createGuard({
  login: { url: 'http://localhost:3000', keys: [{ secret: 'env:SESSION_KEY' }], store: sqliteStore('sessions.db') },
  integrations: {
    corp: {
      issuer: process.env.ISSUER ?? 'https://login.example.com/',
      audience: 'orders-web',
      jwtSource: 'id_token',
      oauth2: { clientId: 'orders-web', clientSecret: { secret: 'env:CORP_SECRET' }, scopes: ['openid', 'email'] },
    },
  },
  routes: [
    {
      path: '/',
      auth: { type: 'jwt', integration: 'corp', login: true, claims: { email: '*@example.com', email_verified: true } },
    },
  ],
})
console.log('register at the identity provider:', guard.redirectUrls())
// Rejects with what is missing: a key, a secret, the provider, the store.
await guard.ready()

const app = express()
app.use(sallyport(guard))
app.get('/', (req, res) =>
  res.type('text').send(`hello ${authOf(req)?.claims?.email}; to sign out, open /.sallyport/sign-out`),
)
app.listen(3000)
