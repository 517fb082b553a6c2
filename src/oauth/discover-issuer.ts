/**
 * The metadata of an authorization server that a resource has named (RFC 8414, OpenID Connect Discovery 1.0), at the addresses
 * and in the order that MCP prescribes (2026-07-28, Authorization Server Metadata Discovery).
 */

import { FetchError, messageOf } from '../core/errors.ts'
import { presentable } from '../net/fetch.ts'
import { type DocumentFetch, fetchDocument } from './fetch-document.ts'
import { readDocument, type ServerMetadata } from './metadata.ts'

/** The addresses of an issuer's metadata, in the order in which they are tried. */
export function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/+$/, '')
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    ...(path === '' ? [] : [`${origin}${path}/.well-known/openid-configuration`]),
  ]
}

/**
 * Fetches it.
 *
 * @param spellings - what the document may say its issuer is; the issuer itself by default, character by character (RFC 8414 §3.3)
 * @returns `undefined` where there is none at any of the addresses
 * @throws FetchError (`ERR_FETCH`) where it cannot be had, or there are only documents of other issuers
 */
export async function discoverIssuer(
  issuer: string,
  how: DocumentFetch,
  spellings: readonly string[] = [issuer],
): Promise<ServerMetadata | undefined> {
  const failures: string[] = []
  for (const url of metadataUrls(issuer)) {
    const found = await fetchDocument(url, how)
    if (found.kind === 'failed') failures.push(found.detail)
    if (found.kind !== 'document') continue
    const said = found.document.issuer
    if (typeof said !== 'string' || !spellings.includes(said)) {
      const other = typeof said === 'string' ? JSON.stringify(presentable(said.slice(0, 200))) : 'none'
      failures.push(`${presentable(url)} names the issuer ${other}, and not "${presentable(issuer)}" exactly`)
      continue
    }
    try {
      return readDocument(found.document, said)
    } catch (error) {
      failures.push(messageOf(error))
    }
  }
  if (failures.length === 0) return undefined
  throw new FetchError(`the metadata of ${presentable(issuer)} cannot be had: ${failures.join('; ')}`)
}
