/** The latest events, in the memory of this process: for a page, not for the record. */
import type { AuditEvent } from './audit-event.ts'

/** See the top of the file. */
export interface RecentAudit {
  add(event: AuditEvent): void
  /** Oldest first. */
  list(): readonly AuditEvent[]
}

/** Remembers the last `size` events; `undefined` for none. */
export function createRecentAudit(size: number): RecentAudit | undefined {
  if (size === 0) return undefined
  const events: AuditEvent[] = []
  /** Where the next one goes, once all places are taken. */
  let next = 0
  return {
    add(event) {
      events[next] = event
      next = (next + 1) % size
    },
    list: () => [...events.slice(next), ...events.slice(0, next)],
  }
}
