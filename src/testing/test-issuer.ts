/** An identity provider for tests of an application that stands behind a guard or a gateway: its tokens are real ones, and it listens nowhere. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { suggest } from '../core/suggest.ts'
import type { Fetch } from '../net/fetch.ts'

/** What a {@link testIssuer} issues tokens as, and for. */
export interface TestIssuerOptions {
  /** `iss`; `https://issuer.test/` by default. Nothing is fetched from there. */
  readonly issuer?: string
  /** `aud`; `test` by default. Of an application that people sign in to with a browser it is the `clientId`. */
  readonly audience?: string
  /** Asked for what is not this issuer's: `globalThis.fetch` by default, or the `fetch` of another test issuer. */
  readonly fetch?: Fetch
}

/** See {@link testIssuer}. */
export interface TestIssuer {
  /** Goes into `integrations`, as `corp` or whatever it is called there; what is given beside it wins. */
  readonly integration: { readonly issuer: string; readonly audience: string; readonly jwksUri: string }
  /** Goes beside `integrations`: answers for the issuer's keys and metadata, and asks {@link TestIssuerOptions.fetch} for everything else. */
  readonly fetch: Fetch
  /**
   * A JWT (ES256) that is good for five minutes, of a subject `ann` unless `claims` say otherwise. They win over all others: with
   * `{ exp: 0 }` it has expired, and a claim that is `undefined` is left out.
   */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
}

const LIFE_SECONDS = 300
const OPTIONS = ['issuer', 'audience', 'fetch']

/**
 * An issuer with a key of its own. It has metadata, so that browsers are sent to sign in; nobody answers them there.
 *
 * ```ts
 * const issuer = await testIssuer({ audience: 'orders-api' })
 * const guard = createGuard({ integrations: { corp: issuer.integration }, fetch: issuer.fetch, routes })
 * const headers = { authorization: `Bearer ${await issuer.token({ email: 'ann@example.com' })}` }
 * ```
 *
 * @throws TypeError for an option that there is not
 */
export async function testIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { issuer = 'https://issuer.test/', audience = 'test', fetch = globalThis.fetch } = options
  const [unknown] = Object.keys(options).filter((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) throw new TypeError(`testIssuer() has no option "${unknown}"${suggest(unknown, OPTIONS)}`)
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const header = { alg: 'ES256', kid: 'test', typ: 'JWT' }
  const jwksUri = new URL('/.well-known/jwks.json', issuer).href
  const keys = [{ ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'test', use: 'sig' }]
  const documents = new Map<string, object>([[jwksUri, { keys }]])
  for (const url of metadataUrls(issuer)) documents.set(url, metadataOf(issuer, jwksUri))
  return {
    integration: { issuer, audience, jwksUri },
    fetch(url, init) {
      const document = documents.get(url)
      return document === undefined ? fetch(url, init) : Promise.resolve(Response.json(document))
    },
    token(claims = {}) {
      const now = Math.floor(Date.now() / 1000)
      const all = { iss: issuer, aud: audience, sub: 'ann', iat: now, exp: now + LIFE_SECONDS, ...claims }
      return new SignJWT(all).setProtectedHeader(header).sign(privateKey)
    },
  }
}

/** OpenID Connect Discovery 1.0 §4, RFC 8414 §3. */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}

function metadataOf(issuer: string, jwksUri: string): object {
  return {
    issuer,
    jwks_uri: jwksUri,
    authorization_endpoint: new URL('/authorize', issuer).href,
    token_endpoint: new URL('/token', issuer).href,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    code_challenge_methods_supported: ['S256'],
  }
}
