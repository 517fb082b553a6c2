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
import type { GateRequest } from '../../src/http/gate.ts'
import { callTool } from './world.ts'

setFlagsFromString('--expose-gc')
// Objects of which many are there during a collection are made among the old ones from then on: that is V8's decision, and not ours.
setFlagsFromString('--no-allocation-site-pretenuring')
const collect = runInNewContext('gc') as (options: { readonly type: 'minor' | 'major' }) => void

const ANSWER = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"content":[]}}')

/** Answers at once, without a connection. */
const dispatcher = {
  dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    const controller = { pause() {}, resume() {}, abort() {} } as unknown as Dispatcher.DispatchController
    handler.onRequestStart?.(controller, undefined)
    queueMicrotask(() => {
      const headers = { 'content-type': 'application/json', 'content-length': String(ANSWER.length) }
      handler.onResponseStart?.(controller, 200, headers)
      handler.onResponseData?.(controller, ANSWER)
      handler.onResponseEnd?.(controller, {})
    })
    return true
  },
} as unknown as Dispatcher

/** A client that stays. */
const gone = { aborted: false, addEventListener() {}, removeEventListener() {} }
const { signal } = new AbortController()

const HEADERS = { host: 'gw.example.com', 'content-type': 'application/json' }
const RAW_HEADERS = Object.entries(HEADERS).flat()
const PEER = { address: '192.0.2.1', encrypted: false }
const BODY = Buffer.from(JSON.stringify(callTool('ok', { about: 'what a request brings with it' })))

/** Made anew for each call, and of nothing but what adapters make. */
function toCall(): GateRequest {
  return {
    method: 'POST',
    target: '/mcp/dev/one/server',
    headers: HEADERS,
    rawHeaders: RAW_HEADERS,
    peer: PEER,
    localPort: 443,
    body: { kind: 'parsed', value: null, raw: BODY },
    gone,
    signal,
    host: undefined,
    kind: 'http',
  }
}

async function callAll(gateway: Gateway, count: number): Promise<void> {
  for (let begun = 0; begun < count; begun += 32) {
    const outcomes = await Promise.all(Array.from({ length: 32 }, () => gateway.handle(toCall())))
    for (const outcome of outcomes)
      if (outcome.kind !== 'reply' || outcome.reply.status !== 200) throw new Error('refused')
  }
}

test('nothing of a call is left when it is over', async () => {
  const gateway = createGateway({
    url: 'https://gw.example.com',
    store: memoryStore(),
    keys: [generateKey()],
    servers: { 'dev/one': { url: 'https://one.example.com/mcp', auth: { type: 'none' } } },
    access: [{ to: 'anonymous', on: 'dev/*' }],
    dispatcher,
  })
  await gateway.ready()
  await callAll(gateway, 2_000)
  collect({ type: 'major' })
  const bytesLeft: number[] = []
  for (let round = 0; round < 10; round++) {
    const before = getHeapStatistics().used_heap_size
    await callAll(gateway, 320)
    // What has survived one of these is moved to where only a full one looks.
    collect({ type: 'minor' })
    collect({ type: 'minor' })
    bytesLeft.push((getHeapStatistics().used_heap_size - before) / 320)
  }
  // What is compiled in the meantime is no part of it: the quietest round counts.
  expect(Math.min(...bytesLeft)).toBeLessThan(50)
  await gateway.close()
})
