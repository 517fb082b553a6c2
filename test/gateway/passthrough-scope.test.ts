/** A caller's own token that is good for too little at the server behind (MCP, Scope Challenge Handling; RFC 6750 §3.1). */
import { describe, expect, onTestFinished, test } from 'vitest'
import { AUDIENCE, startKeyServer } from '../support/identity-provider.ts'
import { startProtectedServer } from '../support/mcp/protected-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { ask, EVERYTHING, initialize, rpc, startWorld } from './world.ts'

async function world(scopes: string[]) {
  const provider = await startKeyServer()
  onTestFinished(() => provider.close())
  const server = await startSdk2Server()
  const orders = await startProtectedServer({ server, issuer: provider.issuer, audience: AUDIENCE, scopes })
  onTestFinished(() => orders.close())
  const shared = { authorization: `Bearer ${await provider.sign({ sub: 'shared' })}` }
  const made = await startWorld({
    provider,
    servers: {
      'core/orders': { url: orders.url, auth: { type: 'passthrough' } },
      'core/shared': { url: orders.url, auth: { type: 'header', headers: shared } },
    },
    access: [EVERYTHING],
  })
  return { ...made, orders }
}

const ours = (origin: string) => `${origin}/.well-known/oauth-protected-resource/mcp/core/orders/server`

describe('G10 a token that lacks a scope', () => {
  test('is answered 403 with a challenge of ours, which has the scopes that the server wants', async () => {
    const { endpoint, jwt, origin } = await world(['orders:read', 'orders:write'])
    const url = endpoint('core/orders')
    const refused = await rpc(url, { token: await jwt('alice', { scope: 'orders:read' }), body: initialize() })
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer resource_metadata="${ours(origin)}", error="insufficient_scope", scope="orders:read orders:write"`,
    )
    expect(refused.json).toMatchObject({ id: 1, error: { code: expect.any(Number) } })
    const granted = await rpc(url, {
      token: await jwt('alice', { scope: 'orders:read orders:write' }),
      body: initialize(),
    })
    expect(granted.status).toBe(200)
    expect(granted.headers.get('www-authenticate')).toBeNull()
  })

  test('is not told of refresh tokens, which are between client and authorization server', async () => {
    const { endpoint, jwt } = await world(['orders:read', 'offline_access'])
    const refused = await rpc(endpoint('core/orders'), { token: await jwt('alice'), body: ask('tools/list') })
    expect(refused.headers.get('www-authenticate')).toMatch(/scope="orders:read"$/)
  })

  test('that is shared says nothing of it to callers, who have no part in it', async () => {
    const { endpoint, jwt, orders } = await world(['orders:write'])
    const refused = await rpc(endpoint('core/shared'), { token: await jwt('alice'), body: initialize() })
    expect(orders.calls.at(-1)?.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toBeNull()
    expect(refused.text).not.toContain('orders:write')
  })
})
