/** B6: what servers of one era ask of clients of the other in the middle of a call, through bridged and virtual servers. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { done, event, listen, modern, startStub } from './attack-parts.ts'
import { PAGE, startAsking, WAY_NAMES, WAYS } from './bridge-parts.ts'
import { client2, textOf } from './virtual-parts.ts'
import { callTool, openSession, rpc, send } from './world.ts'

const CAN = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }
const call = (name: string, capabilities: object = CAN) => modern('tools/call', { name }, { capabilities })

/** What is under `key` in `params` of the second try. */
function again(first: ReturnType<typeof modern>, params: object) {
  return { ...first, body: { ...first.body, id: 2, params: { ...first.body.params, ...params } } }
}

describe.each(WAY_NAMES)('%s', (way) => {
  test.each(['auto', 'sse'] as const)(
    'B6 a modern client visits the page that a legacy server wants by -32042 (%s), and the call goes on afterwards',
    async (answers) => {
      const asking = await startAsking('legacy', answers)
      const { url, token } = await WAYS[way](asking.url)
      const first = await rpc(url, { token, ...call('visit') })
      expect(first.status).toBe(200)
      expect(first.text).not.toContain('-32042')
      const { resultType, inputRequests, requestState } = first.json.result
      expect(resultType).toBe('input_required')
      const [[key, asked]] = Object.entries(inputRequests) as [[string, object]]
      expect(asked).toEqual({
        method: 'elicitation/create',
        params: { mode: 'url', message: 'Please pay first.', url: PAGE },
      })
      // Consent to open the page is not yet that it is done.
      const retry = again(call('visit'), { requestState, inputResponses: { [key]: { action: 'accept' } } })
      expect((await rpc(url, { token, ...retry })).json.result.resultType).toBe('input_required')
      asking.visited.yet = true
      const done = await rpc(url, { token, ...retry })
      expect(textOf(done.json.result)).toBe('thank you')
      const bodies = asking.calls.filter(({ rpc: method }) => method === 'tools/call').map(({ body }) => body)
      expect(bodies).toHaveLength(3)
      expect(bodies.join()).not.toMatch(/requestState|inputResponses|protocolVersion/)
    },
  )

  test('B6 the state of a page to visit is good for its own request and caller only', async () => {
    const asking = await startAsking('legacy')
    const { url, token, jwt } = await WAYS[way](asking.url)
    const { requestState } = (await rpc(url, { token, ...call('visit') })).json.result
    asking.visited.yet = true
    const elsewhere = await rpc(url, { token, ...again(call('ask'), { requestState }) })
    expect(elsewhere.json.error.code).toBe(-32602)
    const other = await rpc(url, { token: await jwt('bob'), ...again(call('visit'), { requestState }) })
    expect(other.json.error.code).toBe(-32602)
    expect(asking.calls.filter(({ rpc: method }) => method === 'tools/call')).toHaveLength(1)
  })

  test('B6 a modern client that takes no pages is told which to visit, in words', async () => {
    const asking = await startAsking('legacy')
    const { url, token } = await WAYS[way](asking.url)
    const { json } = await rpc(url, { token, ...call('visit', { elicitation: {} }) })
    expect(json.error).toMatchObject({ code: 4011, data: `Please visit: ${PAGE}` })
  })

  test('B6 a legacy client gets the elicitation of a page that a modern server wants, with an id', async () => {
    const asking = await startAsking('modern')
    const { url, token } = await WAYS[way](asking.url)
    const headers = await openSession(url, token, '2025-11-25', CAN)
    const stream = listen(await send(url, { token, headers, body: callTool('visit') }))
    await expect.poll(stream.text).toContain('elicitation/create')
    const [, data = ''] = /^data: (.*)$/m.exec(stream.text()) ?? []
    const { id, params } = JSON.parse(data)
    expect(params).toEqual({
      mode: 'url',
      url: PAGE,
      message: 'Please pay first.',
      elicitationId: expect.stringMatching(/^[\w-]{22}$/),
    })
    asking.visited.yet = true
    await rpc(url, { token, headers, body: { jsonrpc: '2.0', id, result: { action: 'accept' } } })
    expect(await stream.ended).toBe('whole')
    expect(stream.text()).toContain('thank you')
  })

  test.each([
    ['legacy', 'modern'],
    ['modern', 'legacy'],
  ] as const)('B6 a %s client is asked for roots and forms by a %s server', async (client, era) => {
    const asking = await startAsking(era)
    const { url, token } = await WAYS[way](asking.url)
    const caller = await client2(url, token, client === 'legacy' ? 'legacy' : { pin: '2026-07-28' }, CAN)
    caller.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///work' }] }))
    caller.setRequestHandler('elicitation/create', async () => ({ action: 'decline' }))
    expect(textOf(await caller.callTool({ name: 'roots' }))).toBe('file:///work')
    expect(textOf(await caller.callTool({ name: 'ask' }))).toBe('decline')
  })

  test('B6 a client is not asked for what it has not declared: the call ends with an error that says so', async () => {
    const old = await startAsking('legacy')
    const fromOld = await WAYS[way](old.url)
    // The gateway answers the server for the client, the tool fails by that, and the client is told what to declare.
    const refused = await rpc(fromOld.url, { token: fromOld.token, ...call('roots', { elicitation: {} }) })
    expect(refused.status).toBe(400)
    expect(refused.json.error).toMatchObject({ code: -32021, data: { requiredCapabilities: { roots: {} } } })
    const young = await startAsking('modern')
    const { url, token } = await WAYS[way](young.url)
    const headers = await openSession(url, token, '2025-11-25', { elicitation: {} })
    for (const name of ['roots', 'visit']) {
      const { json } = await rpc(url, { token, headers, body: callTool(name) })
      expect(json.error?.message ?? json.result.content[0].text).toMatch(/declared|capabilit/i)
    }
  })

  test('B6 a legacy client without a session is told that it cannot be asked', async () => {
    const asking = await startAsking('modern')
    const { url, token } = await WAYS[way](asking.url)
    await openSession(url, token)
    const { json } = await rpc(url, { token, body: callTool('ask') })
    expect(json.error?.message ?? json.result.content[0].text).toMatch(/session|capabilit/i)
  })

  test('B6 a server that asks all the same for what a client has not declared is told by the gateway that it cannot', async () => {
    const stub = await startStub()
    let refused: Record<string, unknown> | undefined
    stub.answer = (_request, response, body) => {
      const { id, method, ...rest } = JSON.parse(body || '{}')
      if (id === 'rude') {
        refused = rest
        response.writeHead(202).end()
        open?.end(event({ jsonrpc: '2.0', id: open.asked, result: { content: [{ type: 'text', text: 'well then' }] } }))
        return true
      }
      if (method === 'server/discover') return done(response.writeHead(400).end())
      if (method !== 'tools/call') return false
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event({ jsonrpc: '2.0', id: 'rude', method: 'sampling/createMessage', params: {} }))
      open = Object.assign(response, { asked: id })
      return true
    }
    let open: (ServerResponse & { readonly asked: unknown }) | undefined
    const { url, token } = await WAYS[way](stub.url)
    const { json } = await rpc(url, { token, ...call('ok', { elicitation: {} }) })
    expect(textOf(json.result)).toBe('well then')
    expect(refused).toMatchObject({ error: { code: -32601 } })
  })

  test('B6 a modern server that asks for it all the same gets no answer, and the client an error that says why', async () => {
    const stub = await startStub()
    stub.answer = (_request, response, body) => {
      const { id, method, params } = JSON.parse(body || '{}')
      const say = (status: number, message: object) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        return done(response.end(JSON.stringify({ jsonrpc: '2.0', id, ...message })))
      }
      if (method === 'server/discover') {
        return say(200, { result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} } })
      }
      if (method !== 'tools/call') return say(404, { error: { code: -32601, message: 'Method not found' } })
      const asked = { method: params.name, params: { mode: 'url', url: PAGE, message: 'x' } }
      return say(200, { result: { resultType: 'input_required', inputRequests: { a: asked } } })
    }
    const { url, token } = await WAYS[way](stub.url)
    const headers = await openSession(url, token, '2025-11-25', { elicitation: {} })
    // Forms only have been declared; and what is no method of servers is none at all.
    for (const name of ['elicitation/create', 'sampling/createMessage', 'roots/list', 'tools/call']) {
      const { json } = await rpc(url, { token, headers, body: callTool(name) })
      expect(json.error).toEqual({
        code: 5021,
        message: 'dev/one asks for something that this client has not declared that it can be asked.',
      })
    }
    expect(stub.methods().filter((method) => method === 'tools/call')).toHaveLength(4)
    const alone = await rpc(url, { token, body: callTool('elicitation/create') })
    expect(alone.json.error.message).toContain('without a session')
  })

  test('B6 -32042 with nothing to visit, or with what no browser should open, never reaches a modern client as it is', async () => {
    const stub = await startStub()
    stub.answer = (_request, response, body) => {
      const { id, method } = JSON.parse(body || '{}')
      if (method === 'server/discover') return done(response.writeHead(400).end())
      if (method !== 'tools/call') return false
      const elicitations = [{ mode: 'url', url: 'javascript:alert(1)', message: 'x' }, { mode: 'url' }, null]
      const error = { code: -32042, message: 'visit', data: { elicitations } }
      response.writeHead(200, { 'content-type': 'application/json' })
      return done(response.end(JSON.stringify({ jsonrpc: '2.0', id, error })))
    }
    const { url, token } = await WAYS[way](stub.url)
    const { json } = await rpc(url, { token, ...call('ok') })
    expect(json.error.code).toBe(-32603)
  })

  test('B6 -32042 with more pages than may be asked at once fails the call', async () => {
    const stub = await startStub()
    let pages = 0
    stub.answer = (_request, response, body) => {
      const { id, method } = JSON.parse(body || '{}')
      if (method === 'server/discover') return done(response.writeHead(400).end())
      if (method !== 'tools/call') return false
      const elicitations = Array.from({ length: pages }, (_, page) => ({ mode: 'url', url: `${PAGE}&page=${page}` }))
      const error = { code: -32042, message: 'visit', data: { elicitations } }
      response.writeHead(200, { 'content-type': 'application/json' })
      return done(response.end(JSON.stringify({ jsonrpc: '2.0', id, error })))
    }
    const { url, token } = await WAYS[way](stub.url)
    for (const capabilities of [CAN, { elicitation: {} }]) {
      pages = 33
      expect((await rpc(url, { token, ...call('ok', capabilities) })).json.error.code).toBe(5021)
    }
    pages = 32
    const { inputRequests } = (await rpc(url, { token, ...call('ok') })).json.result
    expect(Object.keys(inputRequests)).toHaveLength(32)
  })
})
