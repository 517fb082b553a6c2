/** The service on Fastify. */
import Fastify from 'fastify'
import { authOf, guardUpgrade, sallyport } from 'sallyport/fastify'
import { answer, chat, report, type StartService } from './service.ts'

export const startFastify: StartService = async (gates, port, host) => {
  const app = Fastify()
  await app.register(sallyport(...gates))
  app.all('/*', (request, reply) => {
    const { type, body } = answer('Fastify', request.raw, authOf(request))
    return reply.type(type).send(body)
  })

  app.server.on(
    'upgrade',
    guardUpgrade(
      gates,
      chat((req) => report('Fastify', req.url, authOf(req))),
    ),
  )
  await app.listen({ port, host })
  return app.server
}
