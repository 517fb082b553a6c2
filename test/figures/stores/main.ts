/**
 * The figures of the token stores: `npm run test:stores -- --json`. Real processes,
 * a real authorization server, Redis and PostgreSQL of its own. Fails if anything
 * was lost or redeemed twice; never because something took long.
 *
 * `--only sqlite,redis` measures some stores, `--quick` does less of everything.
 */
import { parseArgs } from 'node:util'
import { messageOf } from '../../../src/core/errors.ts'
import { generateKey } from '../../../src/core/sealing.ts'
import { type AuthServer, startAuthServer } from './auth-server.ts'
import { missingPart, startBackend } from './backends.ts'
import { compileWorker } from './compile.ts'
import { BACKENDS, type BackendName } from './protocol.ts'
import { lineOf } from './report.ts'
import { type Extent, measureStore, type StoreFigures } from './scenarios.ts'

const FULL: Extent = { refreshes: 500, kills: 200, each: 4, speedMs: 1_000 }
const QUICK: Extent = { refreshes: 50, kills: 20, each: 1, speedMs: 300 }

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' } },
})
const wanted = values.only?.split(',') ?? BACKENDS
const unknown = wanted.filter((name) => !BACKENDS.some((backend) => backend === name))
if (unknown.length > 0) throw new Error(`no such store: ${unknown.join(', ')}. There are ${BACKENDS.join(', ')}`)

const problems: string[] = []
const figures: Partial<Record<BackendName, StoreFigures>> = {}
const server = await startAuthServer()
const workerPath = compileWorker()
for (const name of BACKENDS.filter((backend) => wanted.includes(backend))) {
  const missing = missingPart(name)
  if (missing === undefined) await measure(name, server)
  else if (process.env.SALLYPORT_REQUIRE_PARTS === '1')
    problems.push(`${name}: SALLYPORT_REQUIRE_PARTS=1, and missing: ${missing}`)
  else console.log(`${name.padEnd(9)} skipped [missing: ${missing}]`)
}
await server.close()

for (const problem of problems) console.log(`VIOLATED  ${problem}`)
if (values.json) console.log(JSON.stringify({ suite: 'stores', ...figures }))
process.exitCode = problems.length > 0 ? 1 : 0

async function measure(name: BackendName, authServer: AuthServer): Promise<void> {
  const violations: string[] = []
  const backend = await startBackend(name)
  try {
    const lab = { backend, server: authServer, workerPath, sealingKey: generateKey(), violations }
    figures[name] = await measureStore(lab, values.quick ? QUICK : FULL, (scenario, found, ms) => {
      if (found !== undefined) console.log(lineOf(name, scenario, found, ms))
    })
  } catch (error) {
    violations.push(`it broke off: ${messageOf(error)}`)
  } finally {
    await backend.dispose()
  }
  problems.push(...violations.map((violation) => `${name}: ${violation}`))
}
