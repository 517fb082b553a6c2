/** Fastify, bare or behind one of its JWT plugins, each as its documentation has it for production. */
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { contextFromParent, serve } from '../../lib/child.ts'
import { AUDIENCE, type Context, guardConfig, TARGET } from '../context.ts'

const context = contextFromParent<Context>()

const variants: Readonly<Record<string, (app: FastifyInstance) => Promise<void>>> = {
  unprotected: async () => undefined,
  sallyport: async (app) => {
    const { createGuard } = await import('sallyport')
    const { sallyport } = await import('sallyport/fastify')
    await app.register(sallyport(createGuard(guardConfig(context))))
  },
  '@fastify/jwt': (app) => fastifyJwt(app, false),
  '@fastify/jwt (cache)': (app) => fastifyJwt(app, true),
}

/** The set-up of the README's section "Verifying with JWKS", with issuer, audience and algorithm checked. */
async function fastifyJwt(app: FastifyInstance, cache: boolean): Promise<void> {
  const { default: plugin } = await import('@fastify/jwt')
  const { default: buildGetJwks } = await import('get-jwks')
  const getJwks = buildGetJwks({ issuersWhitelist: [context.issuer] })
  await app.register(plugin, {
    decode: { complete: true },
    secret: (_request: FastifyRequest, token: unknown) => {
      const { header, payload } = token as { header: { kid: string; alg: string }; payload: { iss: string } }
      return getJwks.getPublicKey({ kid: header.kid, alg: header.alg, domain: payload.iss })
    },
    verify: { algorithms: ['RS256'], allowedAud: AUDIENCE, allowedIss: context.issuer, cache },
  })
  app.addHook('onRequest', async (request) => {
    await request.jwtVerify()
  })
}

const app = Fastify()
await variants[process.argv[2] ?? '']?.(app)
app.get(TARGET, async () => ({ ok: true }))
await app.ready()
serve(app.server)
