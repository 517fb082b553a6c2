/** The same gateway on all four servers (D1): with and without a body parser that ran first, under a mount, behind a guard. */
import { createGuard, type Gate } from 'sallyport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { SERVERS } from '../support/servers.ts'
import { ask, callTool, EVERYTHING, openSession, rpc, send, startWorld } from './world.ts'

const none = { type: 'none' } as const

describe.each(SERVERS)('$name', ({ start, framework }) => {
  /** The gateway of a world whose own server is not asked, on this server. */
  async function open(bodyParser?: 'before' | 'after') {
    const wiki = await startSdk2Server()
    onTestFinished(() => wiki.close())
    let gateway: Gate | undefined
    const guard = createGuard({ routes: [{ path: '/', auth: { type: 'none' } }] })
    const late: Gate = {
      handle: (request) => gateway?.handle(request) ?? { kind: 'skip' },
      ready: async () => {},
      close: async () => {},
    }
    const app = await start({ gates: [late, guard], ...(bodyParser === undefined ? {} : { bodyParser }) })
    onTestFinished(() => app.close())
    const origin = `http://127.0.0.1:${app.port}`
    const world = await startWorld({
      url: origin,
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'user:corp/*', on: 'dev/*', tools: ['echo', 'wait'] }],
    })
    gateway = world.gateway
    return { world, wiki, app, url: world.endpoint('dev/one'), token: await world.jwt('alice') }
  }

  const parsers =
    framework === 'express' || framework === 'koa' ? ([undefined, 'before'] as const) : ([undefined] as const)

  test.each(parsers)('relays calls, lists and refusals (body parser: %s)', async (bodyParser) => {
    const { world, url, token, app } = await open(bodyParser)
    const headers = await openSession(url, token)
    const answer = await rpc(url, { token, headers, body: callTool('echo', { text: 'häll\u00f6' }) })
    expect(answer.json.result.content[0].text).toBe('häll\u00f6')
    const listed = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(listed.json.result.tools).toHaveLength(2)
    expect((await rpc(url, { body: ask('ping') })).headers.get('www-authenticate')).toContain('resource_metadata=')
    expect((await rpc(url, { token, headers, method: 'DELETE' })).status).toBeLessThan(300)
    expect(app.reached).toBe(0)
    expect((await fetch(`${world.origin}/whoami`)).headers.get('x-app')).toBe('reached')
  })

  test('a silent stream reaches the client at once, messages as they come, and its end ends it upstream', async () => {
    const { url, token, wiki } = await open()
    const headers = await openSession(url, token)
    const gone = new AbortController()
    const stream = await send(url, { token, headers, method: 'GET', signal: gone.signal })
    expect(stream.headers.get('content-type')).toContain('text/event-stream')
    await wiki.toolsChanged()
    const reader = stream.body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('list_changed')
    gone.abort()
    await expect.poll(() => wiki.calls.find(({ method }) => method === 'GET')?.ended).toBeDefined()
  })

  test('a client that goes away in the middle of a call ends it upstream', async () => {
    const { url, token, wiki, world } = await open()
    const headers = await openSession(url, token)
    const gone = new AbortController()
    const call = send(url, { token, headers, body: callTool('wait'), signal: gone.signal }).then((answer) =>
      answer.text(),
    )
    await wiki.call(({ rpc: method }) => method === 'tools/call')
    gone.abort()
    await expect(call).rejects.toThrow()
    await expect.poll(() => wiki.calls.find(({ rpc: method }) => method === 'tools/call')?.ended).toBeDefined()
    expect(await world.told(({ outcome }) => outcome === 'aborted')).toMatchObject({ methods: ['tools/call'] })
  })
})

test('a body that somebody has read and kept nothing of is answered, and the operator is told why', async () => {
  const world = await startWorld({
    servers: { 'dev/one': { url: 'http://127.0.0.1:9/mcp', auth: none } },
    access: [EVERYTHING],
    async mount(gateway, server) {
      const { sallyport } = await import('sallyport/node')
      const handler = sallyport(gateway)((_request, response) => void response.end())
      server.on('request', (request, response) => {
        request.resume().once('end', () => handler(request, response))
      })
    },
  })
  const answer = await rpc(world.endpoint('dev/one'), { token: await world.jwt('alice'), body: ask('ping') })
  expect(answer.status).toBe(500)
  expect(await world.told(({ reason }) => reason === 'body_consumed')).toMatchObject({ outcome: 'failed' })
})
