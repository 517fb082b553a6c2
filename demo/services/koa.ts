/** The service on Koa. */
import { once } from 'node:events'
import Koa from 'koa'
import { authOf, guardUpgrade, sallyport } from 'sallyport/koa'
import { chat, report, type StartService } from './service.ts'

export const startKoa: StartService = async (guard, port, host) => {
  const app = new Koa()
  app.use(sallyport(guard))
  app.use((ctx) => {
    ctx.body = report('Koa', ctx.url, authOf(ctx))
  })

  const server = app.listen(port, host)
  server.on(
    'upgrade',
    guardUpgrade(
      guard,
      chat((req) => report('Koa', req.url, authOf(req))),
    ),
  )
  await once(server, 'listening')
  return server
}
