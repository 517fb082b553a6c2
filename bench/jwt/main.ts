/** The suite: starts the identity provider, takes every figure in turn, prints tables, and the object for machines. */
import { parseArgs } from 'node:util'
import { runJob, startServer } from '../lib/child.ts'
import { createSigningKey, publicJwk } from '../lib/tokens.ts'
import type { Context } from './context.ts'
import { type Findings, forMachines, forPeople } from './report.ts'
import { compareFramework, FRAMEWORKS } from './throughput.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' } },
})
const JOBS = ['added', 'cold', 'routes', 'cache', 'flood'] as const
const parts = new Set<string>(values.only?.split(',') ?? [...FRAMEWORKS, ...JOBS])
// With --json, standard output is for the object alone.
const say = values.json ? console.error : console.log

const rs256 = createSigningKey('RS256')
const es256 = createSigningKey('ES256')
const idp = await startServer(new URL('../lib/idp.js', import.meta.url), [], {
  keys: [publicJwk(rs256), publicJwk(es256)],
})
const issuer = `http://127.0.0.1:${idp.port}`
const context: Context = {
  issuer,
  jwksUri: `${issuer}/.well-known/jwks.json`,
  rs256,
  es256,
  quick: values.quick === true,
}

const findings: Findings = { comparisons: [] }
for (const framework of FRAMEWORKS) {
  if (parts.has(framework))
    await attempt(framework, async () => {
      findings.comparisons.push(...(await compareFramework(framework, context)))
    })
}
for (const job of JOBS) {
  if (parts.has(job))
    await attempt(job, async () => {
      Object.assign(findings, { [job]: await runJob(new URL(`./inprocess/${job}.js`, import.meta.url), context) })
    })
}
await idp.stop()

say(forPeople(findings))
if (values.json) console.log(JSON.stringify(forMachines(findings)))

/** Figures never fail the run; a wrong answer does, after the other parts have had their turn. */
async function attempt(part: string, take: () => Promise<void>): Promise<void> {
  const start = performance.now()
  try {
    await take()
    console.error(`${part}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
  } catch (error) {
    console.error(`${part}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
