/** Fastify: basic auth, JWTs and an open health check. `ADMIN_PASSWORD=pass npx tsx examples/fastify.ts` */
import Fastify from 'fastify'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/fastify'

const guard = createGuard({
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'orders-api' } },
  routes: [
    { path: '/healthz', auth: { type: 'none' } },
    { path: '/admin', auth: { type: 'basic', username: 'hello', password: { secret: 'env:ADMIN_PASSWORD' } } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com', email_verified: true } } },
  ],
})

const app = Fastify()
await app.register(sallyport(guard))
app.get('/healthz', () => 'ok')
app.get('/*', (request) => `hello ${authOf(request)?.subject}`)
await app.listen({ port: 3000 })
