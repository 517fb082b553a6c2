/** Messages and requests that tests of the relay send, and the raw upstreams that they send them to. */
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { RawRequest } from '../support/raw-client.ts'

/** A message as bytes would say it. */
export function message(method: string, params?: object, id: number | string | undefined = 1): string {
  return JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, ...(params ? { params } : {}) })
}

/** A notification. */
export function notification(method: string): string {
  return JSON.stringify({ jsonrpc: '2.0', method })
}

/** A POST as clients send it. */
export function post(body: string, headers: Record<string, string> = {}): RawRequest {
  return {
    method: 'POST',
    target: '/mcp',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
    body,
  }
}

/** A request of 2026-07-28, with its header fields. */
export function modernPost(method: string, params: Record<string, unknown> = {}, headers = {}): RawRequest {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const named = params.name ?? params.uri
  return post(message(method, { ...params, _meta }), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(typeof named === 'string' ? { 'mcp-name': named } : {}),
    ...headers,
  })
}

/** `initialize` for a revision. */
export function initialize(protocolVersion = '2025-11-25', capabilities: object = {}): RawRequest {
  return post(message('initialize', { protocolVersion, capabilities, clientInfo: { name: 't', version: '0' } }))
}

/** What an upstream that is not finished answers to `initialize`. */
export function initialized(protocolVersion = '2025-11-25', id: number | string = 1): string {
  const result = { protocolVersion, capabilities: {}, serverInfo: { name: 'up', version: '0' } }
  return JSON.stringify({ jsonrpc: '2.0', id, result })
}

/** An upstream. */
export interface Upstream {
  readonly url: string
  readonly requests: { readonly request: IncomingMessage; readonly body: string }[]
  /** Connections that were made so far. */
  readonly connections: number
  close(): Promise<void>
}

/** An upstream that answers as a test says. */
export async function httpUpstream(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<Upstream> {
  const requests: { request: IncomingMessage; body: string }[] = []
  let connections = 0
  const server = createHttpServer(async (request, response) => {
    response.on('error', () => {})
    try {
      const body = Buffer.concat(await request.toArray()).toString()
      requests.push({ request, body })
      answer(request, response, body)
    } catch {
      response.destroy()
    }
  })
  server.on('connection', () => {
    connections++
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    requests,
    get connections() {
      return connections
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** An upstream below HTTP: `onRequest` gets the socket once a whole head has come. */
export async function socketUpstream(
  onRequest: (socket: Socket) => void,
): Promise<{ url: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    socket.once('data', () => onRequest(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Waits until something holds. */
export async function eventually(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`it did not happen: ${what}`)
    await pause(5)
  }
}
