/** Authorization server metadata: what an issuer says about itself (OpenID Connect Discovery 1.0 §4, RFC 8414). */
import * as oauth from 'oauth4webapi'
import { FetchError, messageOf } from '../core/errors.ts'
import { boundedFetch, type Fetch, type FetchLimits } from '../net/fetch.ts'

/** The parts of the metadata document that are used. */
export interface ServerMetadata {
  readonly issuer: string
  readonly jwksUri: string | undefined
}

/**
 * Fetches the metadata of `issuer`: OpenID Connect's document, else the OAuth one.
 *
 * @throws FetchError (`ERR_FETCH`) when neither can be had, or the document names another issuer.
 */
export async function discoverServer(issuer: string, fetch: Fetch, limits: FetchLimits): Promise<ServerMetadata> {
  const failures: string[] = []
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    try {
      return await discover(issuer, algorithm, fetch, limits)
    } catch (error) {
      failures.push(messageOf(error))
    }
  }
  throw new FetchError(`the metadata of ${issuer} cannot be had: ${failures.join('; ')}`)
}

async function discover(
  issuer: string,
  algorithm: 'oidc' | 'oauth2',
  fetch: Fetch,
  limits: FetchLimits,
): Promise<ServerMetadata> {
  const identifier = new URL(issuer)
  const response = await oauth.discoveryRequest(identifier, {
    algorithm,
    // The configuration has decided already which addresses may be plain http.
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url, init) => boundedFetch(fetch, url, limits, { headers: init.headers }),
  })
  const metadata = await oauth.processDiscoveryResponse(identifier, response)
  if (metadata.issuer !== issuer) {
    // Tokens carry the provider's spelling and `iss` is compared exactly; better said here than by each token.
    throw new FetchError(`the provider spells its issuer "${metadata.issuer}"; write it in the same way`)
  }
  const { jwks_uri: jwksUri }: { jwks_uri?: unknown } = metadata
  return { issuer: metadata.issuer, jwksUri: typeof jwksUri === 'string' ? jwksUri : undefined }
}
