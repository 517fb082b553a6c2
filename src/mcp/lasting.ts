/** Which requests are answered with a stream that stays open while its client listens. */
import type { MessageBody } from './messages.ts'

/** Whether a request listens for whatever a server has to tell: a GET (up to 2025-11-25), `subscriptions/listen` (2026-07-28). */
export function isLasting(method: string, body: MessageBody | undefined): boolean {
  if (method === 'GET') return true
  // The other messages of a batch are calls like any others.
  if (body === undefined || body.batch) return false
  const [message] = body.messages
  return message?.kind === 'request' && message.method === 'subscriptions/listen'
}
