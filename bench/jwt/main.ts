/** The suite: starts the identity provider, takes every figure in turn, prints tables, and the object for machines. */
import { runJob } from '../lib/child.ts'
import { startIssuer } from '../lib/issuer.ts'
import { openSuite } from '../lib/suite.ts'
import { createSigningKey } from '../lib/tokens.ts'
import type { Context } from './context.ts'
import { type Findings, forMachines, forPeople } from './report.ts'
import { compareFramework, FRAMEWORKS } from './throughput.ts'

const JOBS = ['added', 'cold', 'routes', 'cache', 'flood'] as const
const { quick, attempt, report } = openSuite([...FRAMEWORKS, ...JOBS])

const rs256 = createSigningKey('RS256')
const es256 = createSigningKey('ES256')
const { stop, ...issuer } = await startIssuer([rs256, es256])
const context: Context = { ...issuer, rs256, es256, quick }

const findings: Findings = { comparisons: [] }
for (const framework of FRAMEWORKS) {
  await attempt(framework, async () => {
    findings.comparisons.push(...(await compareFramework(framework, context)))
  })
}
for (const job of JOBS) {
  await attempt(job, async () => {
    Object.assign(findings, { [job]: await runJob(new URL(`./inprocess/${job}.js`, import.meta.url), context) })
  })
}
await stop()
report(forPeople(findings), forMachines(findings))
