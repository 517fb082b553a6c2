/** What a client says about itself, to register (RFC 7591 §2) and in a Client ID Metadata Document. */
import { isSecureUrl } from '../net/fetch.ts'

/** A client that uses the authorization code flow. */
export interface ClientDescription {
  readonly name: string
  /** Its origin. */
  readonly url: string
  readonly redirectUris: readonly string[]
  /** Whether refresh tokens may be asked for. */
  readonly refresh: boolean
  readonly authentication: 'none' | 'client_secret_basic' | 'client_secret_post'
}

/** The members of the document, or of a registration request. */
export function clientMetadata(client: ClientDescription): Readonly<Record<string, unknown>> {
  const { name, url, redirectUris, refresh, authentication } = client
  return {
    client_name: name,
    client_uri: url,
    redirect_uris: redirectUris,
    grant_types: refresh ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: authentication,
    // OpenID Connect Registration §2: providers refuse http redirect URIs of web applications.
    application_type: redirectUris.every((each) => new URL(each).protocol === 'https:') ? 'web' : 'native',
  }
}

/**
 * Whether a URL can be a client's id (Client ID Metadata Document, §3): https, with a path, and on no address of this machine,
 * which nobody else could fetch it from.
 */
export function isDocumentUrl(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, pathname, hostname, search, hash } = new URL(url)
  const isHere = isSecureUrl(`http://${hostname}`)
  return protocol === 'https:' && pathname !== '/' && search === '' && hash === '' && !isHere
}
