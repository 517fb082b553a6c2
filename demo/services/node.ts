/** The service on node:http, without a framework. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { authOf, guardUpgrade, sallyport } from 'sallyport/node'
import { answer, chat, report, type StartService } from './service.ts'

export const startNode: StartService = async (gates, port, host) => {
  const server = createServer(
    sallyport(...gates)((req, res) => {
      const { type, body } = answer('Node', req, authOf(req))
      res.setHeader('content-type', type)
      res.end(body)
    }),
  )
  server.on(
    'upgrade',
    guardUpgrade(
      gates,
      chat((req) => report('Node', req.url, authOf(req))),
    ),
  )
  server.listen(port, host)
  await once(server, 'listening')
  return server
}
