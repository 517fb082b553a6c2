/** Authorization server metadata: what an issuer says about itself (OpenID Connect Discovery 1.0 §4, RFC 8414). */
import * as oauth from 'oauth4webapi'
import { FetchError, messageOf } from '../core/errors.ts'
import { boundedFetch, type Fetch, type FetchLimits, presentable } from '../net/fetch.ts'
import { readScopes } from './scopes.ts'

/** The parts of the metadata document that are used. Every URL is http or https; whether http will do is the caller's to say. */
export interface ServerMetadata {
  /** As the document spells it; Microsoft Entra's `common` document has a template, with `{tenantid}` in it. */
  readonly issuer: string
  readonly jwksUri: string | undefined
  readonly authorizationUrl: string | undefined
  readonly tokenUrl: string | undefined
  /** OpenID Connect Core §5.3. */
  readonly userInfoUrl: string | undefined
  /** RFC 7009. */
  readonly revocationUrl: string | undefined
  /** OpenID Connect RP-Initiated Logout 1.0. */
  readonly endSessionUrl: string | undefined
  /** RFC 9126. */
  readonly pushedAuthorizationUrl: string | undefined
  /** Whether every authorization response carries `iss` (RFC 9207). */
  readonly issParameter: boolean
  /** What ID tokens are signed with, as the document says. Not to be trusted: `none` may be among them. */
  readonly idTokenAlgorithms: readonly string[] | undefined
  /** RFC 7591. */
  readonly registrationUrl?: string | undefined
  /** Whether clients may be URLs of their own metadata (OAuth Client ID Metadata Document). */
  readonly clientIdDocuments?: boolean | undefined
  /** `code_challenge_methods_supported` (RFC 7636); `undefined` where it does not say. */
  readonly challengeMethods?: readonly string[] | undefined
  readonly scopes?: readonly string[] | undefined
  readonly grantTypes?: readonly string[] | undefined
  /** `authorization_grant_profiles_supported` (Identity Assertion JWT Authorization Grant §7.2). */
  readonly grantProfiles?: readonly string[] | undefined
  /** `token_endpoint_auth_methods_supported`; `undefined` where it does not say. */
  readonly tokenAuthentication?: readonly string[] | undefined
}

/** What is known of an authorization server without a document of its own: the endpoints, and nothing beside them. */
export function metadataOf(
  issuer: string,
  endpoints: Partial<Omit<ServerMetadata, 'issuer' | 'issParameter' | 'idTokenAlgorithms'>>,
): ServerMetadata {
  return {
    issuer,
    jwksUri: undefined,
    authorizationUrl: undefined,
    tokenUrl: undefined,
    userInfoUrl: undefined,
    revocationUrl: undefined,
    endSessionUrl: undefined,
    pushedAuthorizationUrl: undefined,
    issParameter: false,
    idTokenAlgorithms: undefined,
    ...endpoints,
  }
}

/** Where the document is, if not where it should be. */
export interface DiscoveryOptions {
  /** Fetched in place of the well-known addresses. */
  readonly metadataUrl?: string
  /** What the document must say its issuer is; the issuer by default. */
  readonly issuerInDocument?: string
}

/**
 * Fetches the metadata of `issuer`: OpenID Connect's document, else the OAuth one, or the one that `options` name.
 *
 * @throws FetchError (`ERR_FETCH`) when none can be had, the document names another issuer, or one of its URLs is none.
 */
export async function discoverServer(
  issuer: string,
  fetch: Fetch,
  limits: FetchLimits,
  options: DiscoveryOptions = {},
): Promise<ServerMetadata> {
  const { metadataUrl, issuerInDocument = issuer } = options
  const failures: string[] = []
  const get = async (url: string, headers: Record<string, string>) => {
    const response = await boundedFetch(fetch, url, limits, { headers })
    const problem = await problemOf(response.clone(), issuerInDocument)
    if (problem !== undefined) throw new FetchError(`${presentable(url)}: ${problem}`)
    return response
  }
  const places =
    metadataUrl === undefined
      ? [() => wellKnown(issuer, 'oidc', get), () => wellKnown(issuer, 'oauth2', get)]
      : [() => get(metadataUrl, { accept: 'application/json' })]
  for (const fetchFrom of places) {
    let document: Readonly<Record<string, unknown>>
    try {
      document = await toDocument(await fetchFrom(), issuerInDocument)
    } catch (error) {
      failures.push(messageOf(error))
      continue
    }
    return readDocument(document, issuerInDocument)
  }
  throw new FetchError(`the metadata of ${presentable(issuer)} cannot be had: ${[...new Set(failures)].join('; ')}`)
}

/** The usual mistakes, in words that say what there is; all others are found when the document is read. */
async function problemOf(response: Response, issuer: string): Promise<string | undefined> {
  if (response.status !== 200) return `answered ${response.status}`
  let document: unknown
  try {
    document = await response.json()
  } catch {
    return 'the answer is not JSON'
  }
  const { issuer: named } = (document ?? {}) as { issuer?: unknown }
  if (typeof named !== 'string' || !URL.canParse(named) || new URL(named).href === new URL(issuer).href)
    return undefined
  return `names another issuer, ${JSON.stringify(presentable(named.slice(0, 300)))}`
}

type Get = (url: string, headers: Record<string, string>) => Promise<Response>

/** The two ways to make an address of the issuer (RFC 8414 §5). */
async function wellKnown(issuer: string, algorithm: 'oidc' | 'oauth2', get: Get): Promise<Response> {
  return oauth.discoveryRequest(new URL(issuer), {
    algorithm,
    // The configuration has decided already which addresses may be plain http.
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url, { headers }) => get(url, headers),
  })
}

async function toDocument(response: Response, expected: string): Promise<Readonly<Record<string, unknown>>> {
  const document = await oauth.processDiscoveryResponse(new URL(expected), response)
  if (document.issuer !== expected) {
    // Tokens carry the provider's spelling and `iss` is compared exactly; better said here than by each token.
    throw new FetchError(`the provider spells its issuer "${document.issuer}"; write it in the same way`)
  }
  return document as unknown as Readonly<Record<string, unknown>>
}

/**
 * The parts of a document that are used. It comes from outside: browsers are sent to what it names, and our secrets too.
 *
 * @throws FetchError (`ERR_FETCH`) for a URL that is none
 */
export function readDocument(document: Readonly<Record<string, unknown>>, issuer: string): ServerMetadata {
  function url(field: string): string | undefined {
    const value = document[field] ?? undefined
    if (value === undefined) return undefined
    if (typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value
    throw new FetchError(`the ${field} of ${presentable(issuer)} is not https`)
  }
  /** Some write an empty text for what they do not have. */
  const endpoint = (field: string) => (document[field] === '' ? undefined : url(field))

  return {
    issuer,
    jwksUri: endpoint('jwks_uri'),
    authorizationUrl: endpoint('authorization_endpoint'),
    tokenUrl: endpoint('token_endpoint'),
    userInfoUrl: endpoint('userinfo_endpoint'),
    revocationUrl: endpoint('revocation_endpoint'),
    endSessionUrl: endpoint('end_session_endpoint'),
    pushedAuthorizationUrl: endpoint('pushed_authorization_request_endpoint'),
    issParameter: document.authorization_response_iss_parameter_supported === true,
    idTokenAlgorithms: texts(document.id_token_signing_alg_values_supported),
    registrationUrl: endpoint('registration_endpoint'),
    clientIdDocuments: document.client_id_metadata_document_supported === true || undefined,
    challengeMethods: texts(document.code_challenge_methods_supported),
    scopes: readScopes(document.scopes_supported),
    grantTypes: texts(document.grant_types_supported),
    grantProfiles: texts(document.authorization_grant_profiles_supported),
    tokenAuthentication: texts(document.token_endpoint_auth_methods_supported),
  }
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined
}
