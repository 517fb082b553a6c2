/** An identity provider for tests of an application that stands behind a guard or a gateway: its tokens are real ones, and it listens nowhere. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { suggest } from '../core/suggest.ts'
import type { Fetch } from '../net/fetch.ts'

/** What a {@link testIssuer} issues tokens as, and for. */
export interface TestIssuerOptions {
  /** `iss`; `https://issuer.test/` by default. Nothing is fetched from there. */
  readonly issuer?: string
  /** `aud`; `test` by default. Of an application that people sign in to with a browser it is the `clientId`. */
  readonly audience?: string
  /** Asked for what is not this issuer's: `globalThis.fetch` by default, or the `fetch` of a test issuer of another name. */
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

/** On a test issuer's `fetch`: whose keys it answers for, its own and those further down the chain. */
const ANSWERED = Symbol('answered')
type TestFetch = Fetch & { readonly [ANSWERED]?: readonly string[] }

/**
 * An issuer with a key of its own. It has metadata, so that browsers are sent to sign in; nobody answers them there.
 *
 * ```ts
 * const issuer = await testIssuer({ audience: 'orders-api' })
 * const guard = createGuard({ integrations: { corp: issuer.integration }, fetch: issuer.fetch, routes })
 * const headers = { authorization: `Bearer ${await issuer.token({ email: 'ann@example.com' })}` }
 * ```
 *
 * @throws TypeError for an option that there is not, and for an issuer that `fetch` answers for already
 */
export async function testIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { issuer = 'https://issuer.test/', audience = 'test' } = options
  const fetch: TestFetch = options.fetch ?? globalThis.fetch
  const [unknown] = Object.keys(options).filter((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) throw new TypeError(`testIssuer() has no option "${unknown}"${suggest(unknown, OPTIONS)}`)
  // Below the issuer's path: realms of one origin have keys of their own.
  const jwksUri = under(issuer, '/.well-known/jwks.json')
  const answered = fetch[ANSWERED] ?? []
  if (answered.includes(jwksUri)) {
    throw new TypeError(`the fetch of this testIssuer() answers for ${issuer} already: name another issuer`)
  }
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const header = { alg: 'ES256', kid, typ: 'JWT' }
  const documents = new Map<string, object>([[jwksUri, { keys: [{ ...jwk, alg: 'ES256', kid, use: 'sig' }] }]])
  for (const url of metadataUrls(issuer)) documents.set(url, metadataOf(issuer, jwksUri))
  const answer: Fetch = (url, init) => {
    const document = documents.get(url)
    return document === undefined ? fetch(url, init) : Promise.resolve(Response.json(document))
  }
  return {
    integration: { issuer, audience, jwksUri },
    fetch: Object.assign(answer, { [ANSWERED]: [...answered, jwksUri] }),
    token(claims = {}) {
      const now = Math.floor(Date.now() / 1000)
      const all = { iss: issuer, aud: audience, sub: 'ann', iat: now, exp: now + LIFE_SECONDS, ...claims }
      return new SignJWT(all).setProtectedHeader(header).sign(privateKey)
    },
  }
}

/** A path below the issuer's own. */
function under(issuer: string, path: string): string {
  const { origin, pathname } = new URL(issuer)
  return `${origin}${pathname.replace(/\/$/, '')}${path}`
}

/** OpenID Connect Discovery 1.0 §4, RFC 8414 §3. */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer)
  return [
    under(issuer, '/.well-known/openid-configuration'),
    `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`,
  ]
}

function metadataOf(issuer: string, jwksUri: string): object {
  return {
    issuer,
    jwks_uri: jwksUri,
    authorization_endpoint: under(issuer, '/authorize'),
    token_endpoint: under(issuer, '/token'),
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    code_challenge_methods_supported: ['S256'],
  }
}
