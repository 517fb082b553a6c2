/** Every decision is told, with its reason, and without secrets. */
import type { Decision, KeyReport } from 'sallyport'
import { PASSWORDS } from '../guard.ts'
import { say, styled } from '../print.ts'
import type { Chapter } from './stage.ts'

const REASONS = ['authenticated', 'claim', 'audience', 'expired', 'keys_unavailable', 'not_exposed', 'ambiguous_target']

export const events: Chapter = async ({ demo, walk, tokens, decisions, keyReports }) => {
  walk.chapter("-   Everything is told: guard.on('decision', …) and guard.on('keys', …)")
  await walk.once('-', `decisions for ${walk.requests} requests`, String(walk.requests), () => String(decisions.length))
  for (const reason of REASONS) {
    const example = decisions.find((decision) => decision.reason === reason)
    await walk.once('-', 'a decision with the reason', reason, () => String(example?.reason))
    if (example !== undefined) say(`           ${describeDecision(example)}`)
  }
  await walk.once('-', 'tokens and passwords in all the decisions', '0', () => {
    const secrets = [...Object.values(tokens).map(({ jwt }) => jwt), ...PASSWORDS]
    const text = JSON.stringify(decisions.map((decision) => ({ ...decision, outcome: null })))
    return String(secrets.filter((secret) => text.includes(secret)).length)
  })
  const ofBranch = keyReports.filter(({ source }) => source === demo.branch.issuer)
  const firstTwo = ofBranch.slice(0, 2)
  await walk.once('-', 'the first key fetches since the second identity provider fell over', 'failed, loaded', () =>
    firstTwo.map(({ kind }) => kind).join(', '),
  )
  for (const report of firstTwo) say(`           ${describeKeys(report)}`)
}

/** A decision in one line. */
export function describeDecision(decision: Decision): string {
  const { kind, method, host, path, route, outcome, status, reason, detail, subject } = decision
  const what = `${kind === 'upgrade' ? 'upgrade ' : ''}${method} ${`${host}${path}` || '(a target without a normal form)'}`
  const why = [route === null ? 'no route' : `route ${route}`, subject, reason, detail].filter((part) => part !== null)
  return styled('dim', `${what} → ${status ?? outcome} (${why.join('; ')})`)
}

/** What came of fetching keys, in one line. */
export function describeKeys(report: KeyReport): string {
  const what =
    report.kind === 'loaded'
      ? `${report.keys} loaded, ${report.refused.length} refused`
      : `${report.reason}; next try in ${(report.retryInMs / 1000).toFixed(1)} s`
  return styled('dim', `keys of ${report.source}: ${what}`)
}
