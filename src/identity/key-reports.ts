/** What became of fetching identity providers' keys: told to listeners, and kept for whoever asks why something does not work. */
import type { Emitter } from '../core/events.ts'
import { warn } from '../core/warnings.ts'
import type { KeyReport } from './integrations.ts'

/** See the top of the file. */
export interface KeyReports {
  report(event: KeyReport): void
  /** The sources that cannot be had at present, and why. */
  failures(): string[]
}

/** Where nobody listens, the first failure of a series becomes a process warning. */
export function createKeyReports(emitter: Emitter<{ keys: KeyReport }>): KeyReports {
  const failing = new Map<string, string>()
  return {
    report(event) {
      emitter.emit('keys', event)
      if (event.kind === 'loaded') {
        failing.delete(event.source)
        return
      }
      if (!failing.has(event.source) && !emitter.heard('keys')) {
        warn('SALLYPORT_KEYS', `the keys of ${event.source} cannot be fetched: ${event.reason}`)
      }
      failing.set(event.source, event.reason)
    },
    failures: () => [...failing].map(([source, reason]) => `keys of ${source}: ${reason}`),
  }
}
