/**
 * Where authorization servers send people back to: a path of its own for each of them, so that none can pass off another's
 * answer as its own (mix-up, RFC 9700 §4.4).
 */
import { createHash } from 'node:crypto'
import type { OAuth2UpstreamAuth } from '../upstream-auth.ts'

/** The path of a server's callback: `/oauth2/callback/github.com-1f0c92ab`, or the configured one. */
export function callbackPathOf(auth: OAuth2UpstreamAuth, base: string): string {
  if (auth.callbackPath !== undefined) return auth.callbackPath
  const { hostname } = new URL(auth.issuer ?? auth.authorizationUrl ?? '')
  const id = createHash('sha256').update(authorizationServerOf(auth)).digest('hex').slice(0, 8)
  return `${base}/${hostname.replace(/[^a-z0-9.-]/g, '')}-${id}`
}

/** Behind the base, the callback of the client that is our own metadata document: the same for all authorization servers. */
export const DOCUMENT_PART = 'client'

/** What {@link callbackPathOf} puts behind the base. */
const OWN_PART = /^[a-z0-9.-]*-[0-9a-f]{8}$/

/** Whether a path of `base` is a callback, of whichever authorization server. */
export function isOwnCallbackPath(path: string, base: string): boolean {
  const part = path.startsWith(`${base}/`) ? path.slice(base.length + 1) : ''
  return part === DOCUMENT_PART || OWN_PART.test(part)
}

/** Tells authorization servers apart. */
export function authorizationServerOf({ issuer, authorizationUrl, tokenUrl }: OAuth2UpstreamAuth): string {
  return issuer ?? JSON.stringify([authorizationUrl, tokenUrl])
}
