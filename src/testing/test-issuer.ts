/** An identity provider for tests of an application that stands behind a guard or a gateway: its tokens are real ones, and it listens nowhere. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { Fetch } from '../net/fetch.ts'

/** What a {@link testIssuer} issues tokens as, and for. */
export interface TestIssuerOptions {
  /** `iss`; `https://issuer.test/` by default. Nothing is fetched from there. */
  readonly issuer?: string
  /** `aud`; `test` by default. */
  readonly audience?: string
}

/** See {@link testIssuer}. */
export interface TestIssuer {
  /** Goes into `integrations`, as `corp` or whatever it is called there; what is given beside it wins. */
  readonly integration: { readonly issuer: string; readonly audience: string; readonly jwksUri: string }
  /** Goes beside `integrations`: answers for the issuer's keys, and asks `globalThis.fetch` for everything else. */
  readonly fetch: Fetch
  /**
   * A JWT (ES256) that is good for five minutes, of a subject `ann` unless `claims` say otherwise. They win over all others: with
   * `{ exp: 0 }` it has expired, and a claim that is `undefined` is left out.
   */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
}

const LIFE_SECONDS = 300

/**
 * An issuer with a key of its own.
 *
 * ```ts
 * const issuer = await testIssuer({ audience: 'orders-api' })
 * const guard = createGuard({ integrations: { corp: issuer.integration }, fetch: issuer.fetch, routes })
 * const headers = { authorization: `Bearer ${await issuer.token({ email: 'ann@example.com' })}` }
 * ```
 */
export async function testIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { issuer = 'https://issuer.test/', audience = 'test' } = options
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const header = { alg: 'ES256', kid: 'test', typ: 'JWT' }
  const jwksUri = new URL('/.well-known/jwks.json', issuer).href
  const keys = [{ ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'test', use: 'sig' }]
  return {
    integration: { issuer, audience, jwksUri },
    fetch: (url, init) => (url === jwksUri ? Promise.resolve(Response.json({ keys })) : fetch(url, init)),
    token(claims = {}) {
      const now = Math.floor(Date.now() / 1000)
      const all = { iss: issuer, aud: audience, sub: 'ann', iat: now, exp: now + LIFE_SECONDS, ...claims }
      return new SignJWT(all).setProtectedHeader(header).sign(privateKey)
    },
  }
}
