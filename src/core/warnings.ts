/** Process warnings, in one line each: whatever is in them, they forge no second one, and no caller fills a log with them. */
import { messageOf } from './errors.ts'

const AGAIN_MS = 60_000
const MAX_LENGTH = 1_000

/** What has been told, by whose fault it is. */
const told = new WeakMap<object, { at: number; since: number }>()

/** Warns in one line. */
export function warn(code: string, text: string): void {
  process.emitWarning(oneLine(text), { code })
}

/**
 * Warns of an error of the application's own code, which may come with every request: at most once a minute, and then how often it
 * has come meanwhile.
 *
 * @param culprit - what has thrown it
 */
export function warnOfThrown(culprit: object, code: string, what: string, error: unknown): void {
  const before = told.get(culprit)
  const now = performance.now()
  if (before !== undefined && now - before.at < AGAIN_MS) {
    before.since++
    return
  }
  told.set(culprit, { at: now, since: 0 })
  const more = before === undefined || before.since === 0 ? '' : ` (and ${before.since} times in between)`
  warn(code, `${what} threw${more}: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`)
}

function oneLine(text: string): string {
  const line = text.replace(/\s*[\p{Cc}\p{Zl}\p{Zp}]+\s*/gu, ' ')
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line
}
