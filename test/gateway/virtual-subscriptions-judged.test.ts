/** G5, B7: what a session has subscribed to is judged anew when a stream opens. */
import { expect, test } from 'vitest'
import { event, listen, type Stub, startStub } from './attack-parts.ts'
import { GRANT, open, startVirtual } from './virtual-parts.ts'
import { ask, openSession, rpc, send } from './world.ts'

const SECRET = 'notes://secret'
const PUBLIC = 'notes://public/a'
const discovery = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { resources: { subscribe: true } },
  serverInfo: { name: 'one', version: '1' },
  ttlMs: 0,
  cacheScope: 'private',
}

/** A server of one era, and what it was asked to tell of, in turn. */
async function startTelling(): Promise<{ readonly stub: Stub; readonly asked: string[][] }> {
  const stub = await startStub()
  const asked: string[][] = []
  stub.answer = (_request, response, body) => {
    const { id, method, params } = JSON.parse(body || '{}')
    if (method === 'resources/subscribe') asked.push([params.uri])
    if (method === 'subscriptions/listen') {
      asked.push(params.notifications.resourceSubscriptions ?? [])
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const _meta = { 'io.modelcontextprotocol/subscriptionId': id }
      const { notifications } = params
      response.write(
        event({
          jsonrpc: '2.0',
          method: 'notifications/subscriptions/acknowledged',
          params: { notifications, _meta },
        }),
      )
      return true
    }
    const result = method === 'server/discover' ? discovery : method === 'resources/subscribe' ? {} : undefined
    if (result === undefined) return false
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    return true
  }
  return { stub, asked }
}

const granted = (...resources: string[]) => [{ to: 'user:corp/*', on: 'team/all', resources }]

test.each(['legacy', 'modern'] as const)(
  'a resource that is not granted any more is forgotten: %s member',
  async (era) => {
    const { stub, asked } = await startTelling()
    const servers = { 'dev/one': open(stub.url, { era }) }
    const virtual = { tools: {}, resources: { 'dev/one': '*' } } as const
    const { url, token, gateway } = await startVirtual(servers, virtual, { access: granted('notes://*') })
    const headers = await openSession(url, token)
    for (const uri of [SECRET, PUBLIC]) {
      expect((await rpc(url, { token, headers, body: ask('resources/subscribe', { uri }) })).json.result).toBeDefined()
    }
    await gateway.access.set(granted('notes://public/*'))
    asked.length = 0
    const first = listen(await send(url, { token, headers, method: 'GET' }))
    await expect.poll(() => asked).toEqual([[PUBLIC]])
    // It does not come back with the grant: the client has to subscribe again, also to what a stream is open for.
    await gateway.access.set(granted('notes://*'))
    asked.length = 0
    const second = await send(url, { token, headers, method: 'GET' })
    await expect.poll(() => asked).toEqual([[PUBLIC]])
    asked.length = 0
    expect(
      (await rpc(url, { token, headers, body: ask('resources/subscribe', { uri: SECRET }) })).json.result,
    ).toBeDefined()
    await expect.poll(() => asked.some((uris) => uris.includes(SECRET))).toBe(true)
    expect(first.text()).not.toContain('secret')
    await second.body?.cancel()
  },
)

test('neither is one asked for that the virtual server has no more', async () => {
  const { stub, asked } = await startTelling()
  const servers = { 'dev/one': open(stub.url, { era: 'modern' }) }
  const { url, token, gateway } = await startVirtual(servers, { tools: {}, resources: { 'dev/one': '*' } })
  const headers = await openSession(url, token)
  for (const uri of [SECRET, PUBLIC]) {
    await rpc(url, { token, headers, body: ask('resources/subscribe', { uri }) })
  }
  const virtualServers = { 'team/all': { tools: {}, resources: { 'dev/one': ['notes://public/*'] } } }
  await gateway.configure({ servers, access: [GRANT], virtualServers })
  await send(url, { token, headers, method: 'GET' })
  await expect.poll(() => asked).toEqual([[PUBLIC]])
})
