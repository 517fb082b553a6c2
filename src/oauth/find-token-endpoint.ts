/** The token endpoint of an authorization server that nobody is sent to with a browser. */
import { FetchError } from '../core/errors.ts'
import { type Fetch, type FetchLimits, isSecureUrl, presentable } from '../net/fetch.ts'
import { discoverServer, metadataOf, type ServerMetadata } from './metadata.ts'

/** An authorization server as it is configured: by its issuer, its token endpoint, or both. */
export interface ConfiguredTokenEndpoint {
  readonly issuer?: string | undefined
  readonly tokenUrl?: string | undefined
  /** Allows a plain `http:` endpoint in the metadata on hosts other than this machine. */
  readonly allowInsecureHttp?: boolean | undefined
}

/**
 * Finds it. Where `tokenUrl` is configured, nobody is asked; without an `issuer`, it stands for the authorization server too.
 *
 * @throws FetchError (`ERR_FETCH`) where the metadata cannot be had, or names no token endpoint, or one that is not https
 */
export async function findTokenEndpoint(
  { issuer, tokenUrl, allowInsecureHttp = false }: ConfiguredTokenEndpoint,
  fetch: Fetch,
  limits: FetchLimits,
): Promise<ServerMetadata> {
  if (tokenUrl !== undefined) return metadataOf(issuer ?? tokenUrl, { tokenUrl })
  const found = await discoverServer(issuer ?? '', fetch, limits)
  const problem = tokenEndpointProblem(found, allowInsecureHttp)
  if (problem === undefined) return found
  throw new FetchError(`${presentable(found.issuer)} ${problem}`)
}

/** Why the token endpoint that a document names cannot be used, as the end of a sentence. */
export function tokenEndpointProblem({ tokenUrl }: ServerMetadata, allowInsecureHttp: boolean): string | undefined {
  if (tokenUrl === undefined) return 'names no token_endpoint'
  return isSecureUrl(tokenUrl) || allowInsecureHttp ? undefined : 'names a token_endpoint that is not https'
}
