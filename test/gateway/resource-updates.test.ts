/** G5, G15: a client is told of changes of those resources only that it may have, whatever a server tells on its stream. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { event, listen, startStub } from './attack-parts.ts'
import { open, startVirtual } from './virtual-parts.ts'
import { ask, openSession, rpc, send, startWorld } from './world.ts'

const SECRET = 'notes://secret'
const PUBLIC = 'notes://public/a'
const LAST = 'notes://public/last'
const granted = (on: string, ...resources: string[]) => [{ to: 'user:corp/*', on, resources }]

/** A server of the legacy eras that tells everybody of every change. */
async function startTelling() {
  const stub = await startStub()
  const streams = new Set<ServerResponse>()
  const unsubscribed: string[] = []
  stub.answer = (request, response, body) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(': here\n\n')
      streams.add(response)
      response.once('close', () => streams.delete(response))
      return true
    }
    const { id, method, params } = JSON.parse(body || '{}')
    if (method === 'resources/unsubscribe') unsubscribed.push(params.uri)
    const isList = method === 'resources/list'
    if (!isList && !/^resources\/(?:un)?subscribe$/.test(method)) return false
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: isList ? { resources: [] } : {} }))
    return true
  }
  const tell = (...uris: string[]) => {
    for (const uri of uris) {
      const message = event({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } })
      for (const stream of streams) stream.write(message)
    }
  }
  return { stub, streams, unsubscribed, tell }
}

/** The URIs on a stream. */
const urisIn = (text: string) => [...text.matchAll(/"uri":"([^"]*)"/g)].map(([, uri]) => uri)

test('on the stream of a virtual server, also when a grant is narrowed while it is open', async () => {
  const { stub, streams, unsubscribed, tell } = await startTelling()
  const servers = { 'dev/one': open(stub.url, { era: 'legacy' }) }
  const virtual = { tools: {}, resources: { 'dev/one': '*' } } as const
  const access = granted('team/all', 'notes://*')
  const { url, token, gateway } = await startVirtual(servers, virtual, { access })
  const headers = await openSession(url, token)
  for (const uri of [SECRET, PUBLIC]) await rpc(url, { token, headers, body: ask('resources/subscribe', { uri }) })
  const first = listen(await send(url, { token, headers, method: 'GET' }))
  await expect.poll(() => streams.size).toBe(1)
  tell(SECRET, PUBLIC)
  await expect.poll(() => urisIn(first.text())).toEqual([SECRET, PUBLIC])
  await gateway.access.set(granted('team/all', 'notes://public/*'))
  tell(SECRET, PUBLIC)
  await expect.poll(() => urisIn(first.text())).toEqual([SECRET, PUBLIC, PUBLIC])
  // What is forgotten when the next one opens is told to the member as well.
  const second = listen(await send(url, { token, headers, method: 'GET' }))
  await expect.poll(() => streams.size).toBe(2)
  await expect.poll(() => unsubscribed).toEqual([SECRET])
  tell(SECRET, LAST)
  await expect.poll(() => urisIn(second.text())).toEqual([LAST])
  expect(second.text()).not.toContain('secret')
})

test('on the stream of a virtual server that has chosen others', async () => {
  const { stub, streams, tell } = await startTelling()
  const servers = { 'dev/one': open(stub.url, { era: 'legacy' }) }
  const { url, token } = await startVirtual(servers, { tools: {}, resources: { 'dev/one': ['notes://public/*'] } })
  const headers = await openSession(url, token)
  const { text } = listen(await send(url, { token, headers, method: 'GET' }))
  await expect.poll(() => streams.size).toBe(1)
  tell(SECRET, 'notes://public/../secret', PUBLIC)
  await expect.poll(() => urisIn(text())).toEqual([PUBLIC])
})

test('in the middle of a call', async () => {
  const { stub } = await startTelling()
  const others = stub.answer
  stub.answer = (request, response, body) => {
    const { id, method } = JSON.parse(body || '{}')
    if (method !== 'resources/read') return others(request, response, body)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const uri of [SECRET, PUBLIC]) {
      response.write(event({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } }))
    }
    response.end(event({ jsonrpc: '2.0', id, result: { contents: [] } }))
    return true
  }
  const servers = { 'dev/one': open(stub.url, { era: 'legacy' }) }
  const virtual = { tools: {}, resources: { 'dev/one': '*' } } as const
  const access = granted('team/all', 'notes://public/*')
  const { url, token } = await startVirtual(servers, virtual, { access })
  const headers = await openSession(url, token)
  const { text } = await rpc(url, { token, headers, body: ask('resources/read', { uri: PUBLIC }) })
  expect(text).toContain('"contents"')
  expect(urisIn(text)).toEqual([PUBLIC])
})

test('on the stream of a plain server, by the grants of the moment', async () => {
  const { stub, streams, tell } = await startTelling()
  const access = granted('dev/one', 'notes://public/*')
  const world = await startWorld({ servers: { 'dev/one': open(stub.url) }, access })
  const [url, token] = [world.endpoint('dev/one'), await world.jwt('alice')]
  const headers = await openSession(url, token)
  const { text } = listen(await send(url, { token, headers, method: 'GET' }))
  await expect.poll(() => streams.size).toBe(1)
  tell(SECRET, PUBLIC)
  await expect.poll(() => urisIn(text())).toEqual([PUBLIC])
  await world.gateway.access.set(granted('dev/one', LAST))
  tell(SECRET, PUBLIC, LAST)
  await expect.poll(() => urisIn(text())).toEqual([PUBLIC, LAST])
})
