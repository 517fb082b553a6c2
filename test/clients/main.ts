/**
 * Real clients in front of a gateway with real MCP servers behind it: `npm run test:clients`. A line for each client and what
 * it does; exits 0 or 1.
 *
 * `--only sdk1,inspector` takes some clients, `--case "missing consent"` the cases with that in their title. Clients that
 * are missing on this machine are skipped by name; with SALLYPORT_REQUIRE_PARTS=1 that is a failure.
 */
import { parseArgs } from 'node:util'
import { createReporter } from '../browser/report.ts'
import { launch } from '../support/browser.ts'
import { callerCases } from './caller-cases.ts'
import type { ClientCase } from './client-case.ts'
import { DIRECT_CASES } from './direct-cases.ts'
import { everythingCases } from './everything-cases.ts'
import { FASTMCP_CASES } from './fastmcp-cases.ts'
import { INSPECTOR_CASES } from './inspector-cases.ts'
import { findParts } from './parts.ts'
import { sdkCases } from './sdk-cases.ts'
import { SDK1_CLIENT } from './sdk1-client.ts'
import { SDK2_CLIENTS } from './sdk2-client.ts'
import { signInCases } from './sign-in-cases.ts'
import { openStage, type Stage } from './stage.ts'
import { virtualCases } from './virtual-cases.ts'
import { chromiumVisitor, formVisitor } from './visitor.ts'

/** Of one case: a hang is a failure, too. */
const CASE_MS = 60_000

const KINDS = [...SDK2_CLIENTS, SDK1_CLIENT]
const ALL: readonly ClientCase[] = [
  ...DIRECT_CASES,
  ...KINDS.flatMap(sdkCases),
  ...signInCases(KINDS),
  ...everythingCases(KINDS),
  ...virtualCases(KINDS),
  ...callerCases(),
  ...FASTMCP_CASES,
  ...INSPECTOR_CASES,
]

const { values } = parseArgs({ options: { only: { type: 'string' }, case: { type: 'string' } } })
const only = values.only?.split(',')
const names = new Set(ALL.map(({ client }) => client))
const unknown = only?.filter((name) => !names.has(name)) ?? []
if (unknown.length > 0) throw new Error(`no such client: ${unknown.join(', ')}. There are ${[...names].join(', ')}`)
const chosen = ALL.filter(
  ({ client, title }) => (only?.includes(client) ?? true) && (values.case === undefined || title.includes(values.case)),
)
process.exitCode = (await runAll(chosen)) ? 0 : 1

async function runAll(cases: readonly ClientCase[]): Promise<boolean> {
  const reporter = createReporter(console.log)
  const required = process.env.SALLYPORT_REQUIRE_PARTS === '1'
  const parts = await findParts(new Set(cases.flatMap(({ needs = [] }) => needs)))
  const browser = parts.chromium === undefined ? undefined : await launch(parts.chromium)
  if (browser === undefined) console.log('[missing: chromium] links are followed by forms alone')
  // Only the fixtures are tried without a gateway.
  const needsStage = cases.some(({ client }) => client !== 'direct')
  const stage = needsStage ? await openStage(parts, browser ? chromiumVisitor(browser) : formVisitor) : undefined
  let skipped = 0
  try {
    for (const each of cases) {
      const missing = (each.needs ?? []).filter((need) => parts[need] === undefined)
      if (missing.length > 0) {
        skipped++
        console.log(`- ${each.client}: ${each.title} [missing: ${missing.join(', ')}]`)
      } else await runOne(each, stage, reporter)
    }
  } finally {
    await stage?.close()
    await browser?.close()
  }
  const lacking = required && (skipped > 0 || browser === undefined)
  if (lacking) console.log('SALLYPORT_REQUIRE_PARTS=1, and parts are missing')
  if (skipped > 0) console.log(`${skipped} skipped`)
  return reporter.finish() && !lacking
}

async function runOne(
  { client, title, run }: ClientCase,
  stage: Stage | undefined,
  reporter: ReturnType<typeof createReporter>,
): Promise<void> {
  const began = performance.now()
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`still not done after ${CASE_MS / 1000} s`)), CASE_MS)
  })
  try {
    await Promise.race([run(stage as Stage), tooLong])
    reporter.passed(client, title, performance.now() - began)
  } catch (error) {
    reporter.failed(client, title, performance.now() - began, error)
  } finally {
    clearTimeout(timer)
  }
}
