/** The service on Express. */
import { once } from 'node:events'
import express from 'express'
import { authOf, guardUpgrade, sallyport } from 'sallyport/express'
import { chat, report, type StartService } from './service.ts'

export const startExpress: StartService = async (guard, port, host) => {
  const app = express()
  app.use(sallyport(guard))
  app.use((req, res) => {
    res.json(report('Express', req.url, authOf(req)))
  })

  const server = app.listen(port, host)
  server.on(
    'upgrade',
    guardUpgrade(
      guard,
      chat((req) => report('Express', req.url, authOf(req))),
    ),
  )
  await once(server, 'listening')
  return server
}
