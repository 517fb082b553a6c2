/**
 * The official conformance suite on a gateway: `npm run conformance`. A line for each scenario; on the last line one object with
 * the counts; exits 0 or 1.
 *
 * `--only plain,2026-07-28,caching` takes forms (`fixture`, `plain`, …, `client`, `authorization`), revisions and scenarios by name.
 * What is missing on this machine is skipped by name; with SALLYPORT_REQUIRE_PARTS=1 that is a failure. The scenarios on inbound
 * authorization are our own and need nothing.
 */
import { parseArgs } from 'node:util'
import { AUTHORIZATION_SCENARIOS } from './authorization/all.ts'
import { startGatewayTarget } from './authorization/gateway-target.ts'
import { ADAPTER_COMMAND } from './client/command.ts'
import { LEFT_OUT } from './left-out.ts'
import { choose, NOTHING, planTries, REVISIONS, type Requirements, type Try } from './plan.ts'
import { SERVER_FORMS, type ServerForm } from './server-forms.ts'
import { findSuite, type ScenarioRun, SUITE_PART, type Suite } from './suite.ts'
import { createTally } from './tally.ts'
import { judge } from './verdict.ts'

/** Clients are processes of their own, and most of their time they start. */
const CLIENTS_AT_ONCE = 2

const { values } = parseArgs({ options: { only: { type: 'string' } } })
const tally = createTally(console.log)
const suite = await findSuite((why) => console.log(why))
const requirements = suite === undefined ? NOTHING : await requirementsOf(suite)
const planned = planTries(requirements, SERVER_FORMS, AUTHORIZATION_SCENARIOS, suite === undefined ? [] : LEFT_OUT)
const tries = values.only === undefined ? planned : choose(planned, values.only.split(','))
await tryAuthorization(tries.filter(({ side }) => side === 'authorization'))
if (suite === undefined) tally.missing(SUITE_PART)
else {
  for (const form of SERVER_FORMS) await tryServer(suite, form, tries)
  await tryClient(
    suite,
    tries.filter(({ side }) => side === 'client'),
  )
}
const isWhole = suite !== undefined || process.env.SALLYPORT_REQUIRE_PARTS !== '1'
process.exitCode = tally.finish() && isWhole ? 0 : 1

async function requirementsOf(found: Suite): Promise<Requirements> {
  const [modern, legacy] = await Promise.all([found.required('2026-07-28'), found.required('2025-11-25')])
  return { '2026-07-28': modern, '2025-11-25': legacy }
}

async function tryServer(found: Suite, form: ServerForm, all: readonly Try[]): Promise<void> {
  const mine = all.filter((each) => each.side === 'server' && each.form === form.name)
  if (mine.length === 0) return
  const { url, close } = await form.start()
  for (const revision of REVISIONS) {
    const ofRevision = mine.filter((each) => each.revision === revision)
    if (ofRevision.length === 0) continue
    const wanted = planned.filter((each) => each.form === form.name && each.revision === revision)
    const began = performance.now()
    // One process for all of them saves as many starts.
    const verdicts = wanted.length === ofRevision.length ? await found.runServer(url, revision) : undefined
    const share = (performance.now() - began) / ofRevision.length
    for (const each of ofRevision) {
      if (verdicts === undefined) await tryOne(found, each, { url })
      else if (each.leftOut !== undefined) tally.leftOut(each)
      else tally.tried(each, verdicts.get(each.scenario) ?? judge(undefined, { code: null, output: '' }), share)
    }
  }
  await close()
}

async function tryClient(found: Suite, mine: readonly Try[]): Promise<void> {
  const left = mine.values()
  const work = async () => {
    for (const each of left) await tryOne(found, each, { command: ADAPTER_COMMAND })
  }
  await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, work))
}

async function tryAuthorization(mine: readonly Try[]): Promise<void> {
  if (mine.length === 0) return
  const target = await startGatewayTarget()
  for (const each of mine) {
    const began = performance.now()
    const scenario = AUTHORIZATION_SCENARIOS.find(({ name }) => name === each.scenario)
    const checks = await scenario?.run(target, each.revision)
    tally.tried(each, judge(checks, { code: 0, output: '' }), performance.now() - began)
  }
  await target.close()
}

async function tryOne(found: Suite, each: Try, on: ScenarioRun['on']): Promise<void> {
  if (each.leftOut !== undefined) return tally.leftOut(each)
  const began = performance.now()
  const { scenario, revision } = each
  tally.tried(each, await found.run({ scenario, revision, on }), performance.now() - began)
}
