/** B6: what servers tell between calls, to clients of the other era, through bridged and virtual servers. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { listen, modern, startStub } from './attack-parts.ts'
import { startBridged, WAY_NAMES, WAYS } from './bridge-parts.ts'
import { client2, during } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc, send } from './world.ts'

const README = 'notes://readme'
/** The URIs of the resources that a stream has told of. */
const updated = (text: string) =>
  [...text.matchAll(/"notifications\/resources\/updated".*?"uri":"([^"]+)"/g)].map(([, uri]) => uri)

describe.each(WAY_NAMES)('%s', (way) => {
  test('B6 a legacy client subscribes at a modern server, hears of the resource, and no more of it afterwards', async () => {
    const one = await during(startSdk2Server({ eras: 'modern' }))
    const { url, token } = await WAYS[way](one.url)
    const client = await client2(url, token, 'legacy')
    const heard: string[] = []
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void heard.push(params.uri))
    await one.call(({ rpc: method, status }) => method === 'subscriptions/listen' && status === 200)
    await client.subscribeResource({ uri: README })
    // Subscribed means that it is heard of from now on.
    await one.resourceUpdated(README)
    await expect.poll(() => heard).toEqual([README])
    await client.subscribeResource({ uri: 'notes://notes/2' })
    await client.unsubscribeResource({ uri: README })
    await one.resourceUpdated(README)
    await one.resourceUpdated('notes://notes/2')
    await expect.poll(() => heard).toEqual([README, 'notes://notes/2'])
    expect(one.calls.map(({ rpc: method }) => method)).not.toContain('resources/subscribe')
    const open = one.calls.filter(({ rpc: method, ended }) => method === 'subscriptions/listen' && ended === undefined)
    await expect.poll(() => open.filter(({ ended }) => ended === undefined)).toHaveLength(1)
  })

  test('B7 a subscription that comes to another replica, or before the stream, is heard of on the stream', async () => {
    const one = await during(startSdk2Server({ eras: 'modern' }))
    const first = await WAYS[way](one.url)
    const { store, keys, provider, token, origin, url } = first
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await WAYS[way](one.url, { store, keys, url: origin, provider, server })
    const elsewhere = url.replace(origin, `http://127.0.0.1:${port}`)
    const headers = await openSession(url, token)
    const subscribe = (at: string, uri: string) =>
      rpc(at, { token, headers, body: ask('resources/subscribe', { uri }) })
    expect((await subscribe(url, README)).json.result).toEqual({})
    const stream = listen(await send(url, { token, headers, method: 'GET' }))
    await one.call(
      ({ rpc: method, status, body }) => method === 'subscriptions/listen' && status === 200 && body.includes(README),
    )
    await one.resourceUpdated(README)
    await expect.poll(() => updated(stream.text())).toEqual([README])
    expect((await subscribe(elsewhere, 'notes://notes/3')).json.result).toEqual({})
    await one.call(
      ({ rpc: method, status, body }) =>
        method === 'subscriptions/listen' && status === 200 && body.includes('notes/3'),
    )
    await one.resourceUpdated('notes://notes/3')
    await expect.poll(() => updated(stream.text())).toEqual([README, 'notes://notes/3'])
    expect(stream.text()).not.toMatch(/subscriptionId|acknowledged/)
  })

  test('a legacy client cannot subscribe to what it may not have, nor where nobody can', async () => {
    const one = await during(startSdk2Server({ eras: 'modern' }))
    const { url, token } = await WAYS[way](one.url, {
      access: [{ to: 'user:corp/*', on: '*', resources: ['notes://notes/*'] }],
    })
    const headers = await openSession(url, token)
    const subscribe = (uri: string) => rpc(url, { token, headers, body: ask('resources/subscribe', { uri }) })
    expect((await subscribe(README)).json.error.code).toBe(-32002)
    expect((await subscribe('notes://notes/1')).json.result).toEqual({})
    const without = await rpc(url, { token, body: ask('resources/subscribe', { uri: 'notes://notes/1' }) })
    expect(without.json.error.message).toContain('without a session')

    const stub = await startStub()
    stub.answer = (_request, response, body) => {
      const { id, method } = JSON.parse(body || '{}')
      const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { resources: {} } }
      const error = { code: -32601, message: 'Method not found' }
      const isDiscover = method === 'server/discover'
      response.writeHead(isDiscover ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...(isDiscover ? { result } : { error }) }))
      return true
    }
    const nobody = await WAYS[way](stub.url)
    const session = await openSession(nobody.url, nobody.token)
    const body = ask('resources/subscribe', { uri: README })
    const refused = await rpc(nobody.url, { token: nobody.token, headers: session, body })
    expect(refused.json.error.code).toBe(-32601)
  })

  test('B6 a modern client listens to a legacy server, in a session of its own that ends with the stream', async () => {
    const one = await during(startSdk2Server({ eras: 'legacy' }))
    const { url, token } = await WAYS[way](one.url)
    const { headers, body } = modern('subscriptions/listen', {
      notifications: { toolsListChanged: true, resourceSubscriptions: [README] },
    })
    const abort = new AbortController()
    const mine = { ...body, id: 'mine' }
    const stream = listen(await send(url, { token, headers, body: mine, signal: abort.signal }))
    await one.call(({ method, status }) => method === 'GET' && status === 200)
    const told = () => stream.text().match(/"method":"[^"]+"/g)?.length ?? 0
    await expect.poll(told).toBe(1)
    await one.resourceUpdated(README)
    await expect.poll(() => updated(stream.text())).toEqual([README])
    await one.toolsChanged()
    await expect.poll(stream.text).toContain('notifications/tools/list_changed')
    const ids = stream.text().match(/"io.modelcontextprotocol\/subscriptionId":"mine"/g)
    expect(ids).toHaveLength(told())
    abort.abort()
    await one.call(({ method, status }) => method === 'DELETE' && status === 200)
    await stream.ended
  })

  test('B6 what a legacy server asks outside of a call is refused for a modern client that listens', async () => {
    const stub = await startStub()
    const answered: string[] = []
    stub.answer = (request, response, body) => {
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'roots/list' })}\n\n`)
        return true
      }
      if (body.includes('server/discover')) {
        response.writeHead(400).end()
        return true
      }
      if (body.includes('"id":9')) answered.push(body)
      return false
    }
    const { url, token } = await WAYS[way](stub.url)
    const { headers, body } = modern('subscriptions/listen', { notifications: { toolsListChanged: true } })
    const stream = listen(await send(url, { token, headers, body }))
    await expect.poll(() => answered).toHaveLength(1)
    expect(JSON.parse(answered[0] ?? '')).toMatchObject({ id: 9, error: { code: -32601 } })
    expect(stream.text()).not.toContain('roots')
  })

  test('B6 a legacy client that gives a call up closes the stream of it at a modern server', async () => {
    const one = await during(startSdk2Server({ eras: 'modern' }))
    const { url, token } = await WAYS[way](one.url)
    const headers = await openSession(url, token)
    const waiting = once(one.events, 'waiting')
    const cancelled = once(one.events, 'cancelled')
    const response = send(url, { token, headers, body: callTool('wait', {}, 'long') })
    await waiting
    const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'long' } }
    await rpc(url, { token, headers, body })
    await cancelled
    expect(one.calls.map(({ rpc: method }) => method)).not.toContain('notifications/cancelled')
    void (await response).body?.cancel()
  })

  test('B6 a modern client that goes away gives its call up at a legacy server', async () => {
    const one = await during(startSdk2Server({ eras: 'legacy' }))
    const { url, token } = await WAYS[way](one.url)
    const waiting = once(one.events, 'waiting')
    const cancelled = once(one.events, 'cancelled')
    const abort = new AbortController()
    const response = send(url, { token, ...modern('tools/call', { name: 'wait' }), signal: abort.signal }).catch(
      () => {},
    )
    await waiting
    abort.abort()
    await cancelled
    await response
  })

  test.each([
    ['legacy', 'modern'],
    ['modern', 'legacy'],
  ] as const)('B6 progress crosses from a %s server to a %s client', async (eras, era) => {
    const one = await during(startSdk2Server({ eras }))
    const { url, token } = await WAYS[way](one.url)
    const client = await client2(url, token, era === 'legacy' ? 'legacy' : { pin: '2026-07-28' })
    const seen: number[] = []
    await client.callTool(
      { name: 'count', arguments: { to: 3 } },
      { onprogress: ({ progress }) => void seen.push(progress) },
    )
    expect(seen).toEqual([1, 2, 3])
  })
})

test('a stream of a bridged server ends when its caller may not have it any more', async () => {
  const one = await during(startSdk2Server({ eras: 'modern' }))
  const { url, token, gateway } = await startBridged(one.url)
  const headers = await openSession(url, token)
  const stream = listen(await send(url, { token, headers, method: 'GET' }))
  await one.call(({ rpc: method, status }) => method === 'subscriptions/listen' && status === 200)
  await gateway.access.set([])
  await stream.ended
  const ended = () => one.calls.find(({ rpc: method }) => method === 'subscriptions/listen')?.ended
  await expect.poll(ended).toBeDefined()
})
