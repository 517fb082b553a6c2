/**
 * An MCP server on version 2 of the TypeScript SDK: both eras on one endpoint, as the SDK's documentation composes them.
 * The legacy side has sessions, or none.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type NodeIncomingMessageLike,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
  toWebRequest,
} from '@modelcontextprotocol/node'
import { createMcpHandler, isLegacyRequest, type McpServer } from '@modelcontextprotocol/server'
import { type McpFixture, serveMcp } from './calls.ts'
import { orderedEventStore } from './event-store.ts'
import { sdk2Tools } from './sdk2-tools.ts'
import { writeWideNumbers } from './wide-number.ts'

/** How the server differs from the usual one. */
export interface Sdk2ServerOptions {
  readonly port?: number
  /** What it calls itself; `sdk2` by default. */
  readonly name?: string
  /**
   * `auto` by default: JSON in the modern era unless something is sent before the result, SSE in the legacy era. `json`: the
   * same in the legacy era, where nothing can then be sent before the result.
   */
  readonly answers?: 'auto' | 'json' | 'sse'
  /** Whether the legacy era has sessions, with resumption; it does by default. */
  readonly sessions?: boolean
  /** Both by default. */
  readonly eras?: 'both' | 'modern' | 'legacy'
  /** What is on it, for each request or session; {@link sdk2Tools} by default. */
  readonly offer?: (notify: Sdk2Notify) => McpServer
  /** Comes first; `true` when it has answered. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
}

/** Tells clients that listen that a list has changed. */
export interface Sdk2Notify {
  toolsChanged(): void
  promptsChanged(): void
}

/** The running server. */
export interface Sdk2Server extends McpFixture {
  /** `waiting` when the tool `wait` begins, `cancelled` when the client gives it up. */
  readonly events: EventEmitter
  /** Lets calls of `wait` end. */
  release(): void
  /** Tells all clients that listen. */
  toolsChanged(): Promise<void>
  resourceUpdated(uri: string): Promise<void>
  /** Sessions of the legacy era that are open. */
  sessions(): number
}

interface Session {
  readonly transport: NodeStreamableHTTPServerTransport
  readonly server: McpServer
}

/** Starts it on the loopback interface. */
export async function startSdk2Server(options: Sdk2ServerOptions = {}): Promise<Sdk2Server> {
  const { name = 'sdk2', answers = 'auto', sessions: stateful = true, eras = 'both' } = options
  const events = new EventEmitter().setMaxListeners(0)
  const sessions = new Map<string, Session>()
  const notify: Sdk2Notify = {
    toolsChanged() {
      modern.notify.toolsChanged()
      for (const { server } of sessions.values()) server.sendToolListChanged()
    },
    promptsChanged() {
      modern.notify.promptsChanged()
      for (const { server } of sessions.values()) server.sendPromptListChanged()
    },
  }
  const make = () => options.offer?.(notify) ?? sdk2Tools(name, events)
  const modern = createMcpHandler(make, { legacy: 'reject', responseMode: answers === 'sse' ? 'sse' : 'auto' })
  const answerModern = toNodeHandler(modern)

  async function openSession(): Promise<NodeStreamableHTTPServerTransport> {
    const server = make()
    const transport = new NodeStreamableHTTPServerTransport({
      enableJsonResponse: answers === 'json',
      ...(stateful
        ? {
            sessionIdGenerator: randomUUID,
            eventStore: orderedEventStore(),
            retryInterval: 50,
            onsessioninitialized: (id: string) => void sessions.set(id, { transport, server }),
            onsessionclosed: (id: string) => void sessions.delete(id),
          }
        : {}),
    })
    await server.connect(transport)
    return transport
  }

  async function answerLegacy(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    const id = request.headers['mcp-session-id']
    const known = typeof id === 'string' ? sessions.get(id) : undefined
    if (known !== undefined) return known.transport.handleRequest(request, response, body)
    if (stateful && id !== undefined) return refuse(response, 404, 'Session not found')
    if (request.method !== 'POST') return refuse(response, stateful ? 400 : 405, 'No session')
    return (await openSession()).handleRequest(request, response, body)
  }

  const served = await serveMcp(options.port ?? 0, async (request, response) => {
    writeWideNumbers(response)
    if (options.before !== undefined && (await options.before(request, response))) return
    if (eras === 'modern') return answerModern(likeNode(request), response)
    if (eras === 'legacy') return answerLegacy(request, response, undefined)
    const asked = await toWebRequest(likeNode(request))
    const isLegacy = await isLegacyRequest(asked)
    const text = request.method === 'POST' ? await asked.text() : ''
    const body = text === '' ? undefined : parsed(text)
    return isLegacy ? answerLegacy(request, response, body) : answerModern(likeNode(request), response, body)
  })
  const each = (tell: (session: Session) => Promise<void>) => Promise.all([...sessions.values()].map(tell))

  return {
    ...served,
    events,
    release: () => void events.emit('release'),
    async toolsChanged() {
      modern.notify.toolsChanged()
      await each(async ({ server }) => server.sendToolListChanged())
    },
    async resourceUpdated(uri) {
      modern.notify.resourceUpdated(uri)
      await each(({ server }) => server.server.sendResourceUpdated({ uri }))
    },
    sessions: () => sessions.size,
    async close() {
      events.emit('release')
      await modern.close()
      await each(({ transport }) => transport.close())
      await served.close()
    },
  }
}

/** The SDK's own types are not made for `exactOptionalPropertyTypes`. */
function likeNode(request: IncomingMessage): NodeIncomingMessageLike {
  return request as NodeIncomingMessageLike
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The SDK then says what is wrong with it.
    return text
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const body = { jsonrpc: '2.0', id: null, error: { code: status === 404 ? -32001 : -32000, message } }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
