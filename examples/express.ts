/** Express: basic auth, JWTs and an open health check. `ADMIN_PASSWORD=pass npx tsx examples/express.ts` */
import express from 'express'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/express'

const guard = createGuard({
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'orders-api' } },
  routes: [
    { path: '/healthz', auth: { type: 'none' } },
    { path: '/admin', auth: { type: 'basic', username: 'hello', password: { secret: 'env:ADMIN_PASSWORD' } } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com', email_verified: true } } },
  ],
})

const app = express()
app.use(sallyport(guard))
app.get('/healthz', (_req, res) => res.send('ok'))
app.use((req, res) => res.send(`hello ${authOf(req)?.subject}`))
app.listen(3000)
