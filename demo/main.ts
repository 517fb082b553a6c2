/**
 * `npm run demo`: identity providers, a protected service and an MCP gateway on each of four servers, MCP servers behind
 * the gateways, a walk through the contract, and everything stays up until Ctrl-C. `npm run demo -- --once` stops after the
 * walk and exits 0 or 1.
 */
import { parseArgs } from 'node:util'
import type { Decision, LoginEvent } from 'sallyport'
import { type Browser, createBrowser } from './browser.ts'
import { claims } from './checks/claims.ts'
import { domains } from './checks/domains.ts'
import { describeDecision, describeKeys, describeLogin, events } from './checks/events.ts'
import { exposure } from './checks/exposure.ts'
import { access } from './checks/gateway-access.ts'
import { audit, describeAudit } from './checks/gateway-audit.ts'
import { callers } from './checks/gateway-callers.ts'
import { changes } from './checks/gateway-changes.ts'
import { consent, revoking } from './checks/gateway-consent.ts'
import { customers } from './checks/gateway-customers.ts'
import { discovery } from './checks/gateway-discovery.ts'
import { sharedHeader } from './checks/gateway-header.ts'
import { pages } from './checks/gateway-pages.ts'
import { passthrough } from './checks/gateway-passthrough.ts'
import { refreshing } from './checks/gateway-refresh.ts'
import { restart } from './checks/gateway-restart.ts'
import { virtualServers } from './checks/gateway-virtual.ts'
import { signingIn, signingOut } from './checks/login.ts'
import { outage, sessionOutage } from './checks/outage.ts'
import { basic, secrets } from './checks/passwords.ts'
import { hosts, paths } from './checks/routing.ts'
import { endpoints, manyServices, webSockets } from './checks/services.ts'
import type { Chapter, GatewayChapter, Stage } from './checks/stage.ts'
import { accessTokens, jwtSource, noCredentials } from './checks/tokens.ts'
import { printCurlLines } from './curl.ts'
import { PAGES } from './gateway.ts'
import { explainGateway, printGatewayLines } from './gateway-lines.ts'
import { type GatewayTokens, getGatewayTokens } from './gateway-tokens.ts'
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

const GATEWAY_CHAPTERS: readonly GatewayChapter[] = [
  callers,
  access,
  consent,
  customers,
  sharedHeader,
  passthrough,
  discovery,
  refreshing,
  restart,
  pages,
  revoking,
  virtualServers,
  changes,
  audit,
]

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false } } })
const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort())

const demo = await startDemo({ anyPorts: options.once })
try {
  const tokens = await getTokens(demo.corp.issuer)
  printServers(demo)
  if (!options.once) printCurlLines(demo, tokens)
  const { failures, gatewayTokens } = await walkThrough(demo, tokens)
  if (options.once) process.exitCode = failures === 0 ? 0 : 1
  else await stayUp(demo, gatewayTokens)
} catch (error) {
  if (!interrupt.signal.aborted) throw error
  if (options.once) process.exitCode = 1
} finally {
  await demo.close()
}

function printServers({ targets, corp, branch, code, gateways: { upstreams } }: Demo): void {
  title('What runs where')
  table(
    ['what', 'where', ''],
    [
      ['identity provider', corp.issuer, 'Corp, an oidc-provider'],
      ['another one', branch.issuer, 'Branch, switched off and on during the walk'],
      ['a third one', code.issuer, 'Code, the authorization server of the MCP server dev/code'],
      ['MCP server', upstreams.calculator.url, 'public/calculator, open to all'],
      ['MCP server', upstreams.hub.url, 'data/hub, one key for everybody'],
      ['MCP server', upstreams.code.url, 'dev/code and dev/review, everybody with an account of their own'],
      ['MCP server', upstreams.orders.url, 'core/orders, trusts Corp itself'],
      ...targets.map(({ name, url, guard }) => [
        name,
        url,
        `behind a guard of ${guard.endpoints().length} routes, and a gateway to the MCP servers`,
      ]),
    ],
  )

  title('Sign in')
  say(`  as ${Object.keys(PEOPLE).join(', ')}; the password of each is ${PASSWORD}`)
  const pages: Record<string, string> = { corp: '/app/', 'branch-id': '/me/', customers: '/customers/' }
  table(
    ['page', 'at', 'redirect URL, as guard.redirectUrls() reports it for registration there'],
    targets.flatMap(({ url, guard }) =>
      guard.redirectUrls().map(({ integration, callback }) => [`${url}${pages[integration]}`, integration, callback]),
    ),
  )
}

/** Runs the chapters; the number of checks that did not match, and the tokens that the gateways have been tried with. */
async function walkThrough(
  demo: Demo,
  tokens: DemoTokens,
): Promise<{ readonly failures: number; readonly gatewayTokens: GatewayTokens }> {
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

  title('The gateway')
  explainGateway()
  // Not before: one of the providers has a new key since the walk has begun.
  const gatewayTokens = await getGatewayTokens(demo)
  for (const chapter of GATEWAY_CHAPTERS) {
    await chapter({ demo, walk, tokens: gatewayTokens, newBrowser, browsers })
  }

  const { passed, failures } = walk
  if (failures.length > 0) title('What did not match')
  for (const failure of failures) say(styled('red', failure))
  say(`\n${passed} passed, ${failures.length} failed`)
  return { failures: failures.length, gatewayTokens }
}

/** Shows what happens, as it happens, until somebody presses Ctrl-C. */
async function stayUp(demo: Demo, gatewayTokens: GatewayTokens): Promise<void> {
  const { targets, gateways } = demo
  printGatewayLines(demo, gatewayTokens)
  say('\nEverything stays up until Ctrl-C; the lines above work until then. Pages to sign in to:')
  for (const { url } of targets) say(`  ${url}/app/  and, for what agents may use,  ${url}${PAGES}`)
  say(`  as ${Object.keys(PEOPLE).join(', ')}, with the password ${PASSWORD}`)
  say('What guards and gateways tell:')
  const interrupted = new Promise((resolve) => interrupt.signal.addEventListener('abort', resolve))
  for (const { guard } of targets) {
    guard.on('decision', (decision) => say(describeDecision(decision)))
    guard.on('keys', (report) => say(describeKeys(report)))
    guard.on('login', (event) => say(describeLogin(event)))
  }
  gateways.listen((event) => say(describeAudit(event)))
  if (!interrupt.signal.aborted) await interrupted
  say('\nBye.')
}
