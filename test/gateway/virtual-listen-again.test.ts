/** G5: a member that refuses a stream for now is listened to later, and one that refuses a token, with another. */
import { expect, test } from 'vitest'
import { event, listen, modern, startConsentWorld, startStub } from './attack-parts.ts'
import { open, startVirtual } from './virtual-parts.ts'
import { openSession, send } from './world.ts'

const CHANGED = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }

test('a stream that a member has no room for yet is opened when the one before has ended', async () => {
  const one = await startStub()
  let refused = 0
  one.answer = (request, response) => {
    if (request.method !== 'GET') return false
    if (refused++ === 0) {
      const error = { code: -32000, message: 'Conflict: Only one SSE stream is allowed per session' }
      response.writeHead(409, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
    } else response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(CHANGED))
    return true
  }
  const members = { 'dev/one': open(one.url, { era: 'legacy' }) }
  const { url, token } = await startVirtual(members, { tools: { 'dev/one': '*' } })
  const headers = await openSession(url, token)
  const stream = listen(await send(url, { token, headers, method: 'GET' }))
  await expect.poll(stream.text, { timeout: 10_000 }).toContain('list_changed')
})

const discovery = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: { listChanged: true } },
  serverInfo: { name: 'one', version: '1' },
  ttlMs: 0,
  cacheScope: 'private',
}

/** A member with accounts that ends tokens early, and takes none for streams where it is stubborn. */
async function startEnding(era: 'legacy' | 'modern', stubborn: boolean) {
  const opened = await startConsentWorld({ virtualServers: { 'team/all': { tools: { 'dev/notes': '*' } } } })
  const { world, notes, connect, server } = opened
  const before = notes.answer
  const dead = new Set<string>()
  const tokens: string[] = []
  notes.answer = (request, response, body) => {
    const { id, method } = JSON.parse(body || '{}')
    const authorization = String(request.headers.authorization)
    const listens = request.method === 'GET' || method === 'subscriptions/listen'
    if (listens) tokens.push(authorization)
    if (listens && (stubborn || dead.size === 0)) dead.add(authorization)
    if (dead.has(authorization)) {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
      return true
    }
    if (before(request, response, body)) return true
    if (listens) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const params = { notifications: {}, _meta: { 'io.modelcontextprotocol/subscriptionId': id } }
      if (era === 'modern') {
        response.write(event({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params }))
      }
      response.write(event({ ...CHANGED, params }))
      return true
    }
    if (method !== 'server/discover') return false
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: discovery }))
    return true
  }
  const token = await connect('alice')
  await world.gateway.servers.set('dev/notes', { ...server, era })
  return { url: world.endpoint('team/all'), token, tokens }
}

test.each([
  ['GET', 'legacy'],
  ['GET', 'modern'],
  ['subscriptions/listen', 'modern'],
] as const)('a token that has ended early is renewed: %s, %s member', async (method, era) => {
  const { url, token, tokens } = await startEnding(era, false)
  const response =
    method === 'GET'
      ? await send(url, { token, headers: await openSession(url, token), method })
      : await send(url, { token, ...modern(method, { notifications: { toolsListChanged: true } }) })
  const stream = listen(response)
  await expect.poll(stream.text, { timeout: 10_000 }).toContain('list_changed')
  expect(tokens).toHaveLength(2)
  expect(tokens[0]).not.toBe(tokens[1])
})

test('one that takes no token for its streams gets two, and not two for each stream that is opened', async () => {
  const { url, token, tokens } = await startEnding('modern', true)
  const open = async () => listen(await send(url, { token, headers: await openSession(url, token), method: 'GET' }))
  await open()
  await expect.poll(() => tokens.length, { timeout: 10_000 }).toBe(2)
  for (const more of [3, 4, 5]) {
    await open()
    await expect.poll(() => tokens.length).toBe(more)
  }
  expect(new Set(tokens).size).toBe(2)
})
