/**
 * Any MCP server behind an identity provider: its access tokens are verified as JWTs (RFC 9068), the resource says in its
 * metadata where to get one (RFC 9728), and a request without a good one gets a challenge that names the metadata.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { MCP_PATH, type McpFixture } from './calls.ts'
import { startPassThrough } from './pass-through.ts'

/** What {@link startProtectedServer} is told. */
export interface ProtectedServerOptions {
  /** The server behind; it is closed together with this one. */
  readonly server: McpFixture
  /** The provider whose access tokens are good; `jwks` is found at `/jwks`, as with `oidc-provider`. */
  readonly issuer: string
  readonly port?: number
  /** What tokens must be for; its own URL by default (RFC 8707). */
  readonly audience?: string
  /** Scopes that a token must have; none by default. */
  readonly scopes?: readonly string[]
  /** Said in the challenge and the metadata, or nothing of it, so that it has to be configured. On by default. */
  readonly metadata?: boolean
}

/** The running server. */
export interface ProtectedServer<Inner extends McpFixture = McpFixture> extends McpFixture {
  /** What tokens must be for. */
  readonly audience: string
  /** The server behind. Its own `calls` are those that were let through. */
  readonly inner: Inner
  /** From now on this token is no good; for what a provider revokes. */
  revoke(token: string): void
}

/** Starts it. Its `calls` include those that are refused. */
export async function startProtectedServer<Inner extends McpFixture>(
  options: ProtectedServerOptions & { readonly server: Inner },
): Promise<ProtectedServer<Inner>> {
  const { server: inner, issuer, scopes = [], metadata = true } = options
  const keys = createRemoteJWKSet(new URL('/jwks', issuer))
  const revoked = new Set<string>()
  const metadataPath = `/.well-known/oauth-protected-resource${MCP_PATH}`

  async function verify(token: string): Promise<'good' | 'invalid_token' | 'insufficient_scope'> {
    if (revoked.has(token)) return 'invalid_token'
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience })
      const granted = typeof payload.scope === 'string' ? payload.scope.split(' ') : []
      return scopes.every((scope) => granted.includes(scope)) ? 'good' : 'insufficient_scope'
    } catch {
      return 'invalid_token'
    }
  }

  async function before(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (metadata && request.url === metadataPath) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          resource: audience,
          authorization_servers: [issuer],
          bearer_methods_supported: ['header'],
          ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
        }),
      )
      return true
    }
    const [, token] = /^Bearer ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '') ?? []
    const found = token === undefined ? 'none' : await verify(token)
    if (found === 'good') return false
    const parameters = [
      ...(found === 'none' ? [] : [`error="${found}"`]),
      ...(scopes.length === 0 ? [] : [`scope="${scopes.join(' ')}"`]),
      ...(metadata ? [`resource_metadata="${served.origin}${metadataPath}"`] : []),
    ]
    response.writeHead(found === 'insufficient_scope' ? 403 : 401, {
      'content-type': 'application/json',
      'www-authenticate': ['Bearer', parameters.join(', ')].filter(Boolean).join(' '),
    })
    response.end(JSON.stringify({ error: found }))
    return true
  }

  const served = await startPassThrough(inner.url, { port: options.port ?? 0, before })
  const audience = options.audience ?? served.url
  return {
    ...served,
    audience,
    inner,
    revoke: (token) => void revoked.add(token),
    async close() {
      await served.close()
      await inner.close()
    },
  }
}
