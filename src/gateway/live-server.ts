/** One MCP server as requests see it. */
import type { RelayServer } from '../mcp/relay-call.ts'
import type { McpServer } from './config.ts'

/** See the top of the file. */
export interface LiveServer {
  readonly name: string
  readonly config: McpServer
  readonly relay: RelayServer
}
