/** Says how it went: a line for each scenario, what was not met below it, and the counts on the last line. */
import { FIXTURE, REVISIONS, type Revision, type Try } from './plan.ts'
import type { Verdict } from './verdict.ts'

/** Scenarios, not checks: a scenario passes as a whole. */
export interface Counts {
  passed: number
  failed: number
  leftOut?: number
  /** Server forms apart. */
  forms?: Record<string, { passed: number; failed: number }>
}

/** See the top of the file. */
export interface Tally {
  tried(each: Try, verdict: Verdict, ms: number): void
  leftOut(each: Try): void
  /** A part without which nothing of the suite can be tried. */
  missing(part: string): void
  /** The last line; whether all that counts has passed, and anything was tried. */
  finish(): boolean
}

/** Writes with `say`. */
export function createTally(say: (line: string) => void): Tally {
  const empty = () => Object.fromEntries(REVISIONS.map((revision) => [revision, { passed: 0, failed: 0 }]))
  const counts = { server: empty(), client: empty(), authorization: empty() } as Record<
    Try['side'],
    Record<Revision, Counts>
  >
  let count = 0
  let skipped: string | undefined
  const named = ({ form, revision, scenario }: Try) => `${form} ${revision} ${scenario}`

  return {
    tried(each, { passed, met, remarks }, ms) {
      count++
      const { side, form, revision, unscored } = each
      const note = unscored === undefined ? '' : ` [not counted: ${unscored}]`
      say(
        `${passed ? '✓' : unscored === undefined ? '✗' : '·'} ${named(each)}${note}: ${met} checks (${(ms / 1_000).toFixed(1)} s)`,
      )
      for (const remark of remarks) say(`    ${remark}`)
      if (unscored !== undefined) return
      const outcome = passed ? 'passed' : 'failed'
      const total = counts[side][revision]
      total[outcome]++
      if (side !== 'server') return
      const ofForm = total.forms?.[form] ?? { passed: 0, failed: 0 }
      ofForm[outcome]++
      total.forms = { ...total.forms, [form]: ofForm }
    },
    leftOut(each) {
      say(`- ${named(each)} [left out: ${each.leftOut}]`)
      if (each.unscored === FIXTURE) return
      const total = counts[each.side][each.revision]
      total.leftOut = (total.leftOut ?? 0) + 1
    },
    missing(part) {
      skipped = part
      say(`- the suite [missing: ${part}]`)
    },
    finish() {
      say(JSON.stringify({ suite: 'conformance', ...counts, ...(skipped === undefined ? {} : { skipped }) }))
      const all = Object.values(counts).flatMap((side) => Object.values(side))
      return count > 0 && all.every(({ failed }) => failed === 0)
    },
  }
}
