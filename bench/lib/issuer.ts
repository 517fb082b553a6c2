/** The identity provider of a suite, as the suite sees it: it has these keys, and runs in a process of its own (`idp.ts`). */
import { startServer } from './child.ts'
import { publicJwk, type SigningKey } from './tokens.ts'

export interface Issuer {
  readonly issuer: string
  readonly jwksUri: string
  stop(): Promise<void>
}

export async function startIssuer(keys: readonly SigningKey[]): Promise<Issuer> {
  const idp = await startServer(new URL('./idp.js', import.meta.url), [], { keys: keys.map(publicJwk) })
  const issuer = `http://127.0.0.1:${idp.port}`
  return { issuer, jwksUri: `${issuer}/.well-known/jwks.json`, stop: idp.stop }
}
