/** A bare reverse proxy in front of an MCP server, with a place for a check: what a gateway is without everything else. */
import { type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type McpFixture, serveMcp } from './calls.ts'

/** How the proxy differs from the usual one. */
export interface PassThroughOptions {
  readonly port?: number
  /** Comes first; `true` when it has answered. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean> | boolean
}

/** Starts a proxy for `upstream`, an origin or a URL whose origin counts. */
export async function startPassThrough(
  upstream: string,
  { port = 0, before }: PassThroughOptions = {},
): Promise<McpFixture & { readonly origin: string }> {
  const target = new URL(upstream)
  return serveMcp(port, async (request, response) => {
    if (before !== undefined && (await before(request, response))) return
    await forward(target, request, response)
  })
}

async function forward(target: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const outgoing = send({
    host: target.hostname,
    port: target.port,
    method: request.method,
    path: request.url,
    headers: { ...request.headers, host: target.host },
    agent: false,
  })
  response.once('close', () => outgoing.destroy())
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
  })
  request.pipe(outgoing)
  try {
    const answer = await answered
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    response.flushHeaders()
    await pipeline(answer, response)
  } catch (error) {
    // The client has gone away, or the server has: either way there is nobody to tell.
    if (response.headersSent || response.destroyed) response.destroy()
    else throw error
  }
}
