/** How long an answer may be kept that hangs on a cookie. */
import type { GateRequest, ReplyHeaders } from './gate.ts'
import { kindOfRequest } from './navigation.ts'

/** For scripts, and for pages. */
const PRIVATE: ReplyHeaders = { 'cache-control': 'private' }
const NOT_AT_ALL: ReplyHeaders = { 'cache-control': 'no-store' }

/**
 * How an answer to somebody let in by a cookie may be kept, unless the application says so itself. A cookie does not keep
 * shared caches off, as `Authorization` does (RFC 9111 §3.5), and the back button shows a page that the browser has kept,
 * from its cache or as it was left, also after signing out. Where a cookie goes along, the writer makes the field private.
 */
export function keeping(request: GateRequest): ReplyHeaders {
  return kindOfRequest(request) === 'script' ? PRIVATE : NOT_AT_ALL
}
