/** node:http: basic auth, JWTs and an open health check. `ADMIN_PASSWORD=pass npx tsx examples/node.ts` */
import { createServer } from 'node:http'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/node'

const guard = createGuard({
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'orders-api' } },
  routes: [
    { path: '/healthz', auth: { type: 'none' } },
    { path: '/admin', auth: { type: 'basic', username: 'hello', password: { secret: 'env:ADMIN_PASSWORD' } } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com', email_verified: true } } },
  ],
})

const server = createServer(
  sallyport(guard)((req, res) => {
    res.end(req.url === '/healthz' ? 'ok' : `hello ${authOf(req)?.subject}`)
  }),
)
server.listen(3000)
