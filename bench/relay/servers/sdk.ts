/** The upstream as the TypeScript SDK 2.x makes it, with its defaults: a server and a transport for each session. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { contextFromParent, serve } from '../../lib/child.ts'
import { ANSWER_TEXT, HIDDEN_TOOL, TOOL } from '../context.ts'
import type { Seen } from './fixed.ts'

contextFromParent()
const transports = new Map<string, NodeStreamableHTTPServerTransport>()
const calls = new Map<string, number>()
let last: Seen['last'] = { authorization: '', session: '', headers: [], path: '' }

const ORDERS = z.object({
  customer: z.string(),
  status: z.enum(['open', 'closed']),
  since: z.string(),
  limit: z.number(),
  sort: z.string(),
})

const server = createServer(async (req, res) => {
  const session = req.headers['mcp-session-id']
  const known = typeof session === 'string' ? transports.get(session) : undefined
  if (known === undefined) {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        transports.set(id, transport)
      },
    })
    await createTools().connect(transport)
    await transport.handleRequest(req, res)
    return
  }
  const authorization = req.headers.authorization ?? ''
  calls.set(authorization, (calls.get(authorization) ?? 0) + 1)
  last = { authorization, session: String(session), headers: Object.keys(req.headers), path: req.url ?? '' }
  await known.handleRequest(req, res)
})

function createTools(): McpServer {
  const tools = new McpServer({ name: 'sdk', version: '1.0.0' })
  for (const name of [TOOL, HIDDEN_TOOL]) {
    tools.registerTool(name, { description: 'Orders of a customer', inputSchema: ORDERS }, async () => ({
      content: [{ type: 'text', text: ANSWER_TEXT }],
    }))
  }
  return tools
}

serve(server, { seen: (): Seen => ({ calls: Object.fromEntries(calls), last, streams: 0 }) })
