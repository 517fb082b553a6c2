/**
 * Ids of requests that cross a virtual server. Towards a member a client's id becomes a text of ours, so that two clients never
 * share one; towards a client a member's id gets the member in front, so that the response finds its way back on any replica (B7).
 */
import { randomUUID } from 'node:crypto'
import type { RequestId } from './messages.ts'

/** The id at the member of a request of a client with a session: the same each time, so that it can be cancelled from anywhere. */
export function memberIdOf(id: RequestId): string {
  return `client:${JSON.stringify(id)}`
}

/** An id at a member for what nobody else has to find again. */
export function ownId(): string {
  return `gateway:${randomUUID()}`
}

/** The id at the client of a request of a member. */
export function clientIdOf(member: string, id: RequestId): string {
  return `${member}:${JSON.stringify(id)}`
}

/** The member and the id there that {@link clientIdOf} was made of. */
export function memberIdIn(id: RequestId | undefined): { readonly member: string; readonly id: RequestId } | undefined {
  if (typeof id !== 'string') return undefined
  const colon = id.indexOf(':')
  if (colon === -1) return undefined
  try {
    const inner: unknown = JSON.parse(id.slice(colon + 1))
    const isId = typeof inner === 'string' || Number.isSafeInteger(inner)
    return isId ? { member: id.slice(0, colon), id: inner as RequestId } : undefined
  } catch {
    return undefined
  }
}

/** The client's id that {@link memberIdOf} was made of. */
export function clientIdIn(id: unknown): RequestId | undefined {
  return typeof id === 'string' && id.startsWith('client:') ? memberIdIn(id)?.id : undefined
}
