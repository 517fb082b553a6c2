/** Browser login, put together: its own pages, and the session that a request comes with. */
import type { Clock } from '../core/clock.ts'
import { ConfigError } from '../core/errors.ts'
import { lookedUp } from '../core/looked-up.ts'
import { createSealer } from '../core/sealing.ts'
import { resolveSecret, type SecretResolver } from '../core/secrets.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { problem } from '../http/replies.ts'
import { expectedIssuer } from '../identity/integrations.ts'
import { createPeople } from '../identity/people.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import { safeReturnTo } from '../match/return-to.ts'
import { loginFailedPage, noAccessPage, sessionEndedPage } from '../pages/login-pages.ts'
import { RedeemError } from '../store/redeem-error.ts'
import { createRefresher } from '../store/refresher.ts'
import { isSealed, type SealedStore, sealed } from '../store/sealed.ts'
import type { LoginConfig } from './config.ts'
import { createCookieSessions } from './cookie-sessions.ts'
import { endTokens } from './end-tokens.ts'
import type { LoginEvent } from './events.ts'
import { createHandOffs } from './hand-off.ts'
import { tenantOf, writePerson } from './identity.ts'
import { createPlaces, type Entrance, PAGES, type Places } from './places.ts'
import type { Provider } from './provider.ts'
import { refreshSession } from './refreshed-session.ts'
import { asSessionTokens, type FoundSession, type Sessions, type SessionTokens } from './session.ts'
import { createSignIn, type SignInSteps } from './sign-in.ts'
import { createSignOut, type SignOutSteps } from './sign-out.ts'
import { createStoredSessions, noteProviderSession } from './stored-sessions.ts'
import { createTransactions } from './transaction.ts'

/** What to register at a provider. */
export interface RedirectUrls {
  /** Its name. */
  readonly integration: string
  /** The redirect URL (RFC 6749 §3.1.2.2). */
  readonly callback: string
  /** Where the provider sends people after signing out there (`post_logout_redirect_uris`). */
  readonly signedOut: string
  /** Where it reports that somebody has signed out (`backchannel_logout_uri`); `null` for sessions in cookies. */
  readonly backChannelSignOut: string | null
}

/** See the top of the file. */
export interface Login {
  readonly places: Places
  readonly providers: ReadonlyMap<string, Provider>
  /** The pages that routes show. */
  readonly pages: RoutePages
  /** Whether a path is one of login's own pages. */
  owns(path: string): boolean
  /** Answers one of its own pages. */
  answer(request: GateRequest, normalised: NormalisedRequest): Promise<Reply>
  /** The session of the first of the integrations `names` that there is one of; what cannot be had hides none. */
  find(request: GateRequest, normalised: NormalisedRequest, names: readonly string[]): Promise<FoundSession>
  /** Sends the browser off to sign in. */
  start(
    request: GateRequest,
    normalised: NormalisedRequest,
    names: readonly string[],
    returnTo?: string,
    prompt?: string,
  ): Promise<Reply>
  redirectUrls(): RedirectUrls[]
  ready(): Promise<void>
  close(): Promise<void>
}

/** Pages for people whose request a route turned away. */
export interface RoutePages {
  noAccess(who: string | undefined, normalised: NormalisedRequest): Reply
  sessionEnded(status: 401 | 403, normalised: NormalisedRequest): Reply
  unavailable(retryAfterSeconds: number, request: GateRequest, normalised: NormalisedRequest): Reply
}

/** What login works with. */
export interface LoginSettings {
  readonly config: LoginConfig
  /** The routes with login. */
  readonly entrances: readonly Entrance[]
  readonly providers: ReadonlyMap<string, Provider>
  readonly verify: TokenVerifier
  readonly clock: Clock
  readonly secrets: SecretResolver | undefined
  /** `why`: its detail without what a browser has brought. */
  report(event: LoginEvent, why: string | null): void
}

/** What has to wait for secrets. */
interface Prepared {
  readonly sessions: Sessions
  readonly store: SealedStore | undefined
  readonly signIn: SignInSteps
  readonly signOut: SignOutSteps
}

const DAY_SECONDS = 86_400
/** Nobody gets the id of an ended session again, and who writes late finds one that is gone just as dead. */
const ENDED_FOR_MS = 10 * 60_000

/**
 * Puts login together; nothing is looked up yet.
 *
 * @throws ConfigError (`ERR_CONFIG`) for an `afterSignOut` that is not ours.
 */
export function createLogin(settings: LoginSettings): Login {
  const { config, entrances, providers, verify, clock, secrets } = settings
  const places = createPlaces(config, entrances)
  const { afterSignOut } = config
  if (afterSignOut !== undefined && safeReturnTo(afterSignOut, places.login, places.origins) === undefined) {
    const message = `"${afterSignOut}" is neither a path nor a URL on a host that people sign in for`
    throw new ConfigError([{ path: 'login.afterSignOut', message }])
  }
  const absoluteMs = (config.absoluteSeconds ?? 7 * DAY_SECONDS) * 1000
  const idleMs = (config.idleSeconds ?? DAY_SECONDS) * 1000
  const preparing = lookedUp(prepare)
  const { get: prepared } = preparing

  function tell(event: Pick<LoginEvent, 'kind' | 'integration'> & Partial<LoginEvent>, why?: string): void {
    const nothing = { reason: null, detail: null, reference: null, id: null, subject: null, clientAddress: null }
    settings.report({ ...nothing, ...event }, why ?? event.detail ?? null)
  }

  async function prepare(): Promise<Prepared> {
    const keys = await Promise.all(config.keys.map((key) => resolveSecret(key, secrets)))
    const sealer = (purpose: string) => createSealer(keys, purpose)
    const store =
      config.store === undefined ? undefined : isSealed(config.store) ? config.store : sealed(config.store, keys)
    const people = store && createPeople(store, clock)
    const sessions =
      store === undefined
        ? createCookieSessions({ sealer: sealer('login-session'), places, clock, absoluteMs, readTokens })
        : createStoredSessions({
            store,
            refresher: sessionRefresher(store),
            sealer: sealer('login-session'),
            places,
            clock,
            idleMs,
            absoluteMs,
            readTokens,
            tenantOf(tokens) {
              const provider = providers.get(tokens.integration)
              return provider && tenantOf(provider, tokens.claims)
            },
          })
    const common = { config, places, providers, sessions, verify, clock, tell }
    return {
      sessions,
      store,
      signIn: createSignIn({
        ...common,
        people,
        transactions: createTransactions(sealer('login-transaction'), places, clock),
        handOffs: createHandOffs(sealer('login-hand-off'), places, clock, store),
      }),
      signOut: createSignOut({ ...common, forms: sealer('login-form') }),
    }

    function sessionRefresher(over: SealedStore) {
      return createRefresher<SessionTokens>({
        store: over,
        clock,
        times: { tombstoneMs: ENDED_FOR_MS },
        // What is no session any more has expired, and nobody gets its refresh token.
        expiresAt: (tokens) => readTokens(tokens)?.expiresAt ?? 0,
        canRefresh: (tokens) => readTokens(tokens)?.refreshToken !== undefined,
        async redeem(tokens, signal) {
          const provider = providers.get(tokens.integration)
          if (provider === undefined) throw new RedeemError('dead', 'its integration is no longer configured')
          const refreshed = await refreshSession(provider, tokens, signal, { verify, clock, tell })
          const fresh = await noteProviderSession(over, refreshed, tokens, absoluteMs)
          const { id = '', subject = '' } = provider.judged.identify(fresh.claims)
          tell({ kind: 'refreshed', integration: provider.name, id, subject })
          // Groups may be a little older for it; the tokens may not be lost for it.
          if (fresh.saidAt !== tokens.saidAt) await writePerson(people, fresh, { providers }).catch(() => {})
          return fresh
        },
        async revoke(tokens) {
          const known = readTokens(tokens)
          const provider = providers.get(known?.integration ?? '')
          if (known !== undefined && provider !== undefined) await endTokens(provider, known, tell)
        },
        report({ kind, detail }) {
          // A refresh that went well is told with more than is known here.
          if (kind === 'refreshed' || kind === 'taken_over') return
          tell({ kind: 'refresh_failed', integration: null, reason: kind, detail: detail ?? null })
        },
      })
    }
  }

  /**
   * `value` as the tokens of a session: of a shape that is understood here, by a provider that still is who it was. Another
   * one of the same name would make its own people of them, and be sent their refresh tokens.
   */
  function readTokens(value: unknown): SessionTokens | undefined {
    const tokens = asSessionTokens(value)
    const provider = tokens && providers.get(tokens.integration)
    if (tokens === undefined || provider === undefined) return undefined
    return expectedIssuer(provider.integration, tokens.claims) === tokens.claims.iss ? tokens : undefined
  }

  const brand = config.brand && { brand: config.brand }
  const pages: RoutePages = {
    noAccess: (who, normalised) =>
      noAccessPage({
        ...(who && { who }),
        signOutHref: places.url(PAGES.signOut, {}, places.originOf(normalised.host).origin),
        ...brand,
      }),
    sessionEnded: (status, normalised) =>
      sessionEndedPage({ status, signInHref: places.homeOf(places.originOf(normalised.host).origin), ...brand }),
    unavailable(retryAfterSeconds, request, normalised) {
      const { origin } = places.originOf(normalised.host)
      const again = request.method === 'GET' ? safeReturnTo(request.target, origin, places.origins) : undefined
      return loginFailedPage({ reason: 'unavailable', retryAfterSeconds, ...(again && { retryHref: again }), ...brand })
    },
  }

  async function answer(request: GateRequest, normalised: NormalisedRequest): Promise<Reply> {
    const { signIn, signOut } = await prepared()
    const page = normalised.path.slice(places.path.length)
    const safe = request.method === 'GET' || request.method === 'HEAD'
    if (request.kind === 'upgrade') return problem(404)
    if (page.startsWith(PAGES.callback)) {
      return signIn.callback(request, normalised, page.slice(PAGES.callback.length))
    }
    if (page.startsWith(PAGES.backChannel)) {
      return signOut.backChannel(request, normalised, page.slice(PAGES.backChannel.length))
    }
    switch (page) {
      case PAGES.signIn:
        return safe ? signIn.signInPage(request, normalised) : problem(405, { allow: 'GET' })
      case PAGES.handOff:
        return request.method === 'GET' ? signIn.handOffPage(request, normalised) : problem(405, { allow: 'GET' })
      case PAGES.signOut:
        return safe || request.method === 'POST'
          ? signOut.signOutPage(request, normalised)
          : problem(405, { allow: 'GET, POST' })
      case PAGES.signedOut:
        return safe ? signOut.signedOutPage(normalised) : problem(405, { allow: 'GET' })
      default:
        return problem(404)
    }
  }

  async function find(
    request: GateRequest,
    normalised: NormalisedRequest,
    names: readonly string[],
  ): Promise<FoundSession> {
    const { sessions } = await prepared()
    const { origin } = places.originOf(normalised.host)
    let none: FoundSession = { kind: 'none', ended: false, cookies: [] }
    let unavailable: FoundSession | undefined
    for (const integration of names) {
      const found = await sessions.find(request.headers.cookie, { origin, integration })
      if (found.kind === 'session') return found
      if (found.kind === 'unavailable') unavailable ??= found
      else none = { kind: 'none', ended: none.ended || found.ended, cookies: [...none.cookies, ...found.cookies] }
    }
    return unavailable ?? none
  }

  return {
    places,
    providers,
    pages,
    owns: (path) => path === places.path || path.startsWith(`${places.path}/`),

    answer,
    find,

    async start(request, normalised, names, returnTo, prompt) {
      return (await prepared()).signIn.start(request, normalised, names, returnTo, prompt)
    },

    redirectUrls: () =>
      [...providers.keys()].map((integration) => ({
        integration,
        callback: places.callbackUrl(integration),
        signedOut: places.url(PAGES.signedOut),
        backChannelSignOut: config.store === undefined ? null : places.url(`${PAGES.backChannel}${integration}`),
      })),

    async ready() {
      const { sessions, store } = await prepared()
      await Promise.all([
        ...[...providers.values()].map((provider) => provider.ready()),
        store?.ready(),
        sessions.ready(),
      ])
    },

    async close() {
      await (await preparing.begun?.catch(() => undefined))?.sessions.close()
    },
  }
}
