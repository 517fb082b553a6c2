/** A gateway for the scenarios on inbound authorization: its tokens are JWTs of an identity provider. */
import { AUDIENCE, makeKey, startKeyServer } from '../../support/identity-provider.ts'
import { startProtectedServer } from '../../support/mcp/protected-server.ts'
import { startSdk2Server } from '../../support/mcp/sdk2-server.ts'
import { startGatewayServer } from '../gateway-server.ts'
import type { AuthorizationTarget } from './scenario.ts'

const SCOPE = 'orders:write'

/** Starts it. Scopes are looked at by a server behind it, which the caller's own token goes to (`passthrough`). */
export async function startGatewayTarget(): Promise<AuthorizationTarget & { close(): Promise<void> }> {
  const [provider, open, inner] = await Promise.all([startKeyServer(), startSdk2Server(), startSdk2Server()])
  const orders = await startProtectedServer({
    server: inner,
    issuer: provider.issuer,
    audience: AUDIENCE,
    scopes: [SCOPE],
  })
  const gateway = await startGatewayServer({
    integrations: { corp: { issuer: provider.issuer, audience: AUDIENCE } },
    scopes: ['openid'],
    servers: {
      'conformance/open': { url: open.url, auth: { type: 'none' } },
      'conformance/orders': { url: orders.url, auth: { type: 'passthrough' } },
    },
    access: [{ to: 'user:corp/*', on: 'conformance/*' }],
  })
  const at = (server: string) => `${gateway.origin}/mcp/conformance/${server}/server`
  const past = Math.floor(Date.now() / 1000) - 3_600
  const stranger = await makeKey('key-1')
  return {
    serverUrl: at('open'),
    tokens: {
      good: await provider.sign(),
      bad: {
        expired: await provider.sign({ iat: past - 300, exp: past }),
        'not yet valid': await provider.sign({ nbf: Math.floor(Date.now() / 1000) + 3_600 }),
        'another issuer': await provider.sign({ iss: 'https://login.example.org/' }),
        'another signature': await provider.sign({}, { key: stranger }),
        'no signature': `${(await provider.sign()).split('.').slice(0, 2).join('.')}.`,
      },
      otherAudience: {
        'another API': await provider.sign({ aud: 'another-api' }),
        'another endpoint of the same host': await provider.sign({ aud: at('orders') }),
        'the authorization server itself': await provider.sign({ aud: provider.issuer }),
        nobody: await provider.sign({ aud: [] }),
      },
    },
    stepUp: {
      serverUrl: at('orders'),
      lesser: await provider.sign({ scope: 'orders:read' }),
      greater: await provider.sign({ scope: `orders:read ${SCOPE}` }),
      scopes: [SCOPE],
    },
    async close() {
      await gateway.close()
      await Promise.all([orders.close(), open.close(), provider.close()])
    },
  }
}
