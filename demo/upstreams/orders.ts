/** An MCP server of the company's own, which trusts the company's identity provider itself (G10). */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { TOOLS_API } from '../provider-clients.ts'
import { startUpstream, textResult, type Upstream } from './upstream.ts'

/** Starts it. `issuer` is the identity provider. */
export function startOrders(port: number, issuer: string): Promise<Upstream> {
  const keys = createRemoteJWKSet(new URL('/jwks', issuer))
  return startUpstream({
    name: 'orders',
    port,
    async admit(authorization = '') {
      const token = authorization.replace(/^Bearer /, '')
      const verified = await jwtVerify(token, keys, { issuer, audience: TOOLS_API }).catch(() => undefined)
      return verified?.payload.email
    },
    offer(server, email) {
      server.registerTool('my_orders', { description: 'Lists your orders' }, () => textResult(`order 7 of ${email}`))
    },
  })
}
