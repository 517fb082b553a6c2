/** A local server for tests of fetching: answers as it is told, and can be closed while connections are open. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server on this machine. */
export interface LocalServer {
  /** `http://127.0.0.1:4711`, without a slash behind it. */
  readonly url: string
  /** Method and target of each request, in order. */
  readonly requests: string[]
  close(): Promise<void>
}

/** Starts a server. */
export async function localServer(answer: RequestListener): Promise<LocalServer> {
  const requests: string[] = []
  const server: Server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
