/** What a protected resource says about itself (RFC 9728): which authorization servers it trusts, and which scopes it knows. */

import { FetchError } from '../core/errors.ts'
import { presentable } from '../net/fetch.ts'
import { type DocumentFetch, fetchDocument, isHttpUrl } from './fetch-document.ts'
import { readScopes } from './scopes.ts'

/** The parts that are used. */
export interface ResourceMetadata {
  /** Where it was found. */
  readonly url: string
  /** The resource's own name: the URL that was asked for, or one that it lies below. */
  readonly resource: string
  /** Issuers, in the document's order; none where it names none that can be one. */
  readonly authorizationServers: readonly string[]
  /** `scopes_supported`. */
  readonly scopes: readonly string[] | undefined
}

/** Whoever lists more has something else in mind. */
const MAX_SERVERS = 10

/**
 * Looks for the metadata of the resource at `url`: where its challenge says, then at the well-known address of its path, then
 * at that of its origin (MCP 2026-07-28, Protected Resource Metadata Discovery Requirements).
 *
 * @param named - `resource_metadata` of the challenge (RFC 9728 §5.1)
 * @returns `undefined` where there is none
 * @throws FetchError (`ERR_FETCH`) where it cannot be told, and for a document about another resource: going on to the next
 *   address then would let whoever keeps a document away choose another one
 */
export async function discoverResource(
  url: string,
  named: string | undefined,
  how: DocumentFetch,
): Promise<ResourceMetadata | undefined> {
  const { origin, pathname, search } = new URL(url)
  const root = `${origin}/.well-known/oauth-protected-resource`
  const places = new Set([
    ...(named === undefined ? [] : [named]),
    ...(pathname === '/' ? [] : [root + pathname + search]),
    root,
  ])
  for (const place of places) {
    const found = await fetchDocument(place, how)
    if (found.kind === 'failed') throw new FetchError(`the metadata of the resource cannot be had: ${found.detail}`)
    if (found.kind === 'absent') continue
    const { resource, authorization_servers: servers, scopes_supported: scopes } = found.document
    if (typeof resource === 'string' && coversUrl(resource, url)) {
      return { url: place, resource, authorizationServers: readIssuers(servers), scopes: readScopes(scopes) }
    }
    // At the root there may be that of another resource of the same site.
    if (place === root && place !== named) continue
    const said = typeof resource === 'string' ? JSON.stringify(presentable(resource.slice(0, 200))) : 'no resource'
    throw new FetchError(`the metadata at ${presentable(place)} is about ${said}, and not about ${presentable(url)}`)
  }
  return undefined
}

/**
 * Whether `resource` is the resource identifier of `url`: the same, or of the same origin with a path that this one lies below
 * (RFC 9728 §3.3, RFC 8707 §2).
 */
export function coversUrl(resource: string, url: string): boolean {
  if (!isHttpUrl(resource) || resource.includes('#')) return false
  const one = new URL(resource)
  const other = new URL(url)
  if (one.origin !== other.origin) return false
  if (one.search !== '' && one.search !== other.search) return false
  const path = one.pathname.replace(/\/$/, '')
  return other.pathname === path || other.pathname.startsWith(`${path}/`)
}

/** RFC 8414 §2: an issuer has neither query nor fragment. Whether it is https is looked at when something is fetched. */
function readIssuers(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  const issuers = value.filter((each) => typeof each === 'string' && isHttpUrl(each) && !/[?#]/.test(each))
  return [...new Set<string>(issuers)].slice(0, MAX_SERVERS)
}
