/**
 * Looks at an MCP server and its authorization servers from outside, as a stranger with the gateway's configuration sees them:
 * facts for `gateway.doctor`. Nothing is registered, stored or sent that is secret.
 */
import { messageOf } from '../../core/errors.ts'
import type { Fetch } from '../../net/fetch.ts'
import { guardedFetch } from '../../net/guarded-fetch.ts'
import { discoverIssuer, metadataUrls } from '../../oauth/discover-issuer.ts'
import { type DocumentFetch, fetchDocument } from '../../oauth/fetch-document.ts'
import { findServer } from '../../oauth/find-server.ts'
import type { ServerMetadata } from '../../oauth/metadata.ts'
import { discoverResource, type ResourceMetadata } from '../../oauth/resource-metadata.ts'
import { AUTHORIZATION_SERVER_LIMITS } from '../bound-client.ts'
import type { OAuth2Server } from '../broker.ts'
import { writtenIn } from '../upstream-client.ts'
import { documentUrl } from './client-document.ts'
import {
  type AuthorizationSource,
  type ClientWay,
  defaultEndpoints,
  usabilityProblem,
  wayOf,
} from './find-authorization.ts'
import { type Probe, probeServer } from './probe.ts'

/** Something that was looked for. */
export type Looked<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'absent' }
  /** For the operator. */
  | { readonly kind: 'failed'; readonly detail: string }

/** An authorization server that could be the one. */
export interface ExaminedServer {
  readonly issuer: string
  readonly source: AuthorizationSource
  readonly metadata: Looked<ServerMetadata>
  /** How its own document spells its issuer, where that is another way. */
  readonly spelling: string | undefined
  /** Why it cannot be used though there is metadata. */
  readonly problem: string | undefined
  /** How the gateway is a client there; `undefined` where there is no way. */
  readonly way: ClientWay | undefined
}

/** All of it. */
export interface Examination {
  readonly probe: Looked<Probe>
  readonly resource: Looked<ResourceMetadata>
  /** In the order in which they are tried. None where the server's `auth` is of another type. */
  readonly authorizationServers: readonly ExaminedServer[]
  /** The gateway's metadata document, where it can be fetched from outside. */
  readonly document: string | undefined
}

/** What is looked at. */
export interface Examined {
  readonly id: string
  readonly url: string
  /** Of `oauth2` servers. */
  readonly auth: OAuth2Server['auth'] | undefined
  readonly allowInsecureHttp: boolean
}

const EXAMINATION_MS = 40_000
/** Of authorization servers; one is used. */
const MAX_SERVERS = 3

/** Looks. Never rejects for what others do or say. */
export async function examine(server: Examined, gateway: string, userFetch: Fetch | undefined): Promise<Examination> {
  const { id, url, auth } = server
  const documents: DocumentFetch = {
    fetch: guardedFetch({ written: [url, ...(auth === undefined ? [] : writtenIn(auth))], fetch: userFetch }),
    limits: AUTHORIZATION_SERVER_LIMITS,
    signal: AbortSignal.timeout(EXAMINATION_MS),
    allowInsecureHttp: auth === undefined ? server.allowInsecureHttp : auth.allowInsecureHttp === true,
  }
  const { fetch, limits, signal } = documents
  const document = auth?.callbackPath === undefined ? documentUrl(gateway) : undefined
  const probe = await looked(probeServer(url, { fetch, timeoutMs: limits.timeoutMs, signal, reads: true }))
  const challenge = probe.kind === 'found' ? probe.value.challenge : undefined
  const resource = await looked(discoverResource(url, challenge?.resourceMetadata, documents))
  const authorizationServers =
    auth === undefined ? [] : await Promise.all(candidates(auth).map((each) => examineServer(auth, each)))
  return { probe, resource, authorizationServers, document }

  function candidates(own: OAuth2Server['auth']): Pick<ExaminedServer, 'issuer' | 'source'>[] {
    if (own.issuer !== undefined) return [{ issuer: own.issuer, source: 'configured' }]
    if (own.authorizationUrl !== undefined) {
      return [{ issuer: new URL(own.authorizationUrl).origin, source: 'configured' }]
    }
    const listed = resource.kind === 'found' ? resource.value.authorizationServers : []
    if (listed.length > 0) return listed.slice(0, MAX_SERVERS).map((issuer) => ({ issuer, source: 'resource' }))
    return resource.kind === 'failed' ? [] : [{ issuer: new URL(url).origin, source: 'origin' }]
  }

  async function examineServer(
    own: OAuth2Server['auth'],
    { issuer, source }: Pick<ExaminedServer, 'issuer' | 'source'>,
  ): Promise<ExaminedServer> {
    const metadata = await looked(metadataOf(own, issuer, source))
    if (metadata.kind === 'absent' && source === 'origin' && probe.kind === 'found' && probe.value.challenged) {
      const value = defaultEndpoints(issuer)
      const way = wayOf({ id, url, label: id, auth: own }, value, false)
      return {
        issuer,
        source: 'default',
        metadata: { kind: 'found', value },
        spelling: undefined,
        problem: undefined,
        way,
      }
    }
    if (metadata.kind !== 'found') {
      return { issuer, source, metadata, spelling: await spellingOf(issuer), problem: undefined, way: undefined }
    }
    const { value } = metadata
    const problem = source === 'configured' ? undefined : usabilityProblem(value, documents.allowInsecureHttp)
    const way = wayOf({ id, url, label: id, auth: own }, value, document !== undefined)
    return { issuer: value.issuer, source, metadata, spelling: undefined, problem, way }
  }

  async function metadataOf(
    own: OAuth2Server['auth'],
    issuer: string,
    source: AuthorizationSource,
  ): Promise<ServerMetadata | undefined> {
    if (source === 'origin') return discoverIssuer(issuer, documents, [issuer, `${issuer}/`])
    if (source === 'resource') return discoverIssuer(issuer, documents)
    const { metadataUrl, authorizationUrl, tokenUrl, revocationUrl, allowInsecureHttp = false } = own
    const endpoints = { authorizationUrl, tokenUrl, revocationUrl }
    return findServer({ issuer, metadataUrl, jwksUri: undefined, endpoints, allowInsecureHttp }, fetch, limits)
  }

  /** Another spelling of the same URL, which is a habit of some providers. */
  async function spellingOf(issuer: string): Promise<string | undefined> {
    for (const place of metadataUrls(issuer)) {
      const found = await fetchDocument(place, documents)
      const said = found.kind === 'document' ? found.document.issuer : undefined
      if (typeof said !== 'string' || said === issuer) continue
      return said.replace(/\/$/, '') === issuer.replace(/\/$/, '') ? said : undefined
    }
    return undefined
  }
}

/** What came of looking. */
export async function looked<T>(looking: Promise<T | undefined>): Promise<Looked<T>> {
  try {
    const value = await looking
    return value === undefined ? { kind: 'absent' } : { kind: 'found', value }
  } catch (error) {
    return { kind: 'failed', detail: messageOf(error) }
  }
}
