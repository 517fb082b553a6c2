/** `createGuard`: puts the parts together and walks each request through them. */
import { createWorkLimiter } from '../basic/work-limiter.ts'
import { systemClock } from '../core/clock.ts'
import { withDefaults } from '../core/defaults.ts'
import { isOutage, messageOf, SallyportError, StoreError } from '../core/errors.ts'
import { createEmitter, type EventSource } from '../core/events.ts'
import { type Networks, parseNetworks } from '../core/networks.ts'
import type { Auth, Gate, GateRequest, Outcome, Pass, Reply } from '../http/gate.ts'
import { type NormalisedRequest, normalise } from '../http/normalise.ts'
import { problem } from '../http/replies.ts'
import { integrationFetch } from '../identity/integration-fetch.ts'
import { createIntegrations } from '../identity/integrations.ts'
import { createKeyReports } from '../identity/key-reports.ts'
import type { IdentifyOptions, Identity, SignIn, SignInOptions } from '../identity/sign-in.ts'
import { createSignatureCache } from '../jwt/signature-cache.ts'
import { createTokenVerifier, type TokenIntegration } from '../jwt/token-verifier.ts'
import { createLogin, type Login, type RedirectUrls } from '../login/create-login.ts'
import { identityOf } from '../login/identity.ts'
import { PAGES } from '../login/places.ts'
import { createProvider } from '../login/provider.ts'
import { createRouteTable } from '../match/route-table.ts'
import { createBasicRoute } from './basic-route.ts'
import { type CheckedRoute, checkGuardConfig } from './check-config.ts'
import type { GuardConfig } from './config.ts'
import type { Decision, GuardEvents } from './decision.ts'
import { type Endpoint, toEndpoint } from './endpoints.ts'
import { createGuardWarnings } from './guard-warnings.ts'
import { createJwtRoute } from './jwt-route.ts'
import type { Authenticator, Verdict } from './verdict.ts'

/** A gate that protects services. Made by {@link createGuard}. */
export interface Guard extends Gate, EventSource<GuardEvents>, SignIn {
  /** What is protected, route by route. */
  endpoints(): Endpoint[]
  /** Names of the integrations whose people can sign in here; none without login. */
  readonly integrations: readonly string[]
  /** What to register at the identity providers, one entry for each that people can sign in with. */
  redirectUrls(): RedirectUrls[]
}

interface LiveRoute extends Authenticator {
  readonly name: string
  readonly exposed: boolean
  /** What every request gets, where the route is open. */
  readonly open: Pass | undefined
}

const DEFAULT_CACHE = { maxEntries: 20_000, maxBytes: 64 * 1024 * 1024 }
/** Password hashes computed at once, over all routes, and how many may wait for that. */
const HASHING = { maxConcurrent: 2, maxQueued: 100 }

const BAD_REQUEST = problem(400)
const NOT_FOUND = problem(404)
const INTERNAL_ERROR = problem(500)
const SKIP: Outcome = { kind: 'skip' }
/** Never asked: an open route has its outcome. */
const OPEN: Authenticator = {
  ready: async () => {},
  authenticate: () => ({ kind: 'refuse', reply: INTERNAL_ERROR, reason: 'error' }),
}

/**
 * Makes a guard.
 *
 * ```ts
 * const guard = createGuard({
 *   integrations: { corp: { issuer: 'https://login.example.com/', audience: 'orders-api' } },
 *   routes: [
 *     { path: '/healthz', auth: { type: 'none' } },
 *     { path: '/', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com' } } },
 *   ],
 * })
 * app.use(sallyport(guard))
 * ```
 *
 * Nothing is fetched or looked up yet. `await guard.ready()` does that before the first request and rejects with what
 * is missing; without it the first requests do.
 *
 * @throws ConfigError (`ERR_CONFIG`) with every problem in `config`.
 */
export function createGuard(config: GuardConfig): Guard {
  const checked = checkGuardConfig(config)
  const clock = config.clock ?? systemClock
  const emitter = createEmitter<GuardEvents>(['decision', 'keys', 'login'])
  const trusted = config.trustProxy?.length ? parseNetworks(config.trustProxy) : undefined
  const internal: Networks = parseNetworks(config.internalNetworks ?? [])
  const keyReports = createKeyReports(emitter)
  const warnings = createGuardWarnings(emitter, clock)
  const integrations = createIntegrations(config.integrations ?? {}, config.fetch, clock, keyReports.report)
  const cache = createSignatureCache(withDefaults(DEFAULT_CACHE, config.tokenCache))
  const verify = createTokenVerifier(cache, clock)
  const limiter = createWorkLimiter(HASHING)
  const login = makeLogin()
  const routes = checked.map((route) => ({ pattern: route.pattern, route: toLive(route) }))
  const table = createRouteTable(routes, { caseSensitive: config.caseSensitive === true })
  // Its owner may change the object later, and has it perhaps for another guard too.
  const skipsUnmatched = config.unmatched === 'skip'
  const hosts = { value: '', host: '', asSpelled: true }
  let closed = false

  function makeLogin(): Login | undefined {
    if (config.login === undefined) return undefined
    return createLogin({
      config: config.login,
      entrances: checked.flatMap(({ auth, hostPattern, pattern }) =>
        auth.type === 'jwt' && auth.login ? [{ host: hostPattern, path: pattern.path }] : [],
      ),
      providers: new Map(
        Object.entries(config.integrations ?? {}).flatMap(([name, integration]) => {
          const { oauth2 } = integration
          const judged = integrations.get(name)
          if (oauth2 === undefined || judged === undefined) return []
          return [
            [
              name,
              createProvider(
                name,
                integration,
                oauth2,
                judged,
                integrationFetch(integration, config.fetch),
                config.secrets,
              ),
            ] as const,
          ]
        }),
      ),
      verify,
      clock,
      secrets: config.secrets,
      report(event, why) {
        emitter.emit('login', event)
        warnings.login(event, why)
      },
    })
  }

  function toLive(route: CheckedRoute): LiveRoute {
    const { name, exposed, auth } = route
    const authenticator = authenticatorFor(route)
    if (auth.type !== 'none') return { name, exposed, open: undefined, ...authenticator }
    return {
      name,
      exposed,
      open: { kind: 'pass', auth: Object.freeze({ type: 'none', route: name }) },
      ...authenticator,
    }
  }

  function authenticatorFor({ name, at, auth }: CheckedRoute): Authenticator {
    switch (auth.type) {
      case 'none':
        return OPEN
      case 'basic':
        return createBasicRoute(name, auth, { at: `${at}.auth`, secrets: config.secrets, clock, limiter })
      case 'jwt': {
        const own = [auth.integration].flat().map((each) => integrations.get(each) as TokenIntegration)
        return createJwtRoute(name, auth, own, verify, config.unauthenticated ?? 403, auth.login ? login : undefined)
      }
    }
  }

  function handle(request: GateRequest): Outcome | Promise<Outcome> {
    try {
      return decide(request)
    } catch (error) {
      return refuse(request, undefined, undefined, INTERNAL_ERROR, 'error', messageOf(error))
    }
  }

  function decide(request: GateRequest): Outcome | Promise<Outcome> {
    if (closed) return refuse(request, undefined, undefined, problem(503), 'closed')
    const normalised = normalise(request, trusted, hosts)
    if (typeof normalised === 'string') {
      const method = normalised === 'ambiguous_method' ? `the method was ${JSON.stringify(request.method)}, ` : ''
      const detail = `${method}the target was ${shownTarget(request)}`
      return refuse(request, undefined, undefined, BAD_REQUEST, normalised, detail)
    }
    if (login?.owns(normalised.path)) return loginPage(login, request, normalised)
    const route = table.find(normalised)
    if (route === 'ambiguous') {
      const detail = `the target was ${shownTarget(request)}`
      return refuse(request, normalised, undefined, BAD_REQUEST, 'ambiguous_target', detail)
    }
    if (route === undefined) {
      const detail = emitter.heard('decision') ? unheardHost(request, trusted) : undefined
      if (!skipsUnmatched) return refuse(request, normalised, undefined, NOT_FOUND, 'no_route', detail)
      if (emitter.heard('decision'))
        tell(request, normalised, undefined, { outcome: 'skip', reason: 'no_route', detail })
      return SKIP
    }
    if (!route.exposed && !internal.has(normalised.clientAddress)) {
      return refuse(request, normalised, route, NOT_FOUND, 'not_exposed')
    }
    if (route.open !== undefined) {
      if (emitter.heard('decision')) {
        tell(request, normalised, route, { outcome: 'pass', reason: 'open', auth: route.open.auth })
      }
      return route.open
    }
    const verdict = route.authenticate(request, normalised)
    return 'then' in verdict
      ? verdict.then(
          (later) => carry(request, normalised, route, later),
          (error) => {
            warnings.failed(route.name, 'error', error)
            return refuse(request, normalised, route, INTERNAL_ERROR, 'error', messageOf(error))
          },
        )
      : carry(request, normalised, route, verdict)
  }

  /** One of login's own pages; other readings of such a path lead nowhere. */
  async function loginPage(own: Login, request: GateRequest, normalised: NormalisedRequest): Promise<Outcome> {
    if (normalised.otherPaths.length > 0) {
      return refuse(request, normalised, undefined, BAD_REQUEST, 'ambiguous_target')
    }
    try {
      return refuse(request, normalised, undefined, await own.answer(request, normalised), 'login_page')
    } catch (error) {
      const known = isOutage(error)
      const reason = known ? 'session_unavailable' : 'error'
      warnings.failed(undefined, reason, error)
      const reply = known ? own.pages.unavailable(5, request, normalised) : INTERNAL_ERROR
      return refuse(request, normalised, undefined, reply, reason, messageOf(error))
    }
  }

  async function identify(
    request: GateRequest,
    { integration, setCookies }: IdentifyOptions = {},
  ): Promise<Identity | null> {
    if (login === undefined) return null
    const normalised = normalise(request, trusted, hosts)
    if (typeof normalised === 'string') return null
    // That one first: while it cannot be had, nobody is taken for another. Whoever is signed in at another is still somebody.
    const { wanted, others } = providersOf(login, integration)
    const first = await login.find(request, normalised, wanted)
    const found = first.kind === 'none' ? await login.find(request, normalised, others) : first
    if (found.kind === 'unavailable') throw new StoreError('the session cannot be had at present')
    if (found.kind === 'none') return null
    if (found.cookies.length > 0) setCookies?.(found.cookies)
    return identityOf(found.tokens, login)
  }

  async function start(
    request: GateRequest,
    returnTo: string,
    { anotherAccount = false, integration }: SignInOptions = {},
  ): Promise<Reply> {
    const normalised = normalise(request, trusted, hosts)
    if (login === undefined) throw new SallyportError('ERR_CONFIG', 'the guard has no login')
    if (typeof normalised === 'string') return BAD_REQUEST
    // Unlike `select_account`, all OpenID Providers know it (OpenID Connect Core §15.1).
    const prompt = anotherAccount ? 'login' : undefined
    const { wanted, others } = providersOf(login, integration)
    return login.start(request, normalised, wanted.length === 0 ? others : wanted, returnTo, prompt)
  }

  function carry(request: GateRequest, normalised: NormalisedRequest, route: LiveRoute, verdict: Verdict): Outcome {
    if (verdict.kind === 'refuse') {
      if (verdict.error !== undefined) warnings.failed(route.name, verdict.reason, verdict.error)
      return refuse(request, normalised, route, verdict.reply, verdict.reason, verdict.detail, verdict.auth)
    }
    if (warnings.any) warnings.worked(route.name, verdict.auth.type === 'session')
    if (emitter.heard('decision')) {
      tell(request, normalised, route, { outcome: 'pass', reason: 'authenticated', auth: verdict.auth })
    }
    return verdict
  }

  function refuse(
    request: GateRequest,
    normalised: NormalisedRequest | undefined,
    route: LiveRoute | undefined,
    reply: Reply,
    reason: string,
    detail?: string,
    auth?: Auth,
  ): Outcome {
    if (emitter.heard('decision')) {
      tell(request, normalised, route, { outcome: 'reply', status: reply.status, reason, detail, auth })
    }
    return { kind: 'reply', reply }
  }

  function tell(
    request: GateRequest,
    normalised: NormalisedRequest | undefined,
    route: LiveRoute | undefined,
    what: Pick<Decision, 'outcome' | 'reason'> & {
      status?: number
      detail?: string | undefined
      auth?: Auth | undefined
    },
  ): void {
    emitter.emit('decision', {
      kind: request.kind,
      method: request.method,
      host: normalised?.host ?? '',
      path: normalised?.path ?? '',
      clientAddress: normalised?.clientAddress ?? request.peer.address,
      route: route?.name ?? null,
      outcome: what.outcome,
      status: what.status ?? null,
      reason: what.reason,
      detail: what.detail ?? null,
      id: what.auth?.id ?? null,
      subject: what.auth?.subject ?? null,
      integration: what.auth?.integration ?? null,
    })
  }

  return {
    decidesAll: !skipsUnmatched,
    handle,
    async ready() {
      const results = await Promise.allSettled(routes.map(({ route }) => route.ready()))
      const failed = results.flatMap((result, index) =>
        result.status === 'rejected' ? [`route "${routes[index]?.route.name}": ${messageOf(result.reason)}`] : [],
      )
      if (failed.length === 0) return
      const reasons = [...failed, ...keyReports.failures()]
      throw new SallyportError('ERR_NOT_READY', `the guard is not ready:\n  ${reasons.join('\n  ')}`)
    },
    async close() {
      closed = true
      for (const { keySet } of integrations.values()) keySet.close()
      await login?.close()
    },
    endpoints: () => checked.map((route) => toEndpoint(route, login?.redirectUrls() ?? [])),
    redirectUrls: () => login?.redirectUrls() ?? [],
    identify,
    start,
    signOutUrl: login?.places.url(PAGES.signOut),
    integrations: Object.freeze([...(login?.providers.keys() ?? [])]),
    on: emitter.on,
  }
}

/** The names of those that people can sign in with, `integration` apart from the others. */
function providersOf({ providers }: Login, integration: string | undefined) {
  const names = [...providers.keys()]
  return { wanted: names.filter((name) => name === integration), others: names.filter((name) => name !== integration) }
}

/** Why the host may be another than was meant: a proxy says which, and is not believed. */
function unheardHost({ headers, peer }: GateRequest, trusted: Networks | undefined): string | undefined {
  if (headers['x-forwarded-host'] === undefined || trusted?.has(peer.address) === true) return undefined
  return `X-Forwarded-Host from ${peer.address} is not looked at: that is not in trustProxy`
}

/** The target as it was sent, for the operator: no query, no user name or password, and no longer than fits a line. */
function shownTarget({ target }: GateRequest): string {
  const path = target.replace(/[?#].*$/s, '')
  return JSON.stringify((path.startsWith('/') ? path : path.replace(/^.*@/s, '')).slice(0, 200))
}
