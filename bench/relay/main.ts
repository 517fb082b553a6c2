/** The suite: starts the identity provider, takes every figure in turn, prints tables, and the object for machines. */
import { parseArgs } from 'node:util'
import { startServer } from '../lib/child.ts'
import { createSigningKey, publicJwk } from '../lib/tokens.ts'
import type { Suite } from './context.ts'
import { type Findings, forMachines, forPeople } from './report.ts'
import { weighStreams } from './streams.ts'
import { compareWays } from './throughput.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' } },
})
const PARTS = ['fixed', 'sdk', 'streams'] as const
const parts = values.only?.split(',') ?? PARTS
const unknown = parts.filter((part) => !PARTS.some((known) => known === part))
if (unknown.length > 0) {
  console.error(`no part named ${unknown.join(', ')}; there are ${PARTS.join(', ')}`)
  process.exit(2)
}
// With --json, standard output is for the object alone.
const say = values.json ? console.error : console.log

const key = createSigningKey('RS256')
const idp = await startServer(new URL('../lib/idp.js', import.meta.url), [], { keys: [publicJwk(key)] })
const issuer = `http://127.0.0.1:${idp.port}`
const suite: Suite = { key, issuer, jwksUri: `${issuer}/.well-known/jwks.json`, quick: values.quick === true }

const findings: Findings = {}
for (const upstream of ['fixed', 'sdk'] as const) {
  if (parts.includes(upstream))
    await attempt(upstream, async () => {
      Object.assign(findings, { [upstream]: await compareWays(upstream, suite) })
    })
}
if (parts.includes('streams'))
  await attempt('streams', async () => {
    Object.assign(findings, { streams: await weighStreams(suite) })
  })
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
