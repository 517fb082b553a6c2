/** The service on node:http, without a framework. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { authOf, guardUpgrade, sallyport } from 'sallyport/node'
import { chat, report, type StartService } from './service.ts'

export const startNode: StartService = async (guard, port, host) => {
  const server = createServer(
    sallyport(guard)((req, res) => {
      res.setHeader('content-type', 'application/json')
      res.end(JSON.stringify(report('Node', req.url, authOf(req))))
    }),
  )
  server.on(
    'upgrade',
    guardUpgrade(
      guard,
      chat((req) => report('Node', req.url, authOf(req))),
    ),
  )
  server.listen(port, host)
  await once(server, 'listening')
  return server
}
