/**
 * `npm run demo`: an identity provider and a protected service on each of four servers, a walk through the contract,
 * and everything stays up until Ctrl-C. `npm run demo -- --once` stops after the walk and exits 0 or 1.
 */
import { parseArgs } from 'node:util'
import type { Decision, KeyReport } from 'sallyport'
import { claims } from './checks/claims.ts'
import { domains } from './checks/domains.ts'
import { describeDecision, describeKeys, events } from './checks/events.ts'
import { exposure } from './checks/exposure.ts'
import { outage } from './checks/outage.ts'
import { basic, secrets } from './checks/passwords.ts'
import { hosts, paths } from './checks/routing.ts'
import { endpoints, manyServices, webSockets } from './checks/services.ts'
import type { Chapter } from './checks/stage.ts'
import { accessTokens, jwtSource, noCredentials } from './checks/tokens.ts'
import { printCurlLines } from './curl.ts'
import { say, styled, table, title } from './print.ts'
import { type Demo, startDemo } from './servers.ts'
import { type DemoTokens, getTokens } from './tokens.ts'
import { createWalk, explainWalk } from './walk.ts'

const CHAPTERS: readonly Chapter[] = [
  hosts,
  paths,
  exposure,
  domains,
  basic,
  accessTokens,
  outage,
  jwtSource,
  claims,
  noCredentials,
  secrets,
  manyServices,
  endpoints,
  webSockets,
  events,
]

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false } } })
const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort())

const demo = await startDemo({ anyPorts: options.once })
try {
  const tokens = await getTokens(demo.corp.issuer)
  printServers(demo)
  if (!options.once) printCurlLines(demo, tokens)
  const failures = await walkThrough(demo, tokens)
  if (options.once) process.exitCode = failures === 0 ? 0 : 1
  else await stayUp(demo)
} catch (error) {
  if (!interrupt.signal.aborted) throw error
  if (options.once) process.exitCode = 1
} finally {
  await demo.close()
}

function printServers({ targets, corp, branch, guard }: Demo): void {
  title('What runs where')
  table(
    ['what', 'where', ''],
    [
      ['identity provider', corp.issuer, 'oidc-provider, with the test accounts alice, bob and mallory'],
      ['another one', branch.issuer, 'switched off and on during the walk'],
      ...targets.map(({ name, url }) => [name, url, `behind one guard of ${guard.endpoints().length} routes`]),
    ],
  )
}

/** Runs the chapters; the number of checks that did not match. */
async function walkThrough(demo: Demo, tokens: DemoTokens): Promise<number> {
  const walk = createWalk(demo.targets, interrupt.signal)
  const decisions: Decision[] = []
  const keyReports: KeyReport[] = []
  const stopListening = demo.guard.on('decision', (decision) => decisions.push(decision))
  const stopListeningToKeys = demo.guard.on('keys', (report) => keyReports.push(report))
  title('The walk')
  explainWalk(demo.targets)
  for (const chapter of CHAPTERS) await chapter({ demo, walk, tokens, decisions, keyReports })
  stopListening()
  stopListeningToKeys()

  const { passed, failures } = walk
  if (failures.length > 0) title('What did not match')
  for (const failure of failures) say(styled('red', failure))
  say(`\n${passed} passed, ${failures.length} failed`)
  return failures.length
}

/** Shows decisions as they are made, until somebody presses Ctrl-C. */
async function stayUp({ guard }: Demo): Promise<void> {
  say('\nEverything stays up until Ctrl-C; the curl lines above work until then. Decisions, as they are made:')
  const interrupted = new Promise((resolve) => interrupt.signal.addEventListener('abort', resolve))
  guard.on('decision', (decision) => say(describeDecision(decision)))
  guard.on('keys', (report) => say(describeKeys(report)))
  if (!interrupt.signal.aborted) await interrupted
  say('\nBye.')
}
