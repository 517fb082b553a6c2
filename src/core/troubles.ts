/**
 * What keeps requests from being answered and only the operator can mend, as process warnings, for those who listen to no events:
 * one for each cause, and again once it has worked meanwhile. Places and reasons are few, so that nobody fills a log with requests.
 */
import type { Clock } from './clock.ts'
import { SallyportError } from './errors.ts'
import { warn } from './warnings.ts'

/** See the top of the file. */
export interface Troubles {
  /**
   * Warns, unless that was done.
   *
   * @param place - what does not work, by a name of the configuration
   * @param reason - a stable word
   * @param text - for the operator; no secret, and nothing that a caller has sent
   */
  warn(place: string, reason: string, text: string): void
  /** Whether anything was warned of that has not worked since; ask on hot paths. */
  readonly any: boolean
  /** Something works: the next time that it does not is told again. */
  worked(place: string): void
}

/** What works for one caller and not for another would be told with every request. */
const AGAIN_MS = 60_000

/** None so far. `code` is that of the warnings. */
export function createTroubles(code: string, clock: Clock): Troubles {
  const told = new Map<string, { readonly place: string; readonly at: number; over: boolean }>()
  let open = 0

  return {
    warn(place, reason, text) {
      const cause = JSON.stringify([place, reason])
      const before = told.get(cause)
      const now = clock.now()
      // A clock that is set back does not prolong this.
      const ageMs = before === undefined ? AGAIN_MS : Math.abs(now - before.at)
      if (before?.over === false || ageMs < AGAIN_MS) return
      told.set(cause, { place, at: now, over: false })
      open++
      warn(code, text)
    },
    get any() {
      return open > 0
    },
    worked(place) {
      for (const each of told.values()) {
        if (each.over || each.place !== place) continue
        each.over = true
        open--
      }
    },
  }
}

/** The text of an error of ours, which quotes no caller. Of any other, which may, no more than its kind. */
export function tellable(error: unknown): string {
  if (error instanceof SallyportError) return error.message
  return error instanceof Error ? error.name : 'something else than an error was thrown'
}
