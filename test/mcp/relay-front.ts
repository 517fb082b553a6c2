/**
 * A relay behind a real `node:http` server with the adapter that users have: the least of a gateway, so that what a client sees
 * of an answer (flushing, backpressure, breaking off) is what it would see.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sallyport } from '../../adapters/node.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createSealer, generateKey } from '../../src/core/sealing.ts'
import type { Gate, GateRequest, Outcome, Reply } from '../../src/http/gate.ts'
import { type Era, eraOf, eraWithoutBody } from '../../src/mcp/eras.ts'
import { type MessageProblem, parseMessages } from '../../src/mcp/messages.ts'
import { createRelay } from '../../src/mcp/relay.ts'
import type { ListJudge, Relay, RelayCall, RelayResult } from '../../src/mcp/relay-call.ts'
import type { AnswerLimits } from '../../src/mcp/relay-context.ts'
import { createSessionIds, type Session } from '../../src/mcp/session-id.ts'
import { createUpstreams, type UpstreamLimits } from '../../src/net/upstream.ts'

/** How the front differs from the usual one. */
export interface FrontOptions {
  /** Of the upstream. */
  readonly url: string
  readonly credential?: Readonly<Record<string, string>>
  readonly lists?: ListJudge
  readonly limits?: Partial<UpstreamLimits & AnswerLimits>
  readonly identity?: string
  readonly keys?: readonly string[]
  readonly clock?: { now(): number }
}

/** A relay that listens. */
export interface Front {
  readonly port: number
  /** The MCP endpoint, for clients of an SDK. */
  readonly url: string
  readonly relay: Relay
  /** What came of each call, in order. */
  readonly results: RelayResult[]
  /** Why streams had to be broken off. */
  readonly broken: string[]
  close(): Promise<void>
}

/** Starts one on the loopback interface. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const limits = {
    connectMs: 2_000,
    headersMs: 5_000,
    silenceMs: 0,
    connections: 256,
    drainMs: 50,
    maxAnswerBytes: 1024 * 1024,
    answerMs: 5_000,
    ...options.limits,
  }
  const clock = options.clock ?? systemClock
  const sealer = createSealer(options.keys ?? [generateKey()], 'session-id')
  const sessionIds = createSessionIds(sealer, { clock, lifetimeMs: 60_000, cached: 100 })
  const broken: string[] = []
  const relay = createRelay({
    upstreams: createUpstreams(limits),
    sessionIds,
    clock,
    limits,
    onBroken: (_, detail) => broken.push(detail),
  })
  const results: RelayResult[] = []
  const url = new URL(options.url)
  const place = { server: 'test/up', identity: options.identity ?? 'alice' }

  async function handle(request: GateRequest): Promise<Outcome> {
    const { method, headers } = request
    if (method !== 'POST' && method !== 'GET' && method !== 'DELETE') return { kind: 'reply', reply: { status: 405 } }
    const id = headers['mcp-session-id']
    const session: Session | undefined =
      typeof id === 'string' ? await sessionIds.open(id, { ...place, endpoint: url.href }) : undefined
    if (id !== undefined && session === undefined) return { kind: 'reply', reply: { status: 404 } }
    const bytes = request.body.kind === 'stream' ? Buffer.concat(await request.body.stream.toArray()) : undefined
    const messages = bytes === undefined ? undefined : parseMessages(bytes)
    if (messages?.kind === 'problem') return { kind: 'reply', reply: problemReply(messages) }
    const context = { sessionRevision: session?.revision }
    const era: Era | MessageProblem =
      messages === undefined ? eraWithoutBody(headers, context) : eraOf(messages, headers, context)
    if (era.kind === 'problem') return { kind: 'reply', reply: problemReply(era) }
    const call: RelayCall = {
      server: { id: 'test/up', url },
      method,
      headers,
      signal: request.signal,
      era,
      session,
      place,
      body: bytes === undefined || messages === undefined ? undefined : { bytes, messages },
      credential: options.credential ?? {},
      lists: options.lists,
    }
    const result = await relay.send(call)
    results.push(result)
    return { kind: 'reply', reply: result.kind === 'unauthorized' ? { status: 401 } : result.reply }
  }

  const gate: Gate = { handle, ready: async () => {}, close: async () => {} }
  const server = createServer(sallyport(gate)((_, response) => response.writeHead(500).end()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}/mcp`,
    relay,
    results,
    broken,
    async close() {
      server.closeAllConnections()
      server.close()
      await relay.close()
    },
  }
}

function problemReply({ status, response }: MessageProblem): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(response) }
}
