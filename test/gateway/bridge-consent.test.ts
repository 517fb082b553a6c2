/** G16, B6: a bridged server that a user has still to connect, for clients of the era that it does not speak. */
import { describe, expect, test } from 'vitest'
import { linkIn, modern, startConsentWorld } from './attack-parts.ts'
import { textOf } from './virtual-parts.ts'
import { ask, callTool, initialize, rpc } from './world.ts'

/** A server of one era, with an account of each user's own. */
async function startNotes(era: 'legacy' | 'modern') {
  const started = await startConsentWorld()
  const { world, notes, server } = started
  const good = notes.answer
  notes.answer = (request, response, body) => {
    if (good(request, response, body)) return true
    const { id, method } = JSON.parse(body || '{}')
    const say = (status: number, message: object) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...message }))
      return true
    }
    if (era === 'legacy') return method === 'server/discover' ? say(400, {}) : false
    if (!body.includes('io.modelcontextprotocol/protocolVersion')) {
      return say(400, { error: { code: -32022, message: 'no', data: { supported: ['2026-07-28'], requested: 'x' } } })
    }
    if (method === 'server/discover') {
      return say(200, { result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} } })
    }
    return say(200, { result: { resultType: 'complete', content: [{ type: 'text', text: 'noted' }] } })
  }
  await world.gateway.servers.set('dev/notes', { ...server, bridge: true })
  async function consent(link: string, name: string): Promise<number> {
    const browser = started.browserOf(name)
    return (await browser.submit(await browser.load(link), {})).status
  }
  return { ...started, consent, token: await world.jwt('alice') }
}

describe('a modern client at a legacy server', () => {
  test('finds it before it is connected, is asked to visit a page by a call, and then uses it', async () => {
    const { url, token, consent, notes } = await startNotes('legacy')
    const found = await rpc(url, { token, ...modern('server/discover') })
    expect(found.json.result).toMatchObject({ resultType: 'complete', capabilities: { tools: {} }, ttlMs: 0 })
    expect((await rpc(url, { token, ...modern('tools/list') })).json.error.code).toBe(4011)
    const capabilities = { elicitation: { url: {} } }
    const call = modern('tools/call', { name: 'ok' }, { capabilities })
    const first = await rpc(url, { token, ...call })
    const { requestState, inputRequests } = first.json.result
    const [[key, { params }]] = Object.entries(inputRequests) as [[string, { params: { url: string } }]]
    expect(await consent(params.url, 'alice')).toBe(200)
    const inputResponses = { [key]: { action: 'accept' } }
    const body = { ...call.body, params: { ...call.body.params, requestState, inputResponses } }
    const done = await rpc(url, { token, ...call, body })
    expect(textOf(done.json.result)).toBe('did ok')
    expect(notes.requests.at(-1)?.body).not.toMatch(/requestState|inputResponses/)
  })
})

describe('a legacy client at a modern server', () => {
  test('is told to visit a page by the handshake, and connects once that is done', async () => {
    const { url, token, consent } = await startNotes('modern')
    const refused = await rpc(url, { token, body: initialize('2025-06-18') })
    expect(refused.json.error.code).toBe(4011)
    expect(await consent(linkIn(refused.text), 'alice')).toBe(200)
    const opened = await rpc(url, { token, body: initialize('2025-06-18') })
    expect(opened.json.result.protocolVersion).toBe('2025-06-18')
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    expect(textOf((await rpc(url, { token, headers, body: callTool('x') })).json.result)).toBe('noted')
  })

  test('is told so by the next call when the connection has been ended meanwhile', async () => {
    const { url, token, consent, world } = await startNotes('modern')
    expect(await consent(linkIn((await rpc(url, { token, body: initialize('2025-06-18') })).text), 'alice')).toBe(200)
    const opened = await rpc(url, { token, body: initialize('2025-06-18') })
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    const me = await world.gateway.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    expect(await world.gateway.connections.revoke(me, 'dev/notes')).toBe(true)
    const answer = await rpc(url, { token, headers, body: callTool('x') })
    expect(answer.json.error.code).toBe(4011)
    expect(linkIn(answer.text)).toContain('/connect/')
    // What the gateway itself knows it says without the server.
    expect((await rpc(url, { token, headers, body: ask('ping') })).json.result).toEqual({})
  })
})
