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
      events[next] = copyOf(event)
      next = (next + 1) % size
    },
    list: () => [...events.slice(next), ...events.slice(0, next)],
  }
}

/** A listener gets the event itself, and may change it: what is remembered stays as it was. By hand, since a request waits for it. */
function copyOf(event: AuditEvent): AuditEvent {
  if (event.type !== 'request') return { ...event }
  const { caller, methods, targets } = event
  return {
    ...event,
    caller: caller && { ...caller, externalIdentities: [...caller.externalIdentities] },
    methods: [...methods],
    targets: targets.map(({ kind, name }) => ({ kind, name })),
  }
}
