/** The answers that a gate gives itself, as problem details (RFC 9457). */
import { STATUS_CODES } from 'node:http'
import type { Reply, ReplyHeaders } from './gate.ts'

/**
 * An answer of `status` with a small JSON body (`application/problem+json`) that says no more than the status does,
 * plus `detail` where it helps the client. Never stored by caches.
 */
export function problem(status: number, headers: ReplyHeaders = {}, detail?: string): Reply {
  return {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail }),
  }
}
