/** Signing out: here, at the provider (RP-initiated), and from afar (back-channel). */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { messageOf, SealError, StoreError } from '../core/errors.ts'
import type { Sealer } from '../core/sealing.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import { kindOfRequest } from '../http/navigation.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { readForm } from '../http/parameters.ts'
import { redirect, withCookies } from '../http/redirect.ts'
import { problem } from '../http/replies.ts'
import { isSameOrigin } from '../http/same-origin.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import { safeReturnTo } from '../match/return-to.ts'
import { CSRF_FIELD, noAccessPage, signedOutPage, signingOutPage, signOutPage } from '../pages/login-pages.ts'
import type { LoginConfig } from './config.ts'
import type { LoginEvent } from './events.ts'
import { logoutTokenOf } from './logout-token.ts'
import { PAGES, type Places } from './places.ts'
import type { Provider } from './provider.ts'
import type { Sessions, SessionTokens } from './session.ts'

/** What signing out works with. */
export interface SignOutParts {
  readonly config: LoginConfig
  readonly places: Places
  readonly providers: ReadonlyMap<string, Provider>
  readonly sessions: Sessions
  readonly forms: Sealer
  readonly verify: TokenVerifier
  readonly clock: Clock
  tell(event: Pick<LoginEvent, 'kind' | 'integration'> & Partial<LoginEvent>): void
}

/** Signing out, step by step. */
export interface SignOutSteps {
  signOutPage(request: GateRequest, normalised: NormalisedRequest): Promise<Reply>
  signedOutPage(normalised: NormalisedRequest): Reply
  /** OpenID Connect Back-Channel Logout 1.0 §2.5. */
  backChannel(request: GateRequest, normalised: NormalisedRequest, name: string): Promise<Reply>
}

const FORM_MS = 60 * 60_000

/** See the top of the file. */
export function createSignOut(parts: SignOutParts): SignOutSteps {
  const { config, places, providers, sessions, forms, verify, clock, tell } = parts
  const { brand } = config

  const formPlace = (origin: string) => `sign-out ${origin}`

  async function formToken(origin: string, cookieHeader: string | undefined): Promise<string> {
    const content = { at: clock.now(), sessions: await digest(origin, cookieHeader) }
    return forms.sealText(JSON.stringify(content), formPlace(origin))
  }

  /** Whether a form is one of ours, made for this browser. */
  async function isOurs(token: string, origin: string, cookieHeader: string | undefined): Promise<boolean> {
    try {
      const { at, sessions: named }: { at: number; sessions: string } = JSON.parse(
        (await forms.openText(token, formPlace(origin))).plaintext,
      )
      return clock.now() - at < FORM_MS && named === (await digest(origin, cookieHeader))
    } catch {
      return false
    }
  }

  /** What names this browser in a form: its sessions. Their cookies are renewed while the form is open. */
  async function digest(origin: string, cookieHeader: string | undefined): Promise<string> {
    const names = [...providers.keys()].map((integration) => sessions.nameOf(cookieHeader, { origin, integration }))
    return createHash('sha256')
      .update(JSON.stringify(await Promise.all(names)))
      .digest('base64url')
  }

  /** Where the provider's own sign-out page is, with what it wants to know (OpenID Connect RP-Initiated Logout 1.0 §2). */
  async function providerSignOut(provider: Provider, tokens: SessionTokens): Promise<string | undefined> {
    if (config.signOut === 'local') return undefined
    const { endSessionUrl } = await provider.metadata()
    if (endSessionUrl === undefined) return undefined
    const { clientId, logoutReturnParameter = 'post_logout_redirect_uri' } = provider.oauth2
    const url = new URL(endSessionUrl)
    url.searchParams.set('client_id', clientId)
    if (tokens.idToken !== undefined && logoutReturnParameter === 'post_logout_redirect_uri') {
      url.searchParams.set('id_token_hint', tokens.idToken)
    }
    url.searchParams.set(logoutReturnParameter, places.url(PAGES.signedOut))
    return url.href
  }

  /** Where people go afterwards, if not to the page that says so; sent on from there to itself, they would turn in circles. */
  function afterSignOut(origin: string): string | undefined {
    const after = safeReturnTo(config.afterSignOut, origin, places.origins)
    return after === undefined || new URL(after).pathname === `${places.path}${PAGES.signedOut}` ? undefined : after
  }

  /** Ends every session of this browser on `origin`. */
  async function signOut(request: GateRequest, normalised: NormalisedRequest, origin: string): Promise<Reply> {
    const cookies: string[] = []
    let next: string | undefined
    for (const provider of providers.values()) {
      const { name } = provider
      const ended = await sessions.end(request.headers.cookie, { origin, integration: name })
      cookies.push(...ended.cookies)
      if (ended.tokens === undefined) continue
      const who = provider.judged.identify(ended.tokens.claims)
      tell({
        kind: 'signed_out',
        integration: name,
        id: who.id ?? null,
        subject: who.subject ?? null,
        clientAddress: normalised.clientAddress,
      })
      next ??= await providerSignOut(provider, ended.tokens).catch(() => undefined)
    }
    const after = afterSignOut(origin)
    const reply =
      next !== undefined && request.method === 'POST'
        ? withCookies(signingOutPage({ href: next, ...(brand && { brand }) }), cookies)
        : redirect(303, next ?? after ?? places.url(PAGES.signedOut, {}, origin), cookies)
    // The pages that the back button would show.
    return { ...reply, headers: { ...reply.headers, 'clear-site-data': '"cache"' } }
  }

  async function who(request: GateRequest, origin: string): Promise<string | undefined> {
    for (const provider of providers.values()) {
      const found = await sessions
        .find(request.headers.cookie, { origin, integration: provider.name })
        .catch((error: unknown) => {
          // A session that cannot be opened can be ended all the same: the page comes without a name.
          if (error instanceof SealError) return undefined
          throw error
        })
      if (found?.kind === 'session') return displayName(found.tokens.claims)
    }
    return undefined
  }

  return {
    async signOutPage(request, normalised) {
      const { origin } = places.originOf(normalised.host)
      if (request.method === 'POST') {
        const form = await readForm(request)
        const token = form?.get(CSRF_FIELD)
        // The application's own forms have no token of ours; then the browser's word for the origin must do.
        const ours = typeof token !== 'string' || (await isOurs(token, origin, request.headers.cookie))
        return ours && isSameOrigin(request, origin) ? signOut(request, normalised, origin) : refused()
      }
      // A click on a link of our own; from elsewhere, or ahead of a click, a GET changes nothing.
      const clicked =
        request.method === 'GET' &&
        request.headers['sec-fetch-site'] === 'same-origin' &&
        request.headers['sec-fetch-user'] === '?1' &&
        kindOfRequest(request) === 'navigation'
      if (clicked) return signOut(request, normalised, origin)
      const name = await who(request, origin)
      return signOutPage({
        action: places.url(PAGES.signOut, {}, origin),
        csrfToken: await formToken(origin, request.headers.cookie),
        cancelHref: places.homeOf(origin),
        ...(name && { who: name }),
        ...(brand && { brand }),
      })
    },

    signedOutPage(normalised) {
      const { origin } = places.originOf(normalised.host)
      const after = afterSignOut(origin)
      if (after !== undefined) return redirect(303, after)
      return signedOutPage({ signInHref: places.homeOf(origin), ...(brand && { brand }) })
    },

    async backChannel(request, normalised, name) {
      const provider = providers.get(name)
      if (provider === undefined || sessions.endAll === undefined) return problem(404)
      if (request.method !== 'POST') return problem(405, { allow: 'POST' })
      const tokens = (await readForm(request))?.getAll('logout_token') ?? []
      const token = tokens.length === 1 ? (tokens[0] ?? '') : ''
      const found = await logoutTokenOf(token, provider, verify, clock)
      if (found.kind === 'unavailable') return problem(503, { 'retry-after': '5' })
      if (found.kind === 'bad') {
        tell({
          kind: 'failed',
          integration: name,
          reason: 'invalid',
          detail: `back-channel sign-out: ${found.detail}`,
          clientAddress: normalised.clientAddress,
        })
        return problem(400, {}, 'the logout token is not accepted')
      }
      try {
        const ended = await sessions.endAll(found)
        // A provider also reports what the person has ended here, and then there is none left.
        if (ended > 0) {
          tell({
            kind: 'ended',
            integration: name,
            subject: found.subject ?? null,
            detail: `${ended} ${ended === 1 ? 'session' : 'sessions'}`,
            clientAddress: normalised.clientAddress,
          })
        }
        return { status: 200, headers: { 'cache-control': 'no-store' }, body: '' }
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        tell({ kind: 'failed', integration: name, reason: 'unavailable', detail: messageOf(error) })
        return problem(503, { 'retry-after': '5' })
      }
    },
  }

  function refused(): Reply {
    return noAccessPage({ ...(brand && { brand }) })
  }
}

/** What a person is shown as. */
export function displayName(claims: Readonly<Record<string, unknown>>): string | undefined {
  const name = claims.name ?? claims.email ?? claims.preferred_username
  return typeof name === 'string' && name !== '' ? name.slice(0, 100) : undefined
}
