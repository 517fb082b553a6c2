/**
 * Cross-site request forgery: a browser attaches cookies to requests that other
 * sites start. Where a cookie is the credential, requests that change something,
 * and WebSocket upgrades, must come from our own origin. Sibling subdomains are
 * same-site, so `SameSite` alone does not stop them.
 */
import type { GateRequest } from './gate.ts'

/** RFC 9110 §9.2.1 */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Whether a request with a cookie as its credential must prove its origin. */
export function needsSameOrigin(request: GateRequest): boolean {
  return request.kind === 'upgrade' || !SAFE_METHODS.has(request.method)
}

/**
 * Whether the browser says that the request comes from `origin` (scheme, host and port as the client sees them):
 * `Origin` where it is sent, else `Sec-Fetch-Site` (Fetch Metadata), which scripts cannot set. Neither counts as no. With
 * `Referrer-Policy: no-referrer` browsers send `Origin: null` with forms of our own as well; a sandboxed frame is `cross-site`.
 */
export function isSameOrigin(request: GateRequest, origin: string | null): boolean {
  const claimed = request.headers.origin
  if (claimed !== undefined && claimed !== 'null') return origin !== null && claimed.toLowerCase() === origin
  return request.headers['sec-fetch-site'] === 'same-origin'
}
