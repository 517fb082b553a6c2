/**
 * The gateway's own metadata as an OAuth client, which authorization servers fetch (Client ID Metadata Document): its URL is the
 * client id, so that nobody has to register anything.
 */
import type { Reply } from '../../http/gate.ts'
import { clientMetadata, isDocumentUrl } from '../../oauth/client-metadata.ts'

/** What people read at authorization servers, beside the host. */
export const CLIENT_NAME = 'sallyport MCP gateway'
/** Where the document is. */
export const DOCUMENT_PATH = '/oauth2/client.json'

/** The client id at `origin`; `undefined` where nobody could fetch it. */
export function documentUrl(origin: string): string | undefined {
  const url = `${origin}${DOCUMENT_PATH}`
  return isDocumentUrl(url) ? url : undefined
}

/**
 * The document. It has one redirect URI, for all authorization servers alike: its client is a public one, and whoever knows the URL
 * can name it at any of them. Answers that come there count only with the `iss` of the server that was asked (RFC 9207).
 */
export function clientDocument(origin: string, redirectUri: string): Reply {
  const client = {
    name: CLIENT_NAME,
    url: origin,
    redirectUris: [redirectUri],
    refresh: true,
    authentication: 'none',
  } as const
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'public, max-age=3600',
      'x-content-type-options': 'nosniff',
    },
    body: JSON.stringify({ client_id: documentUrl(origin), ...clientMetadata(client) }),
  }
}
