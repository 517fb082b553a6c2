/** G5, B6: callers who are nobody in particular have one identity, and nothing of one is another's. */
import { describe, expect, test } from 'vitest'
import { done, event, listen, modern, type Stub, startStub } from './attack-parts.ts'
import { open, startVirtual, textOf } from './virtual-parts.ts'
import { rpc, send, startWorld } from './world.ts'

const ANYBODY = { to: 'anonymous', on: '*' } as const

/** A member with sessions that remembers, in each, what it has been told there. `over` are those that have been ended. */
async function startRemembering(): Promise<Stub & { readonly begun: string[]; readonly over: string[] }> {
  const stub = await startStub()
  const [begun, over]: string[][] = [[], []]
  const kept = new Map<string, string>()
  stub.answer = (request, response, body) => {
    const session = String(request.headers['mcp-session-id'])
    if (request.method === 'DELETE') {
      over?.push(session)
      return done(response.writeHead(204).end())
    }
    const { id, method, params } = body === '' ? {} : JSON.parse(body)
    const answer = (result: object, headers = {}) => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers })
      return done(response.end(JSON.stringify({ jsonrpc: '2.0', id, result })))
    }
    if (method === 'initialize') {
      begun?.push(`s${begun.length}`)
      const result = {
        protocolVersion: params.protocolVersion,
        capabilities: {},
        serverInfo: { name: 's', version: '1' },
      }
      return answer(result, { 'mcp-session-id': begun?.at(-1) })
    }
    if (params?.name === 'remember') kept.set(session, params.arguments.text)
    if (params?.name === 'remember' || params?.name === 'recall') {
      return answer({ content: [{ type: 'text', text: kept.get(session) ?? 'nothing' }] })
    }
    return false
  }
  return Object.assign(stub, { begun: begun ?? [], over: over ?? [] })
}

describe.each(['a member', 'a bridged server'])('sessions of %s', (kind) => {
  async function start() {
    const one = await startRemembering()
    const isMember = kind === 'a member'
    const server = open(one.url, { era: 'legacy', ...(isMember ? {} : { bridge: true }) })
    const world = await startWorld({
      servers: { 'dev/one': server },
      ...(isMember ? { virtualServers: { 'team/all': { tools: { 'dev/one': '*' } } } } : {}),
      access: [ANYBODY, { to: 'user:corp/*', on: '*' }],
    })
    return { one, world, url: world.endpoint(isMember ? 'team/all' : 'dev/one') }
  }
  const remember = modern('tools/call', { name: 'remember', arguments: { text: 'a secret' } })
  const recall = modern('tools/call', { name: 'recall' })

  test('are for one request of nobody in particular, and ended with it', async () => {
    const { one, url } = await start()
    expect(textOf((await rpc(url, remember)).json.result)).toBe('a secret')
    expect(textOf((await rpc(url, recall)).json.result)).toBe('nothing')
    expect(one.begun).toEqual(['s0', 's1'])
    await expect.poll(() => one.over).toEqual(one.begun)
  })

  test('are ended when nobody waits for the answer any more', async () => {
    const { one, url } = await start()
    const leaving = new AbortController()
    await send(url, { ...modern('tools/call', { name: 'stream' }), signal: leaving.signal })
    expect(one.over).toEqual([])
    leaving.abort()
    await expect.poll(() => one.over).toEqual(['s0'])
  })

  test('are gone on with by somebody in particular', async () => {
    const { one, url, world } = await start()
    const token = await world.jwt('alice')
    await rpc(url, { token, ...remember })
    expect(textOf((await rpc(url, { token, ...recall })).json.result)).toBe('a secret')
    expect([one.begun, one.over]).toEqual([['s0'], []])
  })
})

test('nobody in particular can give up a call of somebody else', async () => {
  const one = await startStub()
  const { url } = await startVirtual(
    { 'dev/one': open(one.url, { era: 'legacy' }) },
    { tools: { 'dev/one': '*' } },
    { access: [ANYBODY] },
  )
  const call = listen(await send(url, modern('tools/call', { name: 'stream' })))
  const headers = { 'mcp-protocol-version': '2026-07-28' }
  const params = { requestId: 1 }
  const cancel = await rpc(url, { headers, body: { jsonrpc: '2.0', method: 'notifications/cancelled', params } })
  expect(cancel.status).toBe(202)
  await rpc(url, modern('tools/call', { name: 'ok' }))
  expect(await Promise.race([call.ended, Promise.resolve('open')])).toBe('open')
})

test('calls that wait are counted by network', async () => {
  const one = await startStub()
  one.answer = (_request, response, body) => {
    if (!body.includes('"name":"ask"')) return false
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const params = { message: 'Which?', requestedSchema: { type: 'object', properties: {} } }
    return done(response.write(event({ jsonrpc: '2.0', id: 9, method: 'elicitation/create', params })))
  }
  const { url } = await startVirtual(
    { 'dev/one': open(one.url, { era: 'legacy' }) },
    { tools: { 'dev/one': '*' } },
    { access: [ANYBODY], trustProxy: ['127.0.0.0/8'] },
  )
  const call = (address: string, more: object = {}) => {
    const headers = { 'x-forwarded-for': address }
    return modern('tools/call', { name: 'ask', ...more }, { capabilities: { elicitation: {} }, headers })
  }
  const { requestState, inputRequests } = (await rpc(url, call('198.51.100.1'))).json.result
  await Promise.all(Array.from({ length: 32 }, () => rpc(url, call('203.0.113.1'))))
  const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, { action: 'decline' }]))
  listen(await send(url, call('198.51.100.1', { requestState, inputResponses })))
  const isAnswered = () => one.requests.some(({ body }) => body.includes('"id":9') && body.includes('"result"'))
  await expect.poll(isAnswered).toBe(true)
})
