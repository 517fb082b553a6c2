/** The path of a request, end to end: callers, access, credentials, relay. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { callTool, EVERYTHING, openSession, rpc, startWorld } from './world.ts'

async function upstream(options: Parameters<typeof startSdk2Server>[0] = {}) {
  const server = await startSdk2Server(options)
  onTestFinished(() => server.close())
  return server
}

describe('a request of somebody with a role', () => {
  test('G6 is relayed to a server without auth, without the token of the caller', async () => {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'public/wiki': { url: wiki.url, auth: { type: 'none' } } },
      access: [EVERYTHING],
    })
    const token = await world.jwt('alice')
    const url = world.endpoint('public/wiki')
    const headers = await openSession(url, token)
    const answer = await rpc(url, { token, headers, body: callTool('echo', { text: 'hello' }) })
    expect(answer.json).toMatchObject({ id: 1, result: { content: [{ type: 'text', text: 'hello' }] } })
    expect(wiki.calls.map((call) => call.headers.authorization)).toEqual(wiki.calls.map(() => undefined))
  })
})
