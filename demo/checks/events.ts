/** Every decision is told, with its reason, and without secrets. */
import type { Decision, KeyReport, LoginEvent } from 'sallyport'
import { PASSWORDS } from '../guard.ts'
import { PASSWORD } from '../people.ts'
import { say, styled } from '../print.ts'
import type { Chapter } from './stage.ts'

const REASONS = [
  'authenticated',
  'claim',
  'audience',
  'expired',
  'keys_unavailable',
  'not_exposed',
  'ambiguous_target',
  'login',
]

export const events: Chapter = async ({ demo, walk, tokens, browsers, decisions, keyReports, logins }) => {
  walk.chapter("-   Everything is told: guard.on('decision', …), guard.on('keys', …) and guard.on('login', …)")
  const requests = demo.targets.reduce((sum, target) => sum + target.requests, 0)
  await walk.once('-', `decisions for ${requests} requests`, String(requests), () => String(decisions.length))
  for (const reason of REASONS) {
    const example = decisions.find((decision) => decision.reason === reason)
    await walk.once('-', 'a decision with the reason', reason, () => String(example?.reason))
    if (example !== undefined) say(`           ${describeDecision(example)}`)
  }
  for (const kind of ['signed_in', 'failed', 'refreshed', 'signed_out', 'ended'] as const) {
    const example = logins.findLast((event) => event.kind === kind)
    await walk.once('-', 'an event of the login', kind, () => String(example?.kind))
    if (example !== undefined) say(`           ${describeLogin(example)}`)
  }
  await walk.once('-', 'tokens, passwords, cookies and codes in all of that', '0', () => {
    const cookies = browsers.flatMap((browser) => [...browser.secrets])
    const secrets = [...Object.values(tokens).map(({ jwt }) => jwt), ...PASSWORDS, PASSWORD, ...cookies]
    const text = JSON.stringify([decisions.map((decision) => ({ ...decision, outcome: null })), logins])
    return String(secrets.filter((secret) => text.includes(secret)).length)
  })
  const reportsOf = (name: string) =>
    keyReports
      .filter(({ server, report }) => server === name && report.source === demo.branch.issuer)
      .map(({ report }) => report)
      .slice(0, 2)
  await walk.onEach(
    '-',
    'the first key fetches since the second identity provider fell over',
    'failed, loaded',
    async ({ name }) =>
      reportsOf(name)
        .map(({ kind }) => kind)
        .join(', '),
  )
  for (const report of reportsOf(demo.targets[0]?.name ?? '')) say(`           ${describeKeys(report)}`)
}

/** A step of somebody's sign-in or session, in one line. */
export function describeLogin({ kind, integration, reason, detail, subject }: LoginEvent): string {
  const why = [integration, subject, reason, detail].filter((part) => part !== null)
  return styled('dim', `login: ${kind} (${why.join('; ')})`)
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
