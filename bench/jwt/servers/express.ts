/** Express, bare or behind one of its JWT middlewares, each as its documentation has it for production. */
import { createServer } from 'node:http'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { contextFromParent, serve } from '../../lib/child.ts'
import { AUDIENCE, type Context, guardConfig, TARGET } from '../context.ts'

const context = contextFromParent<Context>()
const { issuer, jwksUri } = context

const variants: Readonly<Record<string, () => Promise<RequestHandler | undefined>>> = {
  unprotected: async () => undefined,
  sallyport: async () => {
    const { createGuard } = await import('sallyport')
    const { sallyport } = await import('sallyport/express')
    return sallyport(createGuard(guardConfig(context)))
  },
  'express-oauth2-jwt-bearer': async () => {
    const { auth } = await import('express-oauth2-jwt-bearer')
    return auth({ issuerBaseURL: issuer, audience: AUDIENCE, tokenSigningAlg: 'RS256' })
  },
  'express-jwt': async () => {
    const { expressjwt } = await import('express-jwt')
    const { default: jwksRsa } = await import('jwks-rsa')
    return expressjwt({
      secret: jwksRsa.expressJwtSecret({ cache: true, rateLimit: true, jwksRequestsPerMinute: 5, jwksUri }),
      audience: AUDIENCE,
      issuer,
      algorithms: ['RS256'],
    })
  },
}

const app = express()
const protection = await variants[process.argv[2] ?? '']?.()
if (protection !== undefined) app.use(protection)
app.get(TARGET, (_req, res) => {
  res.json({ ok: true })
})
const refused: ErrorRequestHandler = (error: { status?: number }, _req, res, _next) => {
  res.status(error.status ?? 500).json({ ok: false })
}
app.use(refused)
serve(createServer(app))
