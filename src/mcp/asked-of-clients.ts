/** What servers ask of clients in the middle of calls, and which clients can be asked: by what they have declared. Pure. */
import { isJsonObject, type JsonObject } from './messages.ts'

/**
 * Whether a client that has declared `capabilities` may be asked this. `elicitation: {}` means forms only (2025-11-25 and later,
 * Elicitation).
 */
export function mayBeAsked(capabilities: JsonObject, method: string, params: unknown): boolean {
  switch (method) {
    case 'elicitation/create': {
      const { elicitation } = capabilities
      if (!isJsonObject(elicitation)) return false
      const isUrl = isJsonObject(params) && params.mode === 'url'
      return isUrl ? isJsonObject(elicitation.url) : isJsonObject(elicitation.form) || elicitation.url === undefined
    }
    case 'sampling/createMessage':
      return isJsonObject(capabilities.sampling)
    case 'roots/list':
      return isJsonObject(capabilities.roots)
    default:
      return false
  }
}

/** What a client would have to declare to be asked this; `undefined` for what no client is asked. */
export function neededFor(method: string, params: unknown): JsonObject | undefined {
  switch (method) {
    case 'elicitation/create':
      return { elicitation: isJsonObject(params) && params.mode === 'url' ? { url: {} } : {} }
    case 'sampling/createMessage':
      return { sampling: {} }
    case 'roots/list':
      return { roots: {} }
    default:
      return undefined
  }
}

/** Levels of `notifications/message`, the least urgent first (RFC 5424 §6.2.1). */
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

/** Whether `level` is one of those. */
export function isLogLevel(level: unknown): level is string {
  return typeof level === 'string' && LEVELS.includes(level)
}

/** Whether a client that has asked for `wanted` is told of something of `level`; of a level that nobody knows it is. */
export function isLoggedAt(level: unknown, wanted: unknown): boolean {
  if (!isLogLevel(wanted)) return false
  return !isLogLevel(level) || LEVELS.indexOf(level) >= LEVELS.indexOf(wanted)
}
