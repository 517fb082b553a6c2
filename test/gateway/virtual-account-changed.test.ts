/** B6: what a legacy client answers is for the account that the call was begun with. */
import { expect, test } from 'vitest'
import { FormBrowser } from '../support/form-browser.ts'
import { listen, startConsentWorld } from './attack-parts.ts'
import { callTool, openSession, rpc, send } from './world.ts'

const QUESTION = {
  method: 'elicitation/create',
  params: { mode: 'form', message: 'Sure?', requestedSchema: { type: 'object', properties: {} } },
}
const FRESH = { ttlMs: 0, cacheScope: 'private' }
const RESULTS: Readonly<Record<string, object>> = {
  'server/discover': {
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {} },
    serverInfo: { name: 'notes', version: '1' },
    ...FRESH,
  },
  'tools/list': { tools: [{ name: 'ok', inputSchema: { type: 'object' } }], ...FRESH },
}

test('a modern member does not get it with the token of another account', async () => {
  const virtualServers = { 'team/all': { tools: { 'dev/notes': '*' as const } } }
  const { world, notes, connect } = await startConsentWorld({ virtualServers })
  const tokens: (string | undefined)[] = []
  const before = notes.answer
  notes.answer = (request, response, body) => {
    if (before(request, response, body)) return true
    const { id, method, params } = JSON.parse(body || '{}')
    if (method === 'tools/call') tokens.push(request.headers.authorization)
    const asked = { resultType: 'input_required', requestState: 'of the first account', inputRequests: { k: QUESTION } }
    const called = params?.inputResponses === undefined ? asked : { content: [] }
    const result = method === 'tools/call' ? called : RESULTS[method]
    if (result === undefined) return false
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } }))
    return true
  }
  const token = await connect('alice')
  const url = world.endpoint('team/all')
  const headers = await openSession(url, token, '2025-11-25', { elicitation: {} })
  const answer = async (text: string) => {
    const [, data = ''] = /^data: (\{.*elicitation\/create.*)$/m.exec(text) ?? []
    const { id } = JSON.parse(data)
    await rpc(url, { token, headers, body: { jsonrpc: '2.0', id, result: { action: 'accept', content: {} } } })
  }
  // With the same account it goes on.
  const first = listen(await send(url, { token, headers, body: callTool('ok', {}, 1) }))
  await expect.poll(first.text).toContain('elicitation/create')
  await answer(first.text())
  await expect.poll(first.text).toContain('"content":[]')
  expect(tokens).toHaveLength(2)

  const second = listen(await send(url, { token, headers, body: callTool('ok', {}, 2) }))
  await expect.poll(second.text).toContain('elicitation/create')
  const who = await world.gateway.identify(`Bearer ${token}`)
  if (who === null) throw new Error('nobody')
  const link = await world.gateway.connections.connectUrl({ server: 'dev/notes', who })
  const browser = new FormBrowser()
  browser.setCookie('127.0.0.1', 'who', 'alice')
  await browser.submit(await browser.load(link), {})
  await answer(second.text())
  await expect.poll(second.text).toContain('-32602')
  expect(tokens).toHaveLength(3)
})
