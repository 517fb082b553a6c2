/** The suite: starts the identity provider, takes every figure in turn, prints tables, and the object for machines. */
import { startIssuer } from '../lib/issuer.ts'
import { openSuite } from '../lib/suite.ts'
import { createSigningKey } from '../lib/tokens.ts'
import type { Suite } from './context.ts'
import { type Findings, forMachines, forPeople } from './report.ts'
import { weighStreams } from './streams.ts'
import { compareWays } from './throughput.ts'
import { measureVirtual } from './virtual.ts'

const { quick, attempt, report } = openSuite(['fixed', 'sdk', 'streams', 'virtual'])

const key = createSigningKey('RS256')
const { stop, ...issuer } = await startIssuer([key])
const suite: Suite = { ...issuer, key, quick }

const findings: Findings = {}
for (const upstream of ['fixed', 'sdk'] as const) {
  await attempt(upstream, async () => {
    Object.assign(findings, { [upstream]: await compareWays(upstream, suite) })
  })
}
await attempt('streams', async () => {
  Object.assign(findings, { streams: await weighStreams(suite) })
})
await attempt('virtual', async () => {
  Object.assign(findings, { virtual: await measureVirtual(suite) })
})
await stop()
report(forPeople(findings), forMachines(findings))
