/** Answers of a legacy server that come over several streams, for a modern client: gone on with by Last-Event-ID (2025-11-25, Resumability). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { event, modern, startStub } from './attack-parts.ts'
import { startBridged } from './bridge-parts.ts'
import { rpc } from './world.ts'

/** A bridged server; its call is answered by a stream that ends at once, and `resume` answers what asks for the rest. */
async function startResumed(resume: (request: IncomingMessage, response: ServerResponse, id: unknown) => void) {
  const stub = await startStub()
  let id: unknown
  stub.answer = (request, response, body) => {
    if (request.method !== 'GET' && !body.includes('tools/call')) return false
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (request.method === 'GET') resume(request, response, id)
    else {
      id = JSON.parse(body).id
      response.end('id: e0\nretry: 1\ndata: \n\n')
    }
    return true
  }
  const bridged = await startBridged(stub.url, { era: 'legacy' })
  const call = () => rpc(bridged.url, { token: bridged.token, ...modern('tools/call', { name: 'ok', arguments: {} }) })
  const resumptions = () => stub.requests.filter(({ method }) => method === 'GET').length
  return { ...bridged, call, resumptions }
}

const answer = (id: unknown) => event({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } })
const progress = (count: number) =>
  event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: count } })

test.each([
  ['an id', (count: number) => `id: e${count}\ndata: \n\n`],
  ['a message', progress],
])('are gone on with as long as each brings something: %s', async (_, something) => {
  let count = 0
  const { call, resumptions } = await startResumed((_request, response, id) => {
    count++
    response.end(count === 23 ? answer(id) : something(count))
  })
  expect((await call()).json.result.content).toEqual([{ type: 'text', text: 'done' }])
  expect(resumptions()).toBe(23)
})

test('are given up where twenty in a row bring nothing', async () => {
  let count = 0
  const { call, resumptions } = await startResumed((_request, response) => {
    count++
    response.end(count === 2 ? progress(1) : ': nothing\n\n')
  })
  const { error, id } = (await call()).json
  expect([id, error.code]).toEqual([1, 5021])
  expect(resumptions()).toBe(22)
})
