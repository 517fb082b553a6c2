/** A target with scheme and host, as proxies send it: the application behind `node:http` sees a path all the same. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGuard } from 'sallyport'
import { sallyport } from 'sallyport/node'
import { expect, test } from 'vitest'
import { askRaw } from '../support/raw-client.ts'

test('A2 a handler that compares req.url with a path is not led astray by an absolute-form target', async () => {
  const guard = createGuard({
    routes: [
      { path: '/healthz', auth: { type: 'none' } },
      { path: '/', auth: { type: 'basic', username: 'a', password: 'b' } },
    ],
  })
  const server = createServer(
    sallyport(guard)((req, res) => res.end(req.url === '/healthz?x=http://h/' ? 'healthy' : 'secret')),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const answer = await askRaw(port, { target: 'http://h/healthz?x=http://h/', headers: { Host: 'h' } })
    expect([answer.status, answer.body.toString()]).toEqual([200, 'healthy'])
  } finally {
    server.close()
  }
})
