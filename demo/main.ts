/**
 * `npm run demo`: an identity provider and a protected service on each of four servers, a walk through the contract,
 * and everything stays up until Ctrl-C. `npm run demo -- --once` stops after the walk and exits 0 or 1.
 */
import { parseArgs } from 'node:util'
import type { Decision, LoginEvent } from 'sallyport'
import { type Browser, createBrowser } from './browser.ts'
import { claims } from './checks/claims.ts'
import { domains } from './checks/domains.ts'
import { describeDecision, describeKeys, describeLogin, events } from './checks/events.ts'
import { exposure } from './checks/exposure.ts'
import { signingIn, signingOut } from './checks/login.ts'
import { outage, sessionOutage } from './checks/outage.ts'
import { basic, secrets } from './checks/passwords.ts'
import { hosts, paths } from './checks/routing.ts'
import { endpoints, manyServices, webSockets } from './checks/services.ts'
import type { Chapter, Stage } from './checks/stage.ts'
import { accessTokens, jwtSource, noCredentials } from './checks/tokens.ts'
import { printCurlLines } from './curl.ts'
import { PASSWORD, PEOPLE } from './people.ts'
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
  signingIn,
  signingOut,
  sessionOutage,
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

function printServers({ targets, corp, branch }: Demo): void {
  title('What runs where')
  table(
    ['what', 'where', ''],
    [
      ['identity provider', corp.issuer, 'Corp, an oidc-provider'],
      ['another one', branch.issuer, 'Branch, switched off and on during the walk'],
      ...targets.map(({ name, url, guard }) => [name, url, `behind a guard of ${guard.endpoints().length} routes`]),
    ],
  )

  title('Sign in')
  say(`  as ${Object.keys(PEOPLE).join(', ')}; the password of each is ${PASSWORD}`)
  const pages: Record<string, string> = { corp: '/app/', 'branch-id': '/me/' }
  table(
    ['page', 'at', 'redirect URL, as guard.redirectUrls() reports it for registration there'],
    targets.flatMap(({ url, guard }) =>
      guard.redirectUrls().map(({ integration, callback }) => [`${url}${pages[integration]}`, integration, callback]),
    ),
  )
}

/** Runs the chapters; the number of checks that did not match. */
async function walkThrough(demo: Demo, tokens: DemoTokens): Promise<number> {
  const walk = createWalk(demo.targets, interrupt.signal)
  const browsers: Browser[] = []
  const decisions: Decision[] = []
  const keyReports: Stage['keyReports'][number][] = []
  const logins: LoginEvent[] = []
  const listening = demo.targets.flatMap(({ name, guard }) => [
    guard.on('decision', (decision) => decisions.push(decision)),
    guard.on('keys', (report) => keyReports.push({ server: name, report })),
    guard.on('login', (event) => logins.push(event)),
  ])
  const newBrowser = () => {
    const browser = createBrowser()
    browsers.push(browser)
    return browser
  }
  title('The walk')
  explainWalk(demo.targets)
  for (const chapter of CHAPTERS) {
    await chapter({ demo, walk, tokens, newBrowser, browsers, decisions, keyReports, logins })
  }
  for (const stopListening of listening) stopListening()

  const { passed, failures } = walk
  if (failures.length > 0) title('What did not match')
  for (const failure of failures) say(styled('red', failure))
  say(`\n${passed} passed, ${failures.length} failed`)
  return failures.length
}

/** Shows what happens, as it happens, until somebody presses Ctrl-C. */
async function stayUp({ targets }: Demo): Promise<void> {
  say('\nEverything stays up until Ctrl-C; the curl lines above work until then. Pages to sign in to:')
  for (const { url } of targets) say(`  ${url}/app/`)
  say(`  as ${Object.keys(PEOPLE).join(', ')}, with the password ${PASSWORD}`)
  say('What the guards tell:')
  const interrupted = new Promise((resolve) => interrupt.signal.addEventListener('abort', resolve))
  for (const { guard } of targets) {
    guard.on('decision', (decision) => say(describeDecision(decision)))
    guard.on('keys', (report) => say(describeKeys(report)))
    guard.on('login', (event) => say(describeLogin(event)))
  }
  if (!interrupt.signal.aborted) await interrupted
  say('\nBye.')
}
