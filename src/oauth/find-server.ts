/** The endpoints of an authorization server: those that the configuration writes out, and its own metadata for the rest. */
import { FetchError } from '../core/errors.ts'
import { type Fetch, type FetchLimits, isSecureUrl, presentable } from '../net/fetch.ts'
import { discoverServer, metadataOf, type ServerMetadata } from './metadata.ts'

/** URLs that a configuration may write out. */
type Endpoint =
  | 'authorizationUrl'
  | 'tokenUrl'
  | 'userInfoUrl'
  | 'revocationUrl'
  | 'endSessionUrl'
  | 'pushedAuthorizationUrl'

/** An authorization server as it is configured. */
export interface ConfiguredServer {
  readonly issuer: string
  /** Where its metadata is, if not where the issuer says. */
  readonly metadataUrl: string | undefined
  readonly jwksUri: string | undefined
  /** They win over what the metadata says. With `authorizationUrl` among them, no metadata is asked for. */
  readonly endpoints: { readonly [Name in Endpoint]?: string | undefined }
  /** Allows `http:` endpoints on hosts other than this machine. */
  readonly allowInsecureHttp: boolean
}

const ENDPOINTS: readonly Endpoint[] = [
  'authorizationUrl',
  'tokenUrl',
  'userInfoUrl',
  'revocationUrl',
  'endSessionUrl',
  'pushedAuthorizationUrl',
]

/**
 * Finds them.
 *
 * @throws FetchError (`ERR_FETCH`) when the metadata cannot be had, names no endpoint that is needed, or one that is not https
 */
export async function findServer(server: ConfiguredServer, fetch: Fetch, limits: FetchLimits): Promise<ServerMetadata> {
  const { issuer, metadataUrl, jwksUri, endpoints, allowInsecureHttp } = server
  if (endpoints.authorizationUrl !== undefined) return metadataOf(issuer, { jwksUri, ...endpoints })
  const options = metadataUrl === undefined ? {} : { metadataUrl, issuerInDocument: issuer }
  const said = await discoverServer(issuer, fetch, limits, options)
  const written = Object.fromEntries(Object.entries(endpoints).filter(([, url]) => url !== undefined))
  const found: ServerMetadata = { ...said, ...written }
  for (const name of ENDPOINTS) {
    const url = found[name]
    if (url !== undefined && !isSecureUrl(url) && !allowInsecureHttp) {
      throw new FetchError(`the ${name} of ${presentable(issuer)} is not https`)
    }
  }
  if (found.authorizationUrl === undefined || found.tokenUrl === undefined) {
    throw new FetchError(`the metadata of ${presentable(issuer)} names no authorization_endpoint or no token_endpoint`)
  }
  return found
}
