/**
 * A guard with a preset as it is, and a server on this machine that stands in for the provider: the guard's `fetch` leads
 * there whichever host it is asked for. Documents and tokens have the shapes that the providers document.
 */
import type { Auth, Integration, JwtAuth } from '../../src/index.ts'
import { ask, authOf, jwtGuard, withToken } from '../guard/harness.ts'
import { createKey, type ProviderServer, type SigningKey, signToken, startProvider } from '../support/keys.ts'

/** A provider that answers for all hosts of the world. */
export interface StandIn {
  readonly key: SigningKey
  /** Answers `url` with `document`. */
  serve(url: string, document: object): void
  /** Answers for the metadata of `issuer`, or of the one that the document at `metadataUrl` names, and for its keys. */
  serveMetadata(issuer: string, metadataUrl?: string, keys?: readonly object[]): void
  /** The URLs asked for so far. */
  asked(): string[]
  close(): Promise<void>
  /** A guard that judges tokens by `integration`. */
  judge(integration: Integration, auth?: Partial<JwtAuth>): Judge
}

/** A guard at work. */
export interface Judge {
  /** `pass`, or the reason of the refusal. */
  verdict(claims: object, header?: Record<string, unknown>, key?: SigningKey): Promise<string>
  /** As {@link verdict}, for any text. */
  verdictOf(token: string): Promise<string>
  /** What the application sees. */
  auth(claims: object, header?: Record<string, unknown>): Promise<Auth>
}

/** Starts one, with an RS256 key, as all these providers have. */
export async function startStandIn(): Promise<StandIn> {
  const key = await createKey('RS256', 'key-1')
  const provider: ProviderServer = await startProvider(key)
  const placeOf = (url: string) => url.replace('https://', '/')
  const fetch = (url: string, init: RequestInit) => globalThis.fetch(provider.url + placeOf(url), init)
  const serve = (url: string, document: object) => void provider.documents.set(placeOf(url), document)
  return {
    key,
    serve,
    serveMetadata(issuer, metadataUrl, keys = [key.jwk]) {
      const at = metadataUrl ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
      const jwksUri = at.replace('.well-known/openid-configuration', 'keys')
      serve(at, { issuer, jwks_uri: jwksUri, authorization_endpoint: `${at}/authorize`, token_endpoint: `${at}/token` })
      serve(jwksUri, { keys })
    },
    asked: () => provider.asked.map((path) => `https:/${path}`),
    close: () => provider.close(),
    judge(integration, auth = {}) {
      const { guard, clock, events } = jwtGuard(provider, {
        auth,
        config: { integrations: { corp: integration }, fetch },
      })
      const now = Math.floor(clock.now() / 1000)
      const sign = (claims: object, header: Record<string, unknown> = {}, by = key) =>
        signToken(by, { iat: now, exp: now + 3600, ...claims }, header)
      const verdictOf = async (token: string) => {
        const outcome = await ask(guard, withToken(token))
        return outcome === 'pass' ? 'pass' : (events.reason ?? 'no reason')
      }
      return {
        verdictOf,
        verdict: async (claims, header, by) => verdictOf(await sign(claims, header, by)),
        auth: async (claims, header) => authOf(guard, withToken(await sign(claims, header))),
      }
    },
  }
}
