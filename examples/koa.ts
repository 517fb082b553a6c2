/** Koa: basic auth, JWTs and an open health check. `ADMIN_PASSWORD=pass npx tsx examples/koa.ts` */
import Koa from 'koa'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/koa'

const guard = createGuard({
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'orders-api' } },
  routes: [
    { path: '/healthz', auth: { type: 'none' } },
    { path: '/admin', auth: { type: 'basic', username: 'hello', password: { secret: 'env:ADMIN_PASSWORD' } } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com', email_verified: true } } },
  ],
})

const app = new Koa()
app.use(sallyport(guard))
app.use((ctx) => {
  ctx.body = ctx.path === '/healthz' ? 'ok' : `hello ${authOf(ctx)?.subject}`
})
app.listen(3000)
