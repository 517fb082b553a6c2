/**
 * The upstream that answers at once: a fixed reply to every call, a fixed list of tools, a silent stream to GET. It counts calls
 * by the credential that came with them, and remembers the last one.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { contextFromParent, serve } from '../../lib/child.ts'
import { answerBody, HIDDEN_TOOL, REQUESTS, REVISION, TOOL, TOOLS_PER_MEMBER } from '../context.ts'

/** What it has seen. */
export interface Seen {
  readonly calls: Readonly<Record<string, number>>
  readonly last: {
    readonly authorization: string
    readonly session: string
    readonly headers: readonly string[]
    readonly path: string
  }
  readonly streams: number
}

contextFromParent()
const replies = new Map(
  Array.from({ length: REQUESTS }, (_, index) => [1000 + index, Buffer.from(answerBody(1000 + index))]),
)
const tools = Array.from({ length: TOOLS_PER_MEMBER }, (_, index) => ({
  name: index === 0 ? TOOL : `get_report_${index}`,
  description: 'Orders of a customer, newest first, with their items, as they stand in the books of this morning',
  inputSchema: {
    type: 'object',
    properties: Object.fromEntries(
      ['customer', 'status', 'since', 'sort'].map((name) => [name, { type: 'string', description: `The ${name}` }]),
    ),
    required: ['customer'],
  },
}))
const hidden = { name: HIDDEN_TOOL, inputSchema: { type: 'object' } }
const calls = new Map<string, number>()
let last: IncomingMessage | undefined
let streams = 0
let sessions = 0

const server = createServer((req, res) => {
  if (req.method === 'GET') return openStream(req, res)
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    const message = body.length === 0 ? {} : JSON.parse(body.toString('utf8'))
    if (message.method === 'tools/call') {
      const authorization = req.headers.authorization ?? ''
      calls.set(authorization, (calls.get(authorization) ?? 0) + 1)
      last = req
      sendJson(res, replies.get(message.id) ?? Buffer.from(answerBody(message.id)))
    } else if (message.method === 'initialize') {
      const result = {
        protocolVersion: REVISION,
        capabilities: { tools: {} },
        serverInfo: { name: 'fixed', version: '1.0.0' },
      }
      res.setHeader('mcp-session-id', `fixed-${sessions++}`)
      sendJson(res, Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: message.id, result })))
    } else if (message.method === 'tools/list') {
      sendJson(
        res,
        Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { tools: [...tools, hidden] } })),
      )
    } else {
      res.writeHead(202, { 'content-length': 0 }).end()
    }
  })
})

function sendJson(res: ServerResponse, body: Buffer): void {
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  res.end(body)
}

function openStream(req: IncomingMessage, res: ServerResponse): void {
  streams += 1
  last = req
  res.once('close', () => {
    streams -= 1
  })
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  res.flushHeaders()
}

serve(server, {
  seen: (): Seen => ({
    calls: Object.fromEntries(calls),
    last: {
      authorization: last?.headers.authorization ?? '',
      session: String(last?.headers['mcp-session-id'] ?? ''),
      headers: Object.keys(last?.headers ?? {}),
      path: last?.url ?? '',
    },
    streams,
  }),
})
