/** The service on Fastify. */
import Fastify from 'fastify'
import { authOf, guardUpgrade, sallyport } from 'sallyport/fastify'
import { chat, report, type StartService } from './service.ts'

export const startFastify: StartService = async (guard, port, host) => {
  const app = Fastify()
  await app.register(sallyport(guard))
  app.all('/*', (request) => report('Fastify', request.url, authOf(request)))

  app.server.on(
    'upgrade',
    guardUpgrade(
      guard,
      chat((req) => report('Fastify', req.url, authOf(req))),
    ),
  )
  await app.listen({ port, host })
  return app.server
}
