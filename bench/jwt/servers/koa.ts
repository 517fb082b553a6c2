/** Koa, bare or behind one of its JWT middlewares, each as its documentation has it for production. */
import { createServer } from 'node:http'
import Koa, { type Middleware } from 'koa'
import { contextFromParent, serve } from '../../lib/child.ts'
import { AUDIENCE, type Context, guardConfig } from '../context.ts'

const context = contextFromParent<Context>()
const { issuer, jwksUri } = context

const variants: Readonly<Record<string, () => Promise<Middleware | undefined>>> = {
  unprotected: async () => undefined,
  sallyport: async () => {
    const { createGuard } = await import('sallyport')
    const { sallyport } = await import('sallyport/koa')
    return sallyport(createGuard(guardConfig(context)))
  },
  'koa-jwt': async () => {
    const { default: jwt } = await import('koa-jwt')
    const { default: jwksRsa } = await import('jwks-rsa')
    return jwt({
      secret: jwksRsa.koaJwtSecret({ cache: true, rateLimit: true, jwksRequestsPerMinute: 5, jwksUri }),
      audience: AUDIENCE,
      issuer,
      algorithms: ['RS256'],
    })
  },
}

const app = new Koa()
const protection = await variants[process.argv[2] ?? '']?.()
if (protection !== undefined) app.use(protection)
app.use((ctx) => {
  ctx.body = { ok: true }
})
const handle = app.callback()
serve(createServer((req, res) => void handle(req, res)))
