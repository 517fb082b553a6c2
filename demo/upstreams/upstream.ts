/** What the MCP servers behind the gateway have in common: a server of the official SDK on a port, with a door of its own. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { listen } from '../ports.ts'

/** What a server is made of. */
export interface UpstreamSettings<Who> {
  readonly name: string
  readonly port: number
  /** Who is asking, or `undefined` for somebody whom the server does not let in. */
  admit(authorization: string | undefined, req: IncomingMessage): Who | undefined | Promise<Who | undefined>
  /** Adds tools, prompts and resources for whoever has been let in. */
  offer(server: McpServer, who: Who): void
}

/** A running MCP server. */
export interface Upstream {
  readonly url: string
  readonly server: Server
  /** How many requests have got to it, let in or not. */
  readonly requests: number
}

/** Starts it. It speaks every revision of the protocol that the SDK does, 2026-07-28 and those before. */
export async function startUpstream<Who>(settings: UpstreamSettings<Who>): Promise<Upstream> {
  const { name, port, admit, offer } = settings
  let requests = 0
  const server = createServer(async (req, res) => {
    requests++
    try {
      const who = await admit(req.headers.authorization, req)
      if (who === undefined) {
        res.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
        return
      }
      const handler = createMcpHandler(() => {
        const mcp = new McpServer({ name, version: '1.0.0' })
        offer(mcp, who)
        return mcp
      })
      // The SDK's type has optional members that may not be `undefined`.
      await toNodeHandler(handler)(req as NodeIncomingMessageLike, res)
    } catch {
      if (!res.headersSent) res.writeHead(500)
      res.end()
    }
  })
  await listen(server, port)
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    server,
    get requests() {
      return requests
    },
  }
}

/** What a tool answers. */
export function textResult(text: string) {
  return { content: [{ type: 'text' as const, text }] }
}
