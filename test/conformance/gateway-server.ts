/** A gateway on a port of its own, in a server that has nothing else. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKey } from 'sallyport'
import { createGateway, type Gateway, type GatewayConfig } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { memoryStore } from 'sallyport/stores/memory'

/** See the top of the file. */
export interface GatewayServer {
  /** Where it listens: `http://127.0.0.1:4711`. */
  readonly origin: string
  readonly port: number
  readonly gateway: Gateway
  close(): Promise<void>
}

/** Starts it, with a store in memory and a key. Its `url` is where it listens, unless `config` has another. */
export async function startGatewayServer(
  config: Pick<GatewayConfig, 'servers'> & Partial<GatewayConfig>,
): Promise<GatewayServer> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const gateway = createGateway({ url: origin, store: memoryStore(), keys: [generateKey()], ...config })
  await gateway.ready()
  server.on(
    'request',
    sallyport(gateway)((_request, response) => void response.writeHead(404).end()),
  )
  return {
    origin,
    port,
    gateway,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      await gateway.close()
    },
  }
}
