/**
 * Finds out how to get tokens for an MCP server, from the server itself (B5; MCP 2026-07-28, Authorization Server Discovery):
 * its challenge, its metadata, the metadata of an authorization server that it names, and a way to be a client there.
 */
import { FetchError, messageOf } from '../../core/errors.ts'
import { isSecureUrl, presentable } from '../../net/fetch.ts'
import { AuthorizationError } from '../../oauth/authorization-error.ts'
import { discoverIssuer } from '../../oauth/discover-issuer.ts'
import type { DocumentFetch } from '../../oauth/fetch-document.ts'
import { metadataOf, type ServerMetadata } from '../../oauth/metadata.ts'
import { discoverResource, type ResourceMetadata } from '../../oauth/resource-metadata.ts'
import { chooseScopes } from '../../oauth/scopes.ts'
import type { OAuth2Server } from '../broker.ts'
import { type Probe, probeServer } from './probe.ts'

/** How we are a client: as configured, by our own metadata document, or by registering. */
export type ClientWay = 'configured' | 'document' | 'registration'

/**
 * Where an authorization server was found: in the resource's metadata; at the origin of an MCP server of 2025-03-26, with metadata
 * of its own or with the endpoints that such servers have by default; in the configuration.
 */
export type AuthorizationSource = 'resource' | 'origin' | 'default' | 'configured'

/** What was found. Plain data that survives JSON. */
export interface FoundAuthorization {
  readonly issuer: string
  readonly source: AuthorizationSource
  readonly way: ClientWay
  /** What the resource calls itself. */
  readonly resource?: string
  readonly scopes: readonly string[]
}

/** The same with what it was found by. */
export interface FoundServer extends FoundAuthorization {
  readonly metadata: ServerMetadata
}

/** What finding works with. */
export interface FindSettings {
  readonly documents: DocumentFetch
  /** Whether our own metadata document can be fetched from outside, and answers can come to its callback. */
  readonly hasDocument: boolean
  /** Whether the client that was registered at the remembered authorization server can be used. Asked last: it may be lost meanwhile. */
  readonly isRegistered: () => Promise<boolean>
}

/** The MCP server's part. */
export interface FoundResource {
  readonly probe: Probe
  readonly metadata: ResourceMetadata | undefined
}

/**
 * Asks the MCP server.
 *
 * @param named - the metadata that it has named just now, in a challenge; it is asked for none then
 * @throws FetchError (`ERR_FETCH`)
 */
export async function findResource(url: string, how: DocumentFetch, named?: Probe): Promise<FoundResource> {
  const { fetch, limits, signal } = how
  const probe = named ?? (await probeServer(url, { fetch, timeoutMs: limits.timeoutMs, signal }))
  return { probe, metadata: await discoverResource(url, probe.challenge?.resourceMetadata, how) }
}

/**
 * Chooses an authorization server: the one that is remembered if the resource still names it, else the first that can be used.
 * What is known already is stayed with for as long as it can be.
 *
 * @throws AuthorizationError `rejected` where none can be used, FetchError (`ERR_FETCH`) where that cannot be told
 */
export async function findAuthorization(
  server: OAuth2Server,
  { probe, metadata: resource }: FoundResource,
  settings: FindSettings,
  remembered: FoundAuthorization | undefined,
): Promise<FoundServer> {
  const listed = resource?.authorizationServers ?? []
  // Metadata that is not there names no other server.
  const stays = remembered !== undefined && (listed.length === 0 || listed.includes(remembered.issuer))
  if (listed.length === 0 && !(stays && remembered.source === 'resource')) {
    return finish(await atOrigin(), stays ? remembered : undefined)
  }
  const candidates = stays ? [remembered.issuer] : listed
  const failures: { readonly error: unknown; readonly rejected: boolean }[] = []
  for (const issuer of candidates) {
    try {
      const metadata = await usableServer(issuer, settings.documents)
      return await finish({ issuer, source: 'resource', metadata }, stays ? remembered : undefined)
    } catch (error) {
      failures.push({ error, rejected: error instanceof AuthorizationError && error.kind === 'rejected' })
    }
  }
  const [first] = failures
  // One that is away for now may be the one to use: better to wait for it than to say that there is none.
  if (failures.length === 1 && first !== undefined) throw first.error
  const kind = failures.every(({ rejected }) => rejected) ? 'rejected' : 'unavailable'
  throw new AuthorizationError(kind, failures.map(({ error }) => messageOf(error)).join('; '))

  async function finish(
    found: Pick<FoundServer, 'issuer' | 'source' | 'metadata'>,
    before: FoundAuthorization | undefined,
  ): Promise<FoundServer> {
    const registered = before?.issuer === found.issuer && (await settings.isRegistered())
    const way = wayOf(server, found.metadata, settings.hasDocument, before?.way, registered)
    if (way === undefined) throw needsClient(server, found)
    // Metadata that is away for a while is no other resource: with another name, nobody's tokens would be good any more.
    const kept = resource === undefined && before?.resource !== undefined ? before : undefined
    const name = resource?.resource ?? kept?.resource
    return {
      ...found,
      way,
      ...(name === undefined ? {} : { resource: name }),
      scopes: chooseScopes({
        challenge: probe.challenge?.scopes,
        resource: kept === undefined ? resource?.scopes : kept.scopes,
        authorizationServer: found.metadata.scopes,
      }),
    }
  }

  /** 2025-03-26, Authorization, Server Metadata Discovery: the authorization server is at the MCP server's origin. */
  async function atOrigin(): Promise<Pick<FoundServer, 'issuer' | 'source' | 'metadata'>> {
    const { origin } = new URL(server.url)
    // There is no spelling that it was named by.
    const metadata = await discoverIssuer(origin, settings.documents, [origin, `${origin}/`])
    if (metadata !== undefined) {
      assertUsable(metadata, settings.documents.allowInsecureHttp)
      return { issuer: metadata.issuer, source: 'origin', metadata }
    }
    // It has had metadata: other endpoints, or another spelling of its issuer, would be another authorization server.
    if (remembered?.source === 'origin') throw new FetchError(`the metadata of ${origin} is not there at present`)
    if (probe.challenged) return { issuer: origin, source: 'default', metadata: defaultEndpoints(origin) }
    throw new AuthorizationError(
      'rejected',
      `the MCP server at ${presentable(server.url)} asks for no authorization and names no authorization server`,
    )
  }
}

/** 2025-03-26, Authorization, Fallbacks for Servers without Metadata Discovery. */
export function defaultEndpoints(origin: string): ServerMetadata {
  return metadataOf(origin, {
    authorizationUrl: `${origin}/authorize`,
    tokenUrl: `${origin}/token`,
    registrationUrl: `${origin}/register`,
  })
}

/**
 * The metadata of an authorization server that a resource has named, fit to be used.
 *
 * @throws AuthorizationError `rejected`, FetchError (`ERR_FETCH`)
 */
export async function usableServer(issuer: string, documents: DocumentFetch): Promise<ServerMetadata> {
  const metadata = await discoverIssuer(issuer, documents)
  if (metadata === undefined) throw new AuthorizationError('rejected', `${issuer} has no metadata (RFC 8414)`)
  assertUsable(metadata, documents.allowInsecureHttp)
  return metadata
}

const SENT_TO = ['authorizationUrl', 'tokenUrl', 'registrationUrl', 'revocationUrl', 'pushedAuthorizationUrl'] as const

function assertUsable(metadata: ServerMetadata, allowInsecureHttp: boolean): void {
  const problem = usabilityProblem(metadata, allowInsecureHttp)
  if (problem !== undefined) throw new AuthorizationError('rejected', `${metadata.issuer} ${problem}`)
}

/** Why an authorization server cannot be used that nobody has written into the configuration, as the end of a sentence. */
export function usabilityProblem(metadata: ServerMetadata, allowInsecureHttp: boolean): string | undefined {
  const { authorizationUrl, tokenUrl, challengeMethods } = metadata
  if (authorizationUrl === undefined || tokenUrl === undefined) {
    return 'names no authorization_endpoint or no token_endpoint'
  }
  if (challengeMethods?.includes('S256') !== true) {
    return (
      'does not say that it supports PKCE with S256 (code_challenge_methods_supported); if it does, write it as issuer into the ' +
      'configuration'
    )
  }
  const plain = SENT_TO.some((name) => metadata[name] !== undefined && !isSecureUrl(metadata[name] ?? ''))
  return plain && !allowInsecureHttp ? 'names endpoints that are not https' : undefined
}

/** How to be a client (MCP 2026-07-28, Client Registration); `undefined` where there is no way. */
export function wayOf(
  { auth }: OAuth2Server,
  metadata: ServerMetadata,
  hasDocument: boolean,
  before?: ClientWay,
  registered = false,
): ClientWay | undefined {
  if (auth.clientId !== undefined) return 'configured'
  // Its client is a public one that anybody can name at any server, with a callback that all servers share: only `iss` tells
  // their answers apart (RFC 9700 §4.4).
  const takes = metadata.tokenAuthentication?.includes('none') ?? true
  const document = hasDocument && metadata.clientIdDocuments === true && metadata.issParameter && takes
  const registration = metadata.registrationUrl !== undefined
  // Another client would end everybody's connection, and one that is registered needs no endpoint for it any more.
  if (before === 'registration' && (registration || registered)) return before
  return document ? 'document' : registration ? 'registration' : undefined
}

function needsClient({ id }: OAuth2Server, { issuer }: Pick<FoundServer, 'issuer'>): AuthorizationError {
  return new AuthorizationError(
    'rejected',
    `"${id}" needs a client id: ${issuer} registers no clients by itself. Register the gateway there, and write clientId and ` +
      `issuer: '${issuer}' into the configuration`,
  )
}
