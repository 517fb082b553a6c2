/** A gateway on a real server, with an identity provider whose tokens are made here, and everything it tells. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { generateKey, type TokenStore } from 'sallyport'
import { type AuditEvent, createGateway, type Gateway, type GatewayConfig, type RequestEvent } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { memoryStore } from 'sallyport/stores/memory'
import { onTestFinished } from 'vitest'
import { AUDIENCE, type KeyServer, startKeyServer } from '../support/identity-provider.ts'

/** See the top of the file. */
export interface World {
  readonly origin: string
  readonly gateway: Gateway
  readonly provider: KeyServer
  readonly store: TokenStore
  readonly keys: readonly string[]
  readonly config: GatewayConfig
  readonly audits: AuditEvent[]
  /** A JWT of `corp`: `alice`, with some groups. */
  jwt(subject: string, claims?: Record<string, unknown>): Promise<string>
  /** The endpoint of a server. */
  endpoint(server: string): string
  /** The next request that is told of, or the first so far that is so. */
  told(wanted: (event: RequestEvent) => boolean): Promise<RequestEvent>
  close(): Promise<void>
}

/** What a test is about; the rest is as it mostly is. */
export type WorldOptions = Partial<GatewayConfig> & {
  readonly provider?: KeyServer
  /** Without it the gateway is on node:http. */
  readonly mount?: (gateway: Gateway, server: Server) => void | Promise<void>
  readonly origin?: string
  /** The server listens here. */
  readonly server?: Server
}

/** `{ to: 'user:corp/*', on: '*' }` */
export const EVERYTHING = { to: 'user:corp/*', on: '*' } as const

/** Starts a gateway; it ends with the test. */
export async function startWorld({ provider: given, mount, server: ready, ...options }: WorldOptions): Promise<World> {
  const provider = given ?? (await startKeyServer())
  const server = ready ?? createServer()
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  if (!server.listening) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  const origin = options.url ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const audits: AuditEvent[] = []
  const waiting = new Set<() => void>()
  const store = options.store ?? memoryStore()
  const keys = (options.keys as readonly string[] | undefined) ?? [generateKey()]
  const config: GatewayConfig = {
    url: origin,
    store,
    keys,
    servers: {},
    integrations: { corp: { issuer: provider.issuer, audience: AUDIENCE } },
    ...options,
  }
  const gateway = createGateway(config)
  gateway.on('audit', (event) => {
    audits.push(event)
    for (const look of [...waiting]) look()
  })
  if (mount !== undefined) await mount(gateway, server)
  else {
    const handler = sallyport(gateway)((_request, response) => {
      response.writeHead(404, { 'x-app': 'reached' }).end('the application')
    })
    server.on('request', handler)
  }

  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy()
    if (server.listening) {
      const closed = once(server, 'close')
      server.close()
      await closed
    }
    await gateway.close()
    if (given === undefined) await provider.close()
  }
  onTestFinished(close)

  return {
    origin,
    gateway,
    provider,
    store,
    keys,
    config,
    audits,
    jwt: (subject, claims = {}) =>
      provider.sign({ sub: subject, email: `${subject}@example.com`, email_verified: true, ...claims }),
    endpoint: (name) => `${origin}/mcp/${name}/server`,
    told(wanted) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`nothing of the kind was told; the last: ${JSON.stringify(audits.slice(-3))}`))
        }, 10_000)
        const look = () => {
          const found = audits.find((event) => event.type === 'request' && wanted(event))
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found as RequestEvent)
        }
        waiting.add(look)
        look()
      })
    },
    close,
  }
}

/** An answer, with the JSON or the last event of it. */
export interface RpcAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: what the test is about to find out
  readonly json: any
}

/** What a request is. */
export interface Rpc {
  readonly token?: string | undefined
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; a text or bytes as they are. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** Sends one request and reads the whole answer. */
export async function rpc(url: string, request: Rpc): Promise<RpcAnswer> {
  const response = await send(url, request)
  const text = await response.text()
  const events = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data = '']) => data)
  return { status: response.status, headers: response.headers, text, json: parsed(events.at(-1) ?? text) }
}

/** Sends one request; nothing is read of the answer yet. */
export function send(url: string, { token, method = 'POST', headers = {}, body, signal }: Rpc): Promise<Response> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body === undefined
  return fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      accept: 'application/json, text/event-stream',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A JSON-RPC request. */
export function ask(method: string, params?: object, id: string | number = 1): object {
  return { jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) }
}

/** `tools/call`. */
export function callTool(name: string, args: object = {}, id: string | number = 1): object {
  return ask('tools/call', { name, arguments: args }, id)
}

/** `initialize` of a revision. */
export function initialize(revision = '2025-11-25', capabilities: object = {}): object {
  return ask('initialize', { protocolVersion: revision, capabilities, clientInfo: { name: 'test', version: '1' } })
}

/** Begins a session: the header fields that later requests have. */
export async function openSession(url: string, token: string | undefined, revision = '2025-11-25', capabilities = {}) {
  const answer = await rpc(url, { token, body: initialize(revision, capabilities) })
  const id = answer.headers.get('mcp-session-id')
  if (answer.status !== 200 || id === null) throw new Error(`no session: ${answer.status} ${answer.text}`)
  const headers = { 'mcp-session-id': id, 'mcp-protocol-version': revision }
  await rpc(url, { token, headers, body: { jsonrpc: '2.0', method: 'notifications/initialized' } })
  return headers
}
