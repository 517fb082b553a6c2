/**
 * What belongs to a request goes with it. A reference too many keeps requests alive until a full collection: nothing leaks, and
 * yet every collection of young objects has to copy them all, which cost a tenth of the time of a call.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { generateKey } from 'sallyport'
import { createGateway, type Gateway } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import type { Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import type { GateRequest, Reply } from '../../src/http/gate.ts'
import { callTool } from './world.ts'

setFlagsFromString('--expose-gc')
// Objects of which many are there during a collection are made among the old ones from then on: that is V8's decision, and not ours.
setFlagsFromString('--no-allocation-site-pretenuring')
const collect = runInNewContext('gc') as (options: { readonly type: 'minor' | 'major' }) => void

const RESULTS: Readonly<Record<string, object>> = {
  initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'one', version: '1' } },
  'tools/list': { tools: [{ name: 'ok', inputSchema: { type: 'object' } }] },
  'tools/call': { content: [] },
}

/** Answers at once, without a connection. */
const dispatcher = {
  dispatch({ body }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    const controller = { pause() {}, resume() {}, abort() {} } as unknown as Dispatcher.DispatchController
    handler.onRequestStart?.(controller, undefined)
    const { id, method } = JSON.parse(String(body)) as { id?: number; method: string }
    const result = RESULTS[method]
    const said = result === undefined ? { error: { code: -32601, message: 'unknown' } } : { result }
    const answer = Buffer.from(id === undefined ? '' : JSON.stringify({ jsonrpc: '2.0', id, ...said }))
    queueMicrotask(() => {
      const headers = { 'content-type': 'application/json', 'content-length': String(answer.length) }
      handler.onResponseStart?.(controller, id === undefined ? 202 : 200, headers)
      if (answer.length > 0) handler.onResponseData?.(controller, answer)
      handler.onResponseEnd?.(controller, {})
    })
    return true
  },
} as unknown as Dispatcher

/** A client that stays. */
const gone = { aborted: false, addEventListener() {}, removeEventListener() {} }
const { signal } = new AbortController()

const PEER = { address: '192.0.2.1', encrypted: false }

/** Made anew for each message, and of nothing but what adapters make. */
function toRequest(target: string, raw: Buffer, session: Record<string, string>): GateRequest {
  const headers = { host: 'gw.example.com', 'content-type': 'application/json', ...session }
  return {
    method: 'POST',
    target,
    headers,
    rawHeaders: Object.entries(headers).flat(),
    peer: PEER,
    localPort: 443,
    body: { kind: 'parsed', value: null, raw },
    gone,
    signal,
    host: undefined,
    kind: 'http',
  }
}

async function send(gateway: Gateway, request: GateRequest): Promise<Reply> {
  const outcome = await gateway.handle(request)
  if (outcome.kind !== 'reply' || outcome.reply.status !== 200) throw new Error(`refused: ${JSON.stringify(outcome)}`)
  return outcome.reply
}

const asked = (message: object) => Buffer.from(JSON.stringify(message))
const INITIALIZE = asked({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'client', version: '1' } },
})
const CALLS = 320

test.each([
  ['a server', '/mcp/dev/one/server', 'ok'],
  ['a virtual server', '/mcp/dev/all/server', 'one_ok'],
])('nothing of a call to %s is left when it is over', async (_, target, tool) => {
  const gateway = createGateway({
    url: 'https://gw.example.com',
    store: memoryStore(),
    keys: [generateKey()],
    servers: { 'dev/one': { url: 'https://one.example.com/mcp', auth: { type: 'none' } } },
    virtualServers: { 'dev/all': { tools: { 'dev/one': { include: ['*'], prefix: 'one_' } } } },
    access: [{ to: 'anonymous', on: 'dev/*' }],
    dispatcher,
  })
  await gateway.ready()
  const { headers = {} } = await send(gateway, toRequest(target, INITIALIZE, {}))
  const id = headers['mcp-session-id']
  const session: Record<string, string> = typeof id === 'string' ? { 'mcp-session-id': id } : {}
  const body = asked(callTool(tool, { about: 'what a request brings with it' }))
  async function callAll(count: number): Promise<void> {
    for (let begun = 0; begun < count; begun += 32)
      await Promise.all(Array.from({ length: 32 }, () => send(gateway, toRequest(target, body, session))))
  }

  await callAll(4_000)
  collect({ type: 'major' })
  const bytesLeft: number[] = []
  for (let round = 0; round < 10; round++) {
    const before = getHeapStatistics().used_heap_size
    await callAll(CALLS)
    // What has survived one of these is moved to where only a full one looks.
    collect({ type: 'minor' })
    collect({ type: 'minor' })
    bytesLeft.push((getHeapStatistics().used_heap_size - before) / CALLS)
  }
  // What is compiled in the meantime is no part of it: the quietest round counts, and a call that is kept has kilobytes.
  expect(Math.min(...bytesLeft)).toBeLessThan(300)
  await gateway.close()
})
