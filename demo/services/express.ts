/** The service on Express. */
import { once } from 'node:events'
import express from 'express'
import { authOf, guardUpgrade, sallyport } from 'sallyport/express'
import { answer, chat, report, type StartService } from './service.ts'

export const startExpress: StartService = async (gates, port, host) => {
  const app = express()
  app.use(sallyport(...gates))
  app.use((req, res) => {
    const { type, body } = answer('Express', req, authOf(req))
    res.type(type).send(body)
  })

  const server = app.listen(port, host)
  server.on(
    'upgrade',
    guardUpgrade(
      gates,
      chat((req) => report('Express', req.url, authOf(req))),
    ),
  )
  await once(server, 'listening')
  return server
}
