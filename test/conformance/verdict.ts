/** What a scenario has found, from the checks that the suite writes down and the way it ended. */
import { stripVTControlCharacters } from 'node:util'

/** An entry of `checks.json`. */
export interface Check {
  readonly id: string
  readonly name?: string
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED'
  readonly description?: string
  readonly timestamp?: string
  readonly errorMessage?: string
  readonly specReferences?: readonly { readonly id: string; readonly url: string }[]
}

/** Whether a scenario has passed, and what there is to say about it. */
export interface Verdict {
  readonly passed: boolean
  /** Checks that were met. */
  readonly met: number
  /** What was not met, and what the suite warns of, a line each. */
  readonly remarks: readonly string[]
}

/** How a run of the suite ended. */
export interface Ended {
  /** `null`: killed. */
  readonly code: number | null
  /** The last of what it wrote. */
  readonly output: string
}

/** What the suite says of a client's end where that matters; it does not of one that was right to give up. */
const CLIENT_FAILED = /CLIENT (?:TIMED OUT|EXITED WITH ERROR)/

/**
 * A scenario has passed if something was met, no MUST was missed, and the client came to its end: no check at all is no success,
 * since some scenarios skip what they cannot try. A SHOULD that was not met is a warning, which does not count against a
 * requirement set (`conformance --requirements`), and is told.
 *
 * @param checks - `undefined` where the suite did not get as far as writing them down
 */
export function judge(checks: readonly Check[] | undefined, { code, output }: Ended): Verdict {
  if (checks === undefined) {
    return { passed: false, met: 0, remarks: [`no checks, exit code ${code}`, ...lastLines(output)] }
  }
  const met = checks.filter(({ status }) => status === 'SUCCESS').length
  const missed = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
  const ended = code !== null && !CLIENT_FAILED.test(output)
  const passed = ended && met > 0 && !missed.some(({ status }) => status === 'FAILURE')
  const remarks = missed.map(
    ({ id, status, description = '', errorMessage = description }) => `${status} ${id}: ${errorMessage}`,
  )
  if (met === 0 && remarks.length === 0) remarks.push('no check was met')
  // Where something was missed, that is why.
  if (!ended) remarks.push(`exit code ${code}`, ...(missed.length === 0 ? lastLines(output) : []))
  return { passed, met, remarks }
}

/** More than enough of what a program has to say about its end. */
const LINES = 20

function lastLines(output: string): string[] {
  return stripVTControlCharacters(output).trimEnd().split('\n').slice(-LINES)
}
