/**
 * What MCP servers for tests have in common: they listen on the loopback interface, and write down every request that
 * reaches them, so that tests can look which credential arrived. Nothing of it is ever printed.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A request as it has arrived. */
export interface McpCall {
  /** `POST`, `GET` or `DELETE`. */
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** As it came, as far as it has come. */
  readonly body: string
  /** The JSON-RPC method of the message in it; `undefined` for a response, a batch, or no message. */
  readonly rpc: string | undefined
  readonly status: number | undefined
  /** How the answer ended: sent as a whole, or cut off since the client went away; `undefined` while it is under way. */
  readonly ended: 'whole' | 'cut' | undefined
}

/** A server for tests. */
export interface McpFixture {
  /** The MCP endpoint. */
  readonly url: string
  /** Every request so far, oldest first. */
  readonly calls: McpCall[]
  /** The first call that is so, past or to come; rejects after 20 seconds. */
  call(wanted: (call: McpCall) => boolean): Promise<McpCall>
  /** Cuts all connections. */
  close(): Promise<void>
}

/** The path of the MCP endpoint of all of them. */
export const MCP_PATH = '/mcp'
const PATIENCE_MS = 20_000

/** How a server answers; what it rejects with is answered 500. */
export type McpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void

/** Starts a server. `handler` gets every request, other paths than {@link MCP_PATH} too. */
export async function serveMcp(port: number, handler: McpHandler): Promise<McpFixture & { readonly origin: string }> {
  const calls: McpCall[] = []
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    calls.push(recorded(request, response))
    Promise.resolve(handler(request, response)).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error))
    })
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  // Streams that are silent for long are what is tested.
  server.requestTimeout = 0
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    url: origin + MCP_PATH,
    calls,
    async call(wanted) {
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const found = calls.find(wanted)
        if (found !== undefined) return found
        if (Date.now() > deadline) {
          const seen = calls.map(({ method, rpc, status, ended }) => [method, rpc, status, ended].join(' '))
          throw new Error(`no such call within ${PATIENCE_MS} ms, only: ${seen.join('; ')}`)
        }
        await pause(5)
      }
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function recorded(request: IncomingMessage, response: ServerResponse): McpCall {
  const chunks: Uint8Array[] = []
  const push = request.push.bind(request)
  // The parser pushes the body here; a listener for `data` would take it away from the server.
  request.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    if (chunk !== null) chunks.push(chunk)
    return push(chunk, encoding)
  }
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    get body() {
      return Buffer.concat(chunks).toString('utf8')
    },
    get rpc() {
      return rpcMethod(this.body)
    },
    get status() {
      return response.headersSent ? response.statusCode : undefined
    },
    get ended() {
      if (response.writableFinished) return 'whole' as const
      return response.destroyed || response.closed ? ('cut' as const) : undefined
    },
  }
}

function rpcMethod(body: string): string | undefined {
  try {
    const { method } = JSON.parse(body) as { method?: unknown }
    return typeof method === 'string' ? method : undefined
  } catch {
    return undefined
  }
}

/** The `sub` of the JWT that a request carries, `opaque` for another credential, `nobody` for none. Verifies nothing. */
export function bearerSubject(authorization: string | null | undefined): string {
  if (authorization === null || authorization === undefined) return 'nobody'
  const [, payload = ''] = /^Bearer [\w-]+\.([\w-]+)\.[\w-]*$/.exec(authorization) ?? []
  if (payload === '') return 'opaque'
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sub?: unknown }
  return typeof sub === 'string' ? sub : 'opaque'
}
