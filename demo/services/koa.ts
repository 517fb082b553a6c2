/** The service on Koa. */
import { once } from 'node:events'
import Koa from 'koa'
import { authOf, guardUpgrade, sallyport } from 'sallyport/koa'
import { answer, chat, report, type StartService } from './service.ts'

export const startKoa: StartService = async (gates, port, host) => {
  const app = new Koa()
  app.use(sallyport(...gates))
  app.use((ctx) => {
    const { type, body } = answer('Koa', ctx.req, authOf(ctx))
    ctx.type = type
    ctx.body = body
  })

  const server = app.listen(port, host)
  server.on(
    'upgrade',
    guardUpgrade(
      gates,
      chat((req) => report('Koa', req.url, authOf(req))),
    ),
  )
  await once(server, 'listening')
  return server
}
