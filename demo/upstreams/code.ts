/**
 * An MCP server where everybody has an account of their own, as with GitHub or Slack (G8). It takes access tokens of its own
 * authorization server, made for itself, and knows by them whose repositories to show.
 */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { startUpstream, textResult, type Upstream } from './upstream.ts'

/** The scope that its tools need. */
export const CODE_SCOPE = 'repo:read'

/** Starts it. `issuer` is its authorization server. */
export function startCode(port: number, issuer: string): Promise<Upstream> {
  const keys = createRemoteJWKSet(new URL('/jwks', issuer))
  const audience = codeUrl(port)
  return startUpstream({
    name: 'code',
    port,
    async admit(authorization = '') {
      const token = authorization.replace(/^Bearer /, '')
      const verified = await jwtVerify(token, keys, { issuer, audience }).catch(() => undefined)
      return verified?.payload.sub
    },
    offer(server, login) {
      server.registerTool('who_am_i', { description: 'Says whose account this is' }, () => textResult(login))
      server.registerTool('list_repositories', { description: 'Lists your repositories' }, () =>
        textResult(`${login}/website, ${login}/notes`),
      )
      server.registerTool('delete_repository', { description: 'Deletes one' }, () => textResult('gone'))
    },
  })
}

/** Where it is; its tokens are made for this URL (RFC 8707). */
export function codeUrl(port: number): string {
  return `http://127.0.0.1:${port}/mcp`
}
