/** What the attacks share: an upstream that does as it is told, somebody's own accounts on it, and browsers that consent. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { GateRequest, Identity, SignIn } from 'sallyport'
import type { GatewayConfig, McpServer } from 'sallyport/gateway'
import { onTestFinished } from 'vitest'
import { identityId } from '../../src/identity/identity.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { type Habits, type QuirkyProvider, startQuirkyProvider } from '../support/mcp/quirky-provider.ts'
import { initialize, rpc, startWorld, type World, type WorldOptions } from './world.ts'

/** A request that reached an upstream. */
export interface Arrived {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An upstream by hand. */
export interface Stub {
  readonly url: string
  readonly port: number
  readonly requests: Arrived[]
  /** Takes requests before the usual answers do; `true` when it has. */
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => boolean
  /** The bearer tokens that came, oldest first. */
  tokens(): string[]
  /** JSON-RPC methods that came. */
  methods(): string[]
}

/** What every tool of {@link startStub} is called. */
export const TOOLS = ['ok', 'evil', 'search'] as const

/** Starts one. It has sessions, answers in JSON, streams on GET and on calls of `stream`, and ends with the test. */
export async function startStub(): Promise<Stub> {
  const requests: Arrived[] = []
  const sockets = new Set<Socket>()
  const server = createServer(async (request, response) => {
    response.on('error', () => {})
    request.on('error', () => {})
    try {
      const body = Buffer.concat(await request.toArray()).toString()
      requests.push({ method: request.method ?? '', headers: request.headers, body })
      if (!stub.answer(request, response, body)) usual(request, response, body)
    } catch {
      response.destroy()
    }
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stub: Stub = {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    requests,
    answer: () => false,
    tokens: () => requests.map(({ headers }) => headers.authorization ?? ''),
    methods: () => requests.flatMap(({ body }) => methodsIn(body)),
  }
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return stub
}

/** Answers as a small server of all revisions would. */
export function usual(request: IncomingMessage, response: ServerResponse, body: string): void {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': here\n\n')
    return
  }
  const message = parsed(body)
  if (message?.id === undefined) {
    response.writeHead(202).end()
    return
  }
  const { id, method, params } = message
  if (params?.name === 'stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'begun' } }))
    return
  }
  const session = method === 'initialize' ? { 'mcp-session-id': 'upstream-session' } : {}
  response.writeHead(200, { 'content-type': 'application/json', ...session })
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result: resultOf(method, params) }))
}

/** `true` for {@link Stub.answer}, once something has been sent. */
export function done(_sent: unknown): true {
  return true
}

/** A message as a server-sent event. */
export function event(message: object): string {
  return `data: ${JSON.stringify(message)}\n\n`
}

// biome-ignore lint/suspicious/noExplicitAny: whatever somebody has sent
function parsed(body: string): any {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function methodsIn(body: string): string[] {
  return [parsed(body)].flat().flatMap((message) => (typeof message?.method === 'string' ? [message.method] : []))
}

// biome-ignore lint/suspicious/noExplicitAny: whatever somebody has sent
function resultOf(method: string, params: any): object {
  if (method === 'initialize') {
    const { protocolVersion } = params ?? {}
    return { protocolVersion, capabilities: {}, serverInfo: { name: 'stub', version: '1' } }
  }
  if (method === 'tools/list') return { tools: TOOLS.map((name) => ({ name, inputSchema: { type: 'object' } })) }
  return { content: [{ type: 'text', text: `did ${String(params?.name)}` }] }
}

/** The host application's own sign-in: a cookie says who is at the browser, and of which provider. */
export function cookieSignIn(issuer: (integration: string) => string, integrations = ['corp']): SignIn {
  return {
    integrations,
    async identify({ headers }: GateRequest): Promise<Identity | null> {
      const [, name = '', integration = 'corp'] = /(?:^|; )who=(\w+)(?:@(\w+))?/.exec(headers.cookie ?? '') ?? []
      if (name === '') return null
      const email = `${name}@example.com`
      return { id: identityId(issuer(integration), name), integration, subject: name, groups: [], email, claims: {} }
    },
    start: () => ({ status: 302, headers: { location: '/sign-in' } }),
  }
}

/** A gateway with one server of the users' own accounts. */
export interface ConsentWorld {
  readonly world: World
  readonly url: string
  readonly notes: Stub
  readonly provider: QuirkyProvider
  /** What the server is configured as. */
  readonly server: McpServer
  /** A browser that somebody is signed in with: `bob`, or `bob@partner`. */
  browserOf(name: string): FormBrowser
  /** The link that an agent of somebody is told. */
  link(token: string): Promise<string>
  /** Makes somebody's connection; their token. */
  connect(name: string): Promise<string>
}

/** Starts one. Its upstream takes what its authorization server has given out, and nothing else. */
export async function startConsentWorld(
  options: Partial<WorldOptions> & {
    readonly habits?: Partial<Habits>
    readonly auth?: Partial<QuirkyProvider['auth']>
    readonly more?: GatewayConfig['servers']
  } = {},
): Promise<ConsentWorld> {
  const { habits, auth, more = {}, ...config } = options
  const authorization = await startQuirkyProvider('standard', habits)
  onTestFinished(() => authorization.close())
  const notes = await startStub()
  notes.answer = (request, response) => {
    const [, token = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
    if (authorization.isGood(token)) return false
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
    return true
  }
  const issuers = new Map<string, string>()
  const server: McpServer = { url: notes.url, label: 'Notes', auth: { ...authorization.auth, ...auth } }
  const world = await startWorld({
    signIn: cookieSignIn((name) => issuers.get(name) ?? ''),
    servers: { 'dev/notes': server, ...more },
    access: [{ to: 'user:corp/*', on: '*' }],
    ...config,
  })
  issuers.set('corp', world.provider.issuer)
  for (const [name, { issuer }] of Object.entries(world.config.integrations ?? {})) issuers.set(name, issuer)
  const url = world.endpoint('dev/notes')

  async function link(token: string): Promise<string> {
    return linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text)
  }
  function browserOf(name: string): FormBrowser {
    const browser = new FormBrowser()
    browser.setCookie('127.0.0.1', 'who', name)
    return browser
  }
  async function connect(name: string): Promise<string> {
    const token = await world.jwt(name)
    const browser = browserOf(name)
    const page = await browser.submit(await browser.load(await link(token)), {})
    if (page.status !== 200) throw new Error(`no connection: ${page.status} ${page.body}`)
    return token
  }
  return { world, url, notes, provider: authorization, server, browserOf, link, connect }
}

/** The link in an answer. */
export function linkIn(text: string): string {
  const [, url = ''] = /Please visit: ([^\s"]+)"/.exec(text) ?? []
  if (url === '') throw new Error(`no link in ${text}`)
  return url
}

/** A request of 2026-07-28 with the header fields that belong to it. */
export function modern(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  options: { readonly capabilities?: object; readonly headers?: Readonly<Record<string, string>> } = {},
) {
  const { capabilities = {}, headers = {} } = options
  const named = params.name ?? params.uri
  return {
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof named === 'string' ? { 'mcp-name': named } : {}),
      ...headers,
    },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': capabilities,
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
        },
      },
    },
  }
}

/** What a stream has brought so far, and how it ended. */
export interface Listening {
  text(): string
  readonly ended: Promise<'whole' | 'cut'>
}

/** Reads a stream to its end, and meanwhile shows what has come. */
export function listen(response: Response): Listening {
  let text = ''
  const reader = response.body?.getReader()
  async function read(): Promise<'whole' | 'cut'> {
    try {
      for (;;) {
        const piece = await reader?.read()
        if (piece === undefined || piece.done) return 'whole'
        text += Buffer.from(piece.value).toString()
      }
    } catch {
      return 'cut'
    }
  }
  return { text: () => text, ended: read() }
}
