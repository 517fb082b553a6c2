/**
 * Checks a guard's configuration and brings its routes into the form that the
 * table uses. Every problem is found before anything is thrown.
 */
import { passwordProblem, usernameProblem } from '../basic/credentials.ts'
import { parsePasswordHash } from '../basic/password-hash.ts'
import { check, checkVariant } from '../core/config.ts'
import { ConfigError, type ConfigProblem, messageOf } from '../core/errors.ts'
import { suggest } from '../core/suggest.ts'
import { readPath } from '../http/path.ts'
import { checkIntegrations } from '../identity/check-integrations.ts'
import type { Integration } from '../identity/integration.ts'
import { checkLogin } from '../login/check-login.ts'
import { liesOn, parseDomain } from '../match/domains.ts'
import { type HostPattern, hostPatternText, parseHostPattern } from '../match/host-pattern.ts'
import type { RoutePattern } from '../match/route-table.ts'
import type { BasicAuth, GuardConfig, JwtAuth, Route } from './config.ts'
import { authSchemas, guardSchema, routeSchema } from './schema.ts'

/** A route whose configuration is sound. */
export interface CheckedRoute {
  readonly name: string
  /** `routes[2]`, for messages. */
  readonly at: string
  readonly pattern: RoutePattern
  /** As configured, wildcard included; `undefined` for any host. */
  readonly host: string | undefined
  readonly hostPattern: HostPattern | undefined
  readonly exposed: boolean
  readonly auth: Route['auth']
}

/**
 * The routes of a sound configuration.
 *
 * @throws ConfigError (`ERR_CONFIG`) with every problem found.
 */
export function checkGuardConfig(config: GuardConfig): CheckedRoute[] {
  const problems: ConfigProblem[] = []
  const add = (path: string, message: string | undefined) => {
    if (message !== undefined) problems.push({ path, message })
  }
  if (typeof config !== 'object' || config === null)
    throw new ConfigError([{ path: '', message: 'expected an object' }])
  check(guardSchema, config, '', problems)
  checkIntegrations(config.integrations, problems)
  if (config.login !== undefined) checkLogin(config.login, asRecord(config.integrations), problems)

  const domains: HostPattern[] = []
  for (const [index, text] of asList(config.domains).entries()) {
    const domain = typeof text === 'string' ? parseDomain(text) : undefined
    if (typeof domain === 'object') domains.push(domain)
    else add(`domains[${index}]`, domain)
  }

  const checked: CheckedRoute[] = []
  const names = Object.keys(config.integrations ?? {})
  for (const [index, route] of asList<Route>(config.routes).entries()) {
    const at = `routes[${index}]`
    const before = problems.length
    const shaped = check(routeSchema, route, at, problems)
    if (isObject(route)) {
      checkAuth(route.auth, `${at}.auth`, names, problems)
      checkRouteLogin(route.auth, `${at}.auth`, config, add)
    }
    const place = shaped ? readPlace(route, at, add) : undefined
    if (place === undefined) continue

    const host = place.host === undefined ? undefined : hostPatternText(place.host)
    const exposed = route.exposed !== false
    if (!exposed && host === undefined)
      add(`${at}.host`, 'required: a route that is not exposed answers only on its internal host')
    if (!exposed && asList(config.internalNetworks).length === 0) {
      add(
        `${at}.exposed`,
        'nobody could call it: internalNetworks is empty; list the networks that may, say ["10.0.0.0/8"]',
      )
    }
    if (
      exposed &&
      place.host !== undefined &&
      domains.length > 0 &&
      !domains.some((domain) => liesOn(domain, place.host as HostPattern))
    ) {
      add(`${at}.host`, `"${host}" is on none of the domains: ${asList(config.domains).join(', ')}`)
    }
    if (problems.length > before) continue
    const pattern: RoutePattern = {
      host: place.host?.name,
      wildcard: place.host?.wildcard === true,
      port: place.port,
      path: place.path,
      methods: route.methods,
      open: route.auth.type === 'none',
    }
    const name = route.name ?? defaultName(route, host, place)
    checked.push({ name, at, pattern, host, hostPattern: place.host, exposed, auth: route.auth })
  }
  checkOverlaps(checked, config.caseSensitive === true, add)
  if (problems.length > 0) throw new ConfigError(problems)
  return checked
}

type Add = (path: string, message: string | undefined) => void

/** `GET,POST s1.example.com:8080/app`, as much of it as is configured. */
function defaultName(
  route: Route,
  host: string | undefined,
  place: { port: number | undefined; path: string },
): string {
  const methods = route.methods === undefined ? '' : `${route.methods.join(',')} `
  return `${methods}${host ?? ''}${place.port === undefined ? '' : `:${place.port}`}${place.path}`
}

/** Host, port and path, of which the host's text may carry all three. */
function readPlace(route: Route, at: string, add: Add) {
  const host = route.host === undefined ? undefined : parseHostPattern(route.host)
  if (typeof host === 'string') {
    add(`${at}.host`, host)
    return undefined
  }
  if (host?.port !== undefined && route.port !== undefined && host.port !== route.port) {
    add(`${at}.port`, `${route.port} is not the port in host, ${host.port}`)
    return undefined
  }
  const prefix = readPrefix(host?.path ?? '/')
  const path = readPrefix(route.path ?? '/')
  if (prefix.problem !== undefined || path.problem !== undefined) {
    add(`${at}.host`, prefix.problem)
    add(`${at}.path`, path.problem)
    return undefined
  }
  const joined = prefix.path === '/' ? path.path : path.path === '/' ? prefix.path : prefix.path + path.path
  return { host, port: route.port ?? host?.port, path: joined }
}

/** A path prefix in the form that requests are brought into. */
function readPrefix(text: string): { path: string; problem?: undefined } | { problem: string; path?: undefined } {
  if (!text.startsWith('/')) return { problem: `"${text}" does not start with "/"` }
  if (text.includes('*')) return { problem: `"${text}": a path is a prefix already; leave the star out` }
  const parameter = /\/(:\w[^/]*|[^/]*[{}][^/]*)/.exec(text)
  if (parameter !== null) {
    return {
      problem: `"${text}": a path is a prefix, without parameters; leave out "${parameter[1]}" and what follows it`,
    }
  }
  if (/[?#]/.test(text)) return { problem: `"${text}": a path has no query and no fragment` }
  const reading = text.isWellFormed() ? readPath(text.replace(/[^\x21-\x7e]+/g, encodeURIComponent)) : undefined
  if (reading === undefined || /\/\.{1,2}(?:\/|$)|\/\//.test(text))
    return { problem: `"${text}" is ambiguous as a path` }
  return { path: reading.path }
}

function checkAuth(auth: unknown, at: string, integrations: readonly string[], problems: ConfigProblem[]): void {
  const absent = "required; for an open route write { type: 'none' }"
  const type = checkVariant(authSchemas, auth, at, absent, problems)
  if (type === 'basic') checkBasic(auth as BasicAuth, at, problems)
  if (type !== 'jwt') return
  const { integration, claims = {} } = auth as JwtAuth
  // zod passes over this key, and no provider has such a claim.
  if (Object.hasOwn(claims, '__proto__')) problems.push({ path: `${at}.claims.__proto__`, message: 'is not a claim' })
  for (const [index, name] of asList<string>(Array.isArray(integration) ? integration : [integration]).entries()) {
    if (integrations.includes(name)) continue
    const path = Array.isArray(integration) ? `${at}.integration[${index}]` : `${at}.integration`
    problems.push({ path, message: `no integration named "${name}"${suggest(name, integrations)}` })
  }
}

/** A route that people sign in for needs somewhere to send them. */
function checkRouteLogin(auth: unknown, at: string, config: GuardConfig, add: Add): void {
  const { type, login, integration } = (auth ?? {}) as Partial<JwtAuth>
  if (type !== 'jwt' || login !== true) return
  if (config.login === undefined) {
    add(
      `${at}.login`,
      'needs login in the configuration: { url, keys, store }, where people sign in and sessions are kept',
    )
  }
  const names = [integration ?? []].flat()
  const integrations = asRecord<Integration>(config.integrations)
  if (names.every((name) => Object.hasOwn(integrations, name) && integrations[name]?.oauth2 === undefined)) {
    add(`${at}.login`, `nobody can sign in: ${names.map((name) => `"${name}"`).join(', ')} has no oauth2`)
  }
}

/** Who may come in is said in exactly one way. */
function checkBasic(auth: BasicAuth, at: string, problems: ConfigProblem[]): void {
  const ways = (['username', 'users', 'htpasswd', 'verify'] as const).filter((key) => auth[key] !== undefined)
  if (ways.length !== 1) {
    const message = `expected exactly one of username, users, htpasswd and verify${ways.length === 0 ? '' : `, got ${ways.join(' and ')}`}`
    problems.push({ path: at, message })
    return
  }
  const users = auth.users?.map((user, index) => ({ user, path: `${at}.users[${index}]` })) ?? [
    { user: auth, path: at },
  ]
  for (const { user, path } of users) {
    const unset = (['password', 'passwordHash'] as const).filter(
      (key) => Object.hasOwn(user, key) && user[key] === undefined,
    )
    const given = Number(user.password !== undefined) + Number(user.passwordHash !== undefined)
    const wanted = user.username === undefined ? 0 : 1
    if (given === 0 && wanted === 1 && unset.length > 0) {
      // Of a variable of the environment that is not set.
      for (const key of unset) {
        problems.push({ path: `${path}.${key}`, message: 'expected a text or { secret: "env:NAME" }, got undefined' })
      }
    } else if (given !== wanted) {
      const message =
        wanted === 0
          ? `password and passwordHash do not go with ${ways[0]}`
          : 'expected exactly one of password and passwordHash'
      problems.push({ path, message })
    }
    // What is given directly is looked at now; what a reference names, once it is looked up.
    const add = (key: string, message: string | undefined) => {
      if (message !== undefined) problems.push({ path: `${path}.${key}`, message })
    }
    if (user.username !== undefined) add('username', usernameProblem(user.username.normalize('NFC')))
    if (typeof user.password === 'string') add('password', passwordProblem(user.password))
    if (typeof user.passwordHash === 'string') add('passwordHash', hashProblem(user.passwordHash))
  }
  const names = auth.users?.map(({ username }) => username.normalize('NFC')) ?? []
  for (const [index, name] of names.entries()) {
    const earlier = names.indexOf(name)
    if (earlier !== index)
      problems.push({ path: `${at}.users[${index}].username`, message: `the same as users[${earlier}]` })
  }
}

function hashProblem(text: string): string | undefined {
  try {
    parsePasswordHash(text)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Two routes in the same place with a method in common: one of them would never be reached. */
function checkOverlaps(routes: readonly CheckedRoute[], caseSensitive: boolean, add: Add): void {
  const seen = new Map<string, CheckedRoute>()
  for (const route of routes) {
    const { pattern } = route
    const path = caseSensitive ? pattern.path : pattern.path.toLowerCase()
    const methods = pattern.methods?.includes('GET') ? [...pattern.methods, 'HEAD'] : (pattern.methods ?? ['*'])
    for (const method of methods) {
      const key = JSON.stringify([route.host, pattern.port, path, method])
      const other = seen.get(key)
      if (other !== undefined && other !== route) {
        add(route.at, `never reached: ${other.at} is in the same place${method === '*' ? '' : ` for ${method}`}`)
        break
      }
      seen.set(key, route)
    }
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asRecord<Item>(value: unknown): Readonly<Record<string, Item>> {
  return isObject(value) ? (value as Record<string, Item>) : {}
}

function asList<Item>(value: unknown): Item[] {
  return Array.isArray(value) ? (value as Item[]) : []
}
