/** Routes with `login: true`: from a browser's session to a verdict, and what a browser without one is told. */
import { isOutage, messageOf } from '../core/errors.ts'
import { deepFreeze } from '../core/freeze.ts'
import type { Auth, GateRequest, Reply } from '../http/gate.ts'
import { keeping } from '../http/keeping.ts'
import { kindOfRequest } from '../http/navigation.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { withCookies } from '../http/redirect.ts'
import { problem } from '../http/replies.ts'
import { isSameOrigin, needsSameOrigin } from '../http/same-origin.ts'
import type { TokenIntegration } from '../jwt/token-verifier.ts'
import type { Login } from '../login/create-login.ts'
import type { SessionTokens } from '../login/session.ts'
import { displayName } from '../login/sign-out.ts'
import type { RefusedVerdict, Verdict } from './verdict.ts'

/** What a session route works with. */
export interface SessionRouteSettings {
  readonly name: string
  readonly integrations: readonly TokenIntegration[]
  readonly login: Login
  judgeClaims(claims: Readonly<Record<string, unknown>>, auth: Auth): Verdict
  /** The answers for everything that is no page load. */
  readonly missing: Reply
  readonly forbidden: Reply
}

/**
 * Judges requests without a token, or with one in a cookie that is not good.
 *
 * @param badCookie - the refusal of such a token: what a script without a session is told
 */
export type SessionRoute = (
  request: GateRequest,
  normalised: NormalisedRequest,
  badCookie?: RefusedVerdict,
) => Promise<Verdict>

/** Makes one. */
export function createSessionRoute(settings: SessionRouteSettings): SessionRoute {
  const { name, integrations, login, judgeClaims, missing, forbidden } = settings
  const withLogin = integrations.filter((integration) => login.providers.has(integration.name))
  const names = withLogin.map((integration) => integration.name)

  /** What a page load gets where there is no session. */
  async function withoutSession(
    request: GateRequest,
    normalised: NormalisedRequest,
    ended: boolean,
    cookies: readonly string[],
    badCookie: RefusedVerdict | undefined,
  ): Promise<Verdict> {
    const reason = badCookie?.reason ?? (ended ? 'session_ended' : 'no_credentials')
    const detail = badCookie?.detail
    switch (kindOfRequest(request)) {
      case 'navigation':
        return {
          kind: 'refuse',
          reply: withCookies(await login.start(request, normalised, names), cookies),
          reason: 'login',
          detail,
        }
      case 'form': {
        const reply = login.pages.sessionEnded(missing.status === 401 ? 401 : 403, normalised)
        return { kind: 'refuse', reply: withCookies(reply, cookies), reason, detail }
      }
      default:
        return { kind: 'refuse', reply: withCookies(badCookie?.reply ?? missing, cookies), reason, detail }
    }
  }

  function refused(
    request: GateRequest,
    normalised: NormalisedRequest,
    tokens: SessionTokens,
    verdict: Verdict,
  ): Verdict {
    if (verdict.kind === 'pass' || kindOfRequest(request) === 'script') return verdict
    return { ...verdict, reply: login.pages.noAccess(displayName(tokens.claims), normalised) }
  }

  /** A session of any of the integrations is enough: one that cannot be had or is refused hides none that follows. */
  async function authenticate(
    request: GateRequest,
    normalised: NormalisedRequest,
    badCookie: RefusedVerdict | undefined,
  ): Promise<Verdict> {
    let refusal: Verdict | undefined
    let retryAfterMs: number | undefined
    let ended = false
    const cleared: string[] = []
    for (const integration of withLogin) {
      const found = await login.find(request, normalised, [integration.name])
      if (found.kind === 'unavailable') {
        retryAfterMs ??= found.retryAfterMs
        continue
      }
      if (found.kind === 'none') {
        ended ||= found.ended
        cleared.push(...found.cookies)
        continue
      }
      if (needsSameOrigin(request) && !isSameOrigin(request, login.places.originOf(normalised.host).origin)) {
        return { kind: 'refuse', reply: forbidden, reason: 'cross_origin' }
      }
      const verdict = judge(integration, found.tokens)
      if (verdict.kind === 'pass') {
        const { cookies } = found
        return { ...verdict, headers: { ...keeping(request), ...(cookies.length > 0 && { 'set-cookie': cookies }) } }
      }
      refusal ??= refused(request, normalised, found.tokens, verdict)
    }
    if (retryAfterMs !== undefined) return unavailable(request, normalised, retryAfterMs, 'the session cannot be had')
    return refusal ?? withoutSession(request, normalised, ended, cleared, badCookie)
  }

  function judge(integration: TokenIntegration, tokens: SessionTokens): Verdict {
    const { subject, id } = integration.identify(tokens.claims)
    const auth: Auth = Object.freeze({
      type: 'session',
      route: name,
      integration: tokens.integration,
      // The store's cache hands the same object to every request.
      claims: deepFreeze(tokens.claims),
      ...(subject === undefined || id === undefined ? {} : { subject, id }),
    })
    return judgeClaims(tokens.claims, auth)
  }

  function unavailable(
    request: GateRequest,
    normalised: NormalisedRequest,
    retryAfterMs: number,
    detail: string,
    error?: unknown,
  ): Verdict {
    const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000))
    const page = kindOfRequest(request) === 'script' ? undefined : login.pages.unavailable(seconds, request, normalised)
    const reply = page ?? problem(503, { 'retry-after': String(seconds) })
    return { kind: 'refuse', reply, reason: 'session_unavailable', detail, error }
  }

  return async (request, normalised, badCookie) => {
    try {
      return await authenticate(request, normalised, badCookie)
    } catch (error) {
      if (isOutage(error)) {
        return unavailable(request, normalised, 1_000, messageOf(error), error)
      }
      throw error
    }
  }
}
