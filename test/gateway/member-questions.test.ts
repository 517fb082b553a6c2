/** B6: what members ask in the middle of a call: for the same thing as before, so much at once, and for as long as somebody waits. */
import type { ServerResponse } from 'node:http'
import type { McpServer } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import { event, listen, modern, type Stub, startConsentWorld, startStub } from './attack-parts.ts'
import { open, startVirtual } from './virtual-parts.ts'
import { ask, openSession, rpc, send, startWorld } from './world.ts'

const FORM = { mode: 'form', message: 'Sure?', requestedSchema: { type: 'object', properties: {} } }
const QUESTION = { method: 'elicitation/create', params: FORM }

interface Asked {
  readonly id: string | number
  readonly method: string
  readonly params: { readonly uri?: string; readonly inputResponses?: object }
}

/** A modern member that asks `inputRequests` before it answers; `read` are the resources that it was asked for. */
async function startModern(inputRequests: object): Promise<{ stub: Stub; read: (string | undefined)[] }> {
  const stub = await startStub()
  const read: (string | undefined)[] = []
  stub.answer = (_request, response, body) => {
    const { id, method, params }: Asked = JSON.parse(body)
    if (method === 'server/discover') return reply(response, id, DISCOVERY)
    if (method.endsWith('/list')) return reply(response, id, { [method.split('/')[0] ?? '']: [], ...UNKEPT })
    if (method === 'initialize') {
      const error = { code: -32022, message: 'Unsupported', data: { supported: ['2026-07-28'], requested: 'x' } }
      response.writeHead(400, JSON_TYPE).end(JSON.stringify({ jsonrpc: '2.0', id, error }))
      return true
    }
    if (!TAKES_INPUT.has(method)) return false
    read.push(params.uri)
    if (params.inputResponses !== undefined) {
      return reply(response, id, { contents: [{ uri: params.uri, text: `content of ${params.uri}` }], ...UNKEPT })
    }
    return reply(response, id, { resultType: 'input_required', requestState: 's', inputRequests })
  }
  return { stub, read }
}

const TAKES_INPUT = new Set(['tools/call', 'resources/read'])
const JSON_TYPE = { 'content-type': 'application/json' }
const UNKEPT = { ttlMs: 0, cacheScope: 'private' }
const DISCOVERY = {
  supportedVersions: ['2026-07-28'],
  capabilities: { resources: {}, tools: {} },
  serverInfo: { name: 'stub', version: '1' },
  ...UNKEPT,
}

function reply(response: ServerResponse, id: string | number, result: object): true {
  const answer = { jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } }
  response.writeHead(200, JSON_TYPE).end(JSON.stringify(answer))
  return true
}

const PUBLIC = { to: 'user:corp/*', resources: ['notes://public/*'] }

/** Where a member at `url` is reached, whose public notes are granted. */
const WAYS = {
  'a virtual server': (url: string) =>
    startVirtual(
      { 'dev/one': open(url, { era: 'modern' }) },
      { tools: {}, resources: { 'dev/one': '*' } },
      { access: [{ ...PUBLIC, on: 'team/all' }] },
    ),
  'a bridged server': async (url: string) => {
    const world = await startWorld({
      servers: { 'dev/one': open(url, { era: 'modern', bridge: true }) },
      access: [{ ...PUBLIC, on: 'dev/one' }],
    })
    return { ...world, url: world.endpoint('dev/one'), token: await world.jwt('alice') }
  },
}

test.each(Object.entries(WAYS))(
  'G15 of %s the resource that was granted is read on, and none that a name beside its URI says',
  async (_, start) => {
    const { stub, read } = await startModern({ k: QUESTION })
    const { url, token } = await start(stub.url)
    const headers = await openSession(url, token, '2025-11-25', { elicitation: {} })
    const body = ask('resources/read', { uri: 'notes://public/a', name: 'notes://secret' }, 7)
    const stream = listen(await send(url, { token, headers, body }))
    await expect.poll(stream.text).toContain('elicitation/create')
    const [, data = ''] = /^data: (.*)$/m.exec(stream.text()) ?? []
    const { id } = JSON.parse(data)
    await rpc(url, { token, headers, body: { jsonrpc: '2.0', id, result: { action: 'accept', content: {} } } })
    await expect.poll(stream.text).toContain('content of notes://public/a')
    expect(read).toEqual(['notes://public/a', 'notes://public/a'])
  },
)

const MANY = Array.from({ length: 33 }, (_, index) => `k${index}`)

test('a modern member that asks for very many things at once is not asked again, and the legacy client asked nothing', async () => {
  const { stub, read } = await startModern(Object.fromEntries(MANY.map((key) => [key, QUESTION])))
  const { url, token } = await WAYS['a virtual server'](stub.url)
  const headers = await openSession(url, token, '2025-11-25', { elicitation: {} })
  const answer = await rpc(url, { token, headers, body: ask('resources/read', { uri: 'notes://public/a' }) })
  expect(answer.json.error.message).toBe('dev/one asks for more than 32 things at once.')
  expect(answer.text).not.toContain('elicitation/create')
  expect(read).toHaveLength(1)
})

test('a legacy member that asks for very many things at once fails the call of a modern client', async () => {
  const stub = await startStub()
  stub.answer = (_request, response, body) => {
    if (!body.includes('"tools/call"')) return false
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const id of MANY) response.write(event({ jsonrpc: '2.0', id, ...QUESTION }))
    return true
  }
  const { url, token, audits } = await startVirtual(
    { 'dev/one': open(stub.url, { era: 'legacy' }) },
    { tools: { 'dev/one': '*' } },
  )
  const { json } = await rpc(url, { token, ...modern('tools/call', { name: 'ok' }, FORMS) })
  expect(json.error.message).toBe('dev/one answered with something that is no answer.')
  expect(audits.at(-1)).toMatchObject({ detail: 'dev/one: asks for more than 32 things at once' })
})

test('a modern client is told of a question soon, also while the member reports progress all the time', async () => {
  const stub = await startStub()
  let reports = 0
  stub.answer = (_request, response, body) => {
    if (!body.includes('"tools/call"')) return false
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(event({ jsonrpc: '2.0', id: 'q', ...QUESTION }))
    const timer = setInterval(() => {
      const params = { progressToken: 't', progress: reports++ }
      response.write(event({ jsonrpc: '2.0', method: 'notifications/progress', params }))
      if (reports === 1_500) clearInterval(timer)
    }, 2)
    response.once('close', () => clearInterval(timer))
    return true
  }
  const member = open(stub.url, { era: 'legacy' })
  const { url, token } = await startVirtual({ 'dev/one': member }, { tools: { 'dev/one': '*' } })
  const { text } = await rpc(url, { token, ...modern('tools/call', { name: 'ok' }, FORMS) })
  expect(text).toContain('input_required')
  expect(reports).toBeLessThan(500)
})

/** A legacy member asks before each call, and then answers with what it was called with; `waiting` are the calls that it has open. */
function askFirst(stub: Stub): { waiting: Set<ServerResponse> } {
  const waiting = new Set<ServerResponse>()
  const usual = stub.answer
  stub.answer = (request, response, body) => {
    if (usual(request, response, body)) return true
    const { id, method, params } = JSON.parse(body || '{}')
    if (method === undefined && id === 'q') {
      response.writeHead(202).end()
      for (const each of waiting) each.end()
      return true
    }
    if (method !== 'tools/call') return false
    const answer = { content: [{ type: 'text', text: `rows of ${params.arguments.dataset}` }] }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(event({ jsonrpc: '2.0', id: 'q', ...QUESTION }))
    waiting.add(response)
    response.once('close', () => waiting.delete(response))
    const end = response.end.bind(response)
    response.end = () => end(event({ jsonrpc: '2.0', id, result: answer }))
    return true
  }
  return { waiting }
}

const ANSWERS = { inputResponses: { 'member-1': { action: 'accept', content: {} } } }

function query(url: string, token: string, dataset: string, more: object = {}) {
  return rpc(url, { token, ...modern('tools/call', { name: 'ok', arguments: { dataset }, ...more }, FORMS) })
}

test('G15 a call that waits is gone on with by a request for the same, not by one with other arguments', async () => {
  const stub = await startStub()
  askFirst(stub)
  const member = open(stub.url, { era: 'legacy' })
  const { url, token } = await startVirtual({ 'dev/one': member }, { tools: { 'dev/one': '*' } })
  const { requestState } = (await query(url, token, 'salaries')).json.result
  const before = stub.requests.length
  const other = await query(url, token, 'public/x', { requestState, ...ANSWERS })
  expect(other.json.error.code).toBe(-32602)
  expect(stub.requests.length).toBe(before)
  expect((await query(url, token, 'salaries', { requestState, ...ANSWERS })).text).toContain('rows of salaries')
})

test('a call that waits is over where its member is called with another credential by now', async () => {
  const stub = await startStub()
  askFirst(stub)
  const member = (key: string): McpServer => ({
    ...open(stub.url, { era: 'legacy' }),
    auth: { type: 'header', headers: { 'x-key': key } },
  })
  const { url, token, gateway } = await startVirtual({ 'dev/one': member('first') }, { tools: { 'dev/one': '*' } })
  const { requestState } = (await query(url, token, 'x')).json.result
  await gateway.servers.set('dev/one', member('second'))
  const before = stub.requests.length
  expect((await query(url, token, 'x', { requestState, ...ANSWERS })).json.error.code).toBe(-32602)
  expect(stub.requests.length).toBe(before)
})

test('a call that waits ends with the connection that it was begun with, and another one does not go on with it', async () => {
  const virtualServers = { 'team/all': { tools: { 'dev/notes': '*' as const } } }
  const { world, notes, connect } = await startConsentWorld({ virtualServers })
  const { waiting } = askFirst(notes)
  const token = await connect('alice')
  const url = world.endpoint('team/all')
  const { requestState } = (await query(url, token, 'x')).json.result
  expect(waiting.size).toBe(1)
  const alice = await world.gateway.identify(`Bearer ${token}`)
  if (alice === null) throw new Error('she is somebody')
  await world.gateway.connections.revoke(alice, 'dev/notes')
  await expect.poll(() => waiting.size).toBe(0)
  await connect('alice')
  const before = notes.requests.length
  expect((await query(url, token, 'x', { requestState, ...ANSWERS })).json.error.code).toBe(-32602)
  expect(notes.requests.slice(before).map(({ body }) => body)).not.toContainEqual(expect.stringContaining('"q"'))
})

const FORMS = { capabilities: { elicitation: { form: {} } } }
