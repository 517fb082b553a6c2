/** Checks a gateway's configuration. Every problem is found before anything is thrown. */
import { checkGrants } from '../access/check-grants.ts'
import type { Grant } from '../access/grants.ts'
import { DOCUMENT_PATH } from '../broker/discovery/client-document.ts'
import { checkSealingKeys } from '../core/check-sealing-keys.ts'
import { check, joinPath } from '../core/config.ts'
import { ConfigError, type ConfigProblem } from '../core/errors.ts'
import { suggest } from '../core/suggest.ts'
import { isPlainPath } from '../http/path.ts'
import { checkExternalIdentities } from '../identity/check-external-identities.ts'
import { checkIntegrations } from '../identity/check-integrations.ts'
import { checkVirtualAccounts } from '../identity/check-virtual-accounts.ts'
import type { ExternalIdentity } from '../identity/external-identities.ts'
import { isSecureUrl, presentable } from '../net/fetch.ts'
import { brandProblem } from '../pages/layout.ts'
import { allowedHostProblem, allowedOriginProblem } from './admission.ts'
import { checkConsentReach } from './check-consent-reach.ts'
import { checkServers } from './check-servers.ts'
import type { GatewayConfig, McpServer } from './config.ts'
import type { LiveConfig } from './gateway.ts'
import { callerHeadersSchema, gatewaySchema } from './schema.ts'
import { ALWAYS_TAKEN, liesIn, pathProblem, takenBySignIn, takenTree } from './taken-paths.ts'
import { checkVirtualServers } from './virtual/check.ts'

/**
 * Checks a whole configuration.
 *
 * @throws ConfigError (`ERR_CONFIG`) with every problem found
 */
export function checkGatewayConfig(config: GatewayConfig): void {
  const problems: ConfigProblem[] = []
  if (typeof config !== 'object' || config === null) {
    throw new ConfigError([{ path: '', message: 'expected an object' }])
  }
  const add: Add = (path, message) => {
    if (message !== undefined) problems.push({ path, message })
  }
  check(gatewaySchema, config, '', problems)
  add('url', originProblem(config.url))
  checkSealingKeys(config.keys, 'keys', problems)
  checkIntegrations(config.integrations, problems)
  checkPaths(config, add)
  checkPages(config, add)
  const { callerHeaders } = config
  if (callerHeaders !== undefined && callerHeaders !== false) {
    check(callerHeadersSchema, callerHeaders, 'callerHeaders', problems)
  }
  for (const [index, host] of asList(config.allowedHosts).entries()) {
    if (typeof host === 'string' && host !== '') add(`allowedHosts[${index}]`, allowedHostProblem(host))
  }
  for (const [index, origin] of asList(config.allowedOrigins).entries()) {
    if (typeof origin === 'string' && origin !== '') add(`allowedOrigins[${index}]`, allowedOriginProblem(origin))
  }
  checkLive(config, config, problems)
  if (problems.length > 0) throw new ConfigError(problems)
}

/**
 * Checks what can change while a gateway runs, on its own and against what cannot.
 *
 * @throws ConfigError (`ERR_CONFIG`) with every problem found
 */
export function checkLiveConfig(live: LiveConfig, fixed: GatewayConfig): void {
  const problems: ConfigProblem[] = []
  if (typeof live !== 'object' || live === null) throw new ConfigError([{ path: '', message: 'expected an object' }])
  for (const key of Object.keys(live)) {
    if (LIVE.has(key)) continue
    const isFixed = Object.hasOwn(fixed, key) || FIXED.has(key)
    const message = isFixed ? 'cannot change while the gateway runs' : `unknown key${suggest(key, LIVE)}`
    problems.push({ path: key, message })
  }
  checkLive(live, fixed, problems)
  if (problems.length > 0) throw new ConfigError(problems)
}

type Add = (path: string, message: string | undefined) => void

const LIVE: ReadonlySet<string> = new Set([
  'servers',
  'virtualServers',
  'access',
  'virtualAccounts',
  'externalIdentities',
])
const FIXED: ReadonlySet<string> = new Set(Object.keys(gatewaySchema.out.shape).filter((key) => !LIVE.has(key)))

function checkLive(live: LiveConfig, fixed: GatewayConfig, problems: ConfigProblem[]): void {
  const integrations = Object.keys(asRecord(fixed.integrations))
  const names = {
    integrations,
    // Where there is nothing to be checked against, that is what is told, and not every grant with it.
    ...(isRecord(live.servers)
      ? { servers: [live.servers, live.virtualServers].flatMap((part) => Object.keys(asRecord(part))) }
      : {}),
    externalIdentities: Object.keys(asRecord(live.externalIdentities)),
    // Accounts can be made while it runs, and be there from an earlier run: their names cannot all be known here.
  }
  const before = problems.length
  const servers = checkServers(live.servers, fixed, names, problems, live.virtualServers)
  if (servers !== undefined) checkCallbackPaths(servers, fixed, problems)
  checkVirtualServers(live.virtualServers, Object.keys(asRecord(live.servers)), problems)
  checkExternalIdentities(live.externalIdentities, 'externalIdentities', integrations, problems)
  checkVirtualAccounts(live.virtualAccounts, 'virtualAccounts', integrations, problems)
  if (live.access === undefined) return
  checkGrants(live.access, 'access', names, problems)
  if (problems.length > before || servers === undefined) return
  checkConsentReach(
    live.access as readonly Grant[],
    { ...servers, ...byConsentOf(servers, live.virtualServers) },
    asRecord(live.externalIdentities) as Readonly<Record<string, ExternalIdentity>>,
    fixed.signIn,
    problems,
  )
}

/** Virtual servers with a member that people consent to: whoever is granted one has to be able to. */
function byConsentOf(
  servers: Readonly<Record<string, McpServer>>,
  virtualServers: LiveConfig['virtualServers'] = {},
): Record<string, McpServer> {
  const found: Record<string, McpServer> = {}
  for (const [name, { tools, prompts = {}, resources = {} }] of Object.entries(virtualServers)) {
    const members = [tools, prompts, resources].flatMap((part) => Object.keys(part))
    const member = members.map((each) => servers[each]).find((each) => each?.auth.type === 'oauth2')
    if (member !== undefined) found[name] = member
  }
  return found
}

/** What is wrong with the gateway's own origin. */
function originProblem(url: unknown): string | undefined {
  if (typeof url !== 'string' || url === '') return undefined
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    return `"${presentable(url)}" is not an http(s) URL, such as "https://gw.example.com"`
  }
  if (parsed.origin !== url.replace(/\/$/, '')) {
    return `expected an origin, "${parsed.origin}", without path, query or user name`
  }
  return isSecureUrl(url) ? undefined : 'must be https: over http anybody on the way takes the tokens'
}

function checkPaths(config: GatewayConfig, add: Add): void {
  const { paths } = config
  if (typeof paths !== 'object' || paths === null) return
  const { connect = '/connect', callback = '/oauth2/callback' } = paths
  const own = { connect, callback }
  const taken = [...ALWAYS_TAKEN, ...takenBySignIn(config)]
  for (const [name, path] of Object.entries(own)) {
    if (typeof path !== 'string' || path === '') continue
    if (!isPlainPath(path)) add(`paths.${name}`, `"${path}" is not a plain path such as "/connect"`)
    add(`paths.${name}`, pathProblem(path, taken, true))
  }
  if (typeof connect !== 'string' || typeof callback !== 'string') return
  if (liesIn(connect, callback) || liesIn(callback, connect)) add('paths', 'connect and callback are in one another')
}

function checkPages(config: GatewayConfig, add: Add): void {
  const { pages, signIn, paths } = config
  if (typeof pages !== 'object' || pages === null) return
  const { path, brand } = pages
  if (brand !== undefined) add('pages.brand', brandProblem(brand))
  if (typeof path !== 'string' || path === '') return
  if (!isPlainPath(path) || path === '/') add('pages.path', `"${path}" is not a plain path such as "/gateway"`)
  const { connect = '/connect', callback = '/oauth2/callback' } =
    typeof paths === 'object' && paths !== null ? paths : {}
  const places = [connect, callback].filter((each: unknown) => typeof each === 'string')
  const taken = [
    ...ALWAYS_TAKEN,
    ...places.map((each) => takenTree(each, 'where people consent')),
    ...takenBySignIn(config),
  ]
  add('pages.path', pathProblem(path, taken, true))
  if (signIn === undefined || signIn === 'link') {
    const given = signIn === 'link' ? ', not "link"' : ''
    add(
      'pages',
      `need signIn${given}: a guard with login, or { identify, start }, which can tell who is at the browser`,
    )
  }
}

/** A server's own callback: answered before any page, and after MCP endpoints, where the code would be lost. */
function checkCallbackPaths(
  servers: Readonly<Record<string, McpServer>>,
  fixed: GatewayConfig,
  problems: ConfigProblem[],
): void {
  const path: unknown = fixed.pages?.path
  const taken = [
    ...ALWAYS_TAKEN,
    { path: DOCUMENT_PATH, below: false, by: 'where the gateway says who it is as a client' },
    ...(typeof path === 'string' ? [takenTree(path, "where the gateway's pages are")] : []),
    ...takenBySignIn(fixed),
  ]
  for (const [name, { auth }] of Object.entries(servers)) {
    const callbackPath = auth.type === 'oauth2' ? auth.callbackPath : undefined
    const message = callbackPath === undefined ? undefined : pathProblem(callbackPath, taken, false)
    if (message !== undefined) problems.push({ path: joinPath('servers', [name, 'auth', 'callbackPath']), message })
  }
}

/** `value` as an object by name, as far as it is one. */
function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {}
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
