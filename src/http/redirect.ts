/** Answers that send a browser elsewhere. */
import type { Reply } from './gate.ts'

/** A redirect that no cache keeps: 302 for a page that comes back later, 303 after something was done. */
export function redirect(status: 302 | 303, location: string, cookies: readonly string[] = []): Reply {
  return {
    status,
    headers: {
      location,
      'cache-control': 'no-store',
      // Neither the code in our own URL nor what the person wanted is for others to read.
      'referrer-policy': 'no-referrer',
      ...(cookies.length === 0 ? {} : { 'set-cookie': cookies }),
    },
    body: '',
  }
}

/** `reply` with `Set-Cookie` lines in front of its own. */
export function withCookies(reply: Reply, cookies: readonly string[]): Reply {
  if (cookies.length === 0) return reply
  const own = [reply.headers?.['set-cookie'] ?? []].flat()
  return { ...reply, headers: { ...reply.headers, 'set-cookie': [...cookies, ...own] } }
}
