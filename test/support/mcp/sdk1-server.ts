/**
 * An MCP server on version 1 of the TypeScript SDK, what most deployed servers still run: with sessions, resumption and
 * requests to the client, or without any of it.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'
import { bearerSubject, type McpFixture, serveMcp } from './calls.ts'
import { orderedEventStore } from './event-store.ts'

/** How the server differs from the usual one. */
export interface Sdk1ServerOptions {
  readonly port?: number
  /** What it calls itself; `sdk1` by default. */
  readonly name?: string
  /** Sessions with resumption; on by default. */
  readonly sessions?: boolean
  /** Answers as JSON in place of SSE; nothing can then be sent to the client. */
  readonly json?: boolean
}

/** The running server. */
export interface Sdk1Server extends McpFixture {
  /** Tells all clients that listen. */
  toolsChanged(): Promise<void>
  sessions(): number
}

/** Starts it on the loopback interface. */
export async function startSdk1Server(options: Sdk1ServerOptions = {}): Promise<Sdk1Server> {
  const { name = 'sdk1', sessions: stateful = true, json = false } = options
  const sessions = new Map<string, { transport: StreamableHTTPServerTransport; server: McpServer }>()

  async function openSession(): Promise<StreamableHTTPServerTransport> {
    const server = sdk1Tools(name)
    const transport = new StreamableHTTPServerTransport({
      enableJsonResponse: json,
      ...(stateful
        ? {
            sessionIdGenerator: randomUUID,
            eventStore: orderedEventStore(),
            retryInterval: 50,
            onsessioninitialized: (id: string) => void sessions.set(id, { transport, server }),
            onsessionclosed: (id: string) => void sessions.delete(id),
          }
        : { sessionIdGenerator: undefined as unknown as () => string }),
    })
    // Its declared properties are not what `exactOptionalPropertyTypes` wants.
    await server.connect(transport as Parameters<McpServer['connect']>[0])
    return transport
  }

  const served = await serveMcp(options.port ?? 0, async (request, response) => {
    const id = request.headers['mcp-session-id']
    const known = typeof id === 'string' ? sessions.get(id) : undefined
    if (known !== undefined) return known.transport.handleRequest(request, response)
    if (stateful && id !== undefined) return refuse(request, response, 404)
    if (request.method !== 'POST') return refuse(request, response, stateful ? 400 : 405)
    return (await openSession()).handleRequest(request, response)
  })
  return {
    ...served,
    async toolsChanged() {
      for (const { server } of sessions.values()) server.sendToolListChanged()
    },
    sessions: () => sessions.size,
    async close() {
      await Promise.all([...sessions.values()].map(({ transport }) => transport.close()))
      await served.close()
    },
  }
}

function sdk1Tools(name: string): McpServer {
  const server = new McpServer(
    { name, version: '1.0.0' },
    { capabilities: { tools: { listChanged: true }, logging: {} } },
  )
  server.registerTool('echo', { description: 'Says the same.', inputSchema: { text: z.string() } }, async ({ text }) =>
    said(text),
  )
  server.registerTool(
    'add',
    { description: 'Adds two numbers.', inputSchema: { a: z.number(), b: z.number() } },
    async ({ a, b }) => said(String(a + b)),
  )
  server.registerTool('whoami', { description: 'Whose token came along.' }, async ({ requestInfo }) =>
    said(bearerSubject(one(requestInfo?.headers.authorization))),
  )
  server.registerTool(
    'count',
    {
      description: 'Counts with a progress notification for each number; breaks the stream off where it is told to.',
      inputSchema: { to: z.number(), breakAt: z.number().optional() },
    },
    async ({ to, breakAt }, { _meta, sendNotification, closeSSEStream }) => {
      const progressToken = _meta?.progressToken
      for (let progress = 1; progress <= to; progress++) {
        if (progress === breakAt) closeSSEStream?.()
        if (progressToken !== undefined) {
          await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: to } })
        }
      }
      return said(`counted to ${to}`)
    },
  )
  server.registerTool('ask', { description: 'Asks the user for a colour, on the stream.' }, async (extra) => {
    const answer = await extra.sendRequest(
      {
        method: 'elicitation/create',
        params: {
          message: 'Which colour?',
          requestedSchema: { type: 'object', properties: { colour: { type: 'string' } }, required: ['colour'] },
        },
      },
      z.looseObject({ action: z.string(), content: z.looseObject({ colour: z.string() }).optional() }),
    )
    return said(answer.action === 'accept' ? `chose ${answer.content?.colour}` : answer.action)
  })
  server.registerTool('sample', { description: "Asks the client's model, on the stream." }, async (extra) => {
    const answer = await extra.sendRequest(
      {
        method: 'sampling/createMessage',
        params: { messages: [{ role: 'user', content: { type: 'text', text: 'Say something.' } }], maxTokens: 10 },
      },
      z.looseObject({ content: z.looseObject({ text: z.string() }) }),
    )
    return said(`the model said ${answer.content.text}`)
  })
  server.registerPrompt(
    'greet',
    { description: 'A greeting.', argsSchema: { name: z.string() } },
    ({ name: whom }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: `Greet ${whom}.` } }],
    }),
  )
  server.registerResource('readme', 'notes://readme', { mimeType: 'text/plain' }, async (uri) => ({
    contents: [{ uri: uri.href, text: 'read me' }],
  }))
  return server
}

function said(text: string) {
  return { content: [{ type: 'text' as const, text }] }
}

function one(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.join(', ')
}

function refuse(_request: IncomingMessage, response: ServerResponse, status: number): void {
  const error = { code: status === 404 ? -32001 : -32000, message: 'No such session' }
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
}
