/** Methods that 2026-07-28 has no more (found by the conformance suite: scenario `server-stateless`). */
import { describe, expect, onTestFinished, test } from 'vitest'
import { isRemoved } from '../../src/mcp/methods.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { ask, openSession, rpc, startWorld } from './world.ts'

const REMOVED = ['initialize', 'logging/setLevel', 'ping', 'resources/subscribe', 'resources/unsubscribe']
const NOW = '2026-07-28'
const META = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': NOW,
    'io.modelcontextprotocol/clientCapabilities': {},
  },
}
const headersOf = (method: string) => ({ 'mcp-protocol-version': NOW, 'mcp-method': method })

async function world() {
  const upstream = await startSdk2Server()
  onTestFinished(() => upstream.close())
  const made = await startWorld({
    servers: { 'dev/one': { url: upstream.url, auth: { type: 'none' } } },
    access: [
      { to: 'user:corp/all', on: '*' },
      { to: 'user:corp/some', on: '*', tools: ['echo'] },
    ],
  })
  return { ...made, upstream }
}

describe('B6 a method that 2026-07-28 has no more', () => {
  test.each(REMOVED)(
    '%s is answered 404 with -32601, whatever its parameters and the caller’s grants are',
    async (method) => {
      const { endpoint, jwt, upstream } = await world()
      for (const subject of ['all', 'some']) {
        const token = await jwt(subject)
        for (const params of [
          META,
          { uri: 'notes://readme', level: 'info', ...META },
          { uri: 'notes://\0', ...META },
        ]) {
          const answer = await rpc(endpoint('dev/one'), {
            token,
            headers: headersOf(method),
            body: ask(method, params, 7),
          })
          expect(answer.status).toBe(404)
          expect(answer.json).toEqual({
            jsonrpc: '2.0',
            id: 7,
            error: { code: -32601, message: `Method not found: ${method}` },
          })
        }
      }
      // The server behind speaks both eras, and might have known it.
      expect(upstream.calls).toEqual([])
    },
  )

  test('goes on in a session of an older revision', async () => {
    const { endpoint, jwt, upstream } = await world()
    const token = await jwt('all')
    const headers = await openSession(endpoint('dev/one'), token)
    const subscribed = await rpc(endpoint('dev/one'), {
      token,
      headers,
      body: ask('resources/subscribe', { uri: 'notes://readme' }),
    })
    expect(subscribed.json).toMatchObject({ result: {} })
    expect(upstream.calls.some(({ rpc: method }) => method === 'resources/subscribe')).toBe(true)
  })

  test('is none of those that 2026-07-28 has, nor one that nobody knows', () => {
    expect(REMOVED.every((method) => isRemoved(method, 'modern') && !isRemoved(method, 'legacy'))).toBe(true)
    for (const method of ['tools/call', 'server/discover', 'subscriptions/listen', 'com.example/x']) {
      expect(isRemoved(method, 'modern')).toBe(false)
    }
  })
})
