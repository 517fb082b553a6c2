/**
 * Where browsers are sent in the course of a sign-in: off to the provider, over to the login's origin, and on to where they
 * wanted to go; or the page that says what went wrong.
 */
import { randomBytes } from 'node:crypto'
import { messageOf } from '../core/errors.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { redirect } from '../http/redirect.ts'
import { AuthorizationError } from '../oauth/authorization-error.ts'
import { type LoginFailure, loginFailedPage } from '../pages/login-pages.ts'
import { PAGES } from './places.ts'
import type { Provider } from './provider.ts'
import type { SignInParts } from './sign-in-parts.ts'
import type { SignInWish, Transaction } from './transaction.ts'

/** See the top of the file. */
export type Sending = ReturnType<typeof createSending>

/** See the top of the file. */
export function createSending({ config, places, transactions, handOffs, tell }: SignInParts) {
  const { brand } = config

  /** A page that says what went wrong; the operator finds the same reference in the event. */
  function failed(
    reason: LoginFailure,
    integration: string | null,
    normalised: NormalisedRequest,
    detail: string,
    retryHref?: string,
    why = detail,
  ): Reply {
    const reference = randomBytes(5).toString('hex')
    const { clientAddress } = normalised
    tell({ kind: 'failed', integration, reason, detail, reference, clientAddress }, why)
    return loginFailedPage({ reason, reference, ...(retryHref && { retryHref }), ...(brand && { brand }) })
  }

  /** Off to the provider, from the login's origin. */
  async function authorize(
    request: GateRequest,
    normalised: NormalisedRequest,
    provider: Provider,
    wish: SignInWish,
  ): Promise<Reply> {
    const { name } = provider
    const { prompt } = wish
    const crossSitePost = provider.oauth2.responseMode === 'form_post'
    const begun = await transactions.begin(name, wish, request.headers.cookie, crossSitePost)
    const { state, nonce, verifier } = begun.transaction
    try {
      const url = await provider.client.authorizationUrl({
        redirectUri: places.callbackUrl(name),
        state,
        verifier,
        ...(provider.scopes.includes('openid') ? { nonce } : {}),
        ...(prompt === undefined ? {} : { parameters: { prompt: promptOf(provider, prompt) } }),
      })
      tell({ kind: 'started', integration: name, clientAddress: normalised.clientAddress })
      return redirect(request.method === 'POST' ? 303 : 302, url, begun.cookies)
    } catch (error) {
      return failed(failureOf(error), name, normalised, messageOf(error), tryAgain(name, wish.returnTo))
    }
  }

  /** Over to the login's origin, from `origin`: the provider's answer comes there, and looks for the attempt's cookie. */
  function toLogin(
    request: GateRequest,
    origin: string,
    parameters: { integration: string | undefined; return_to: string; prompt?: string | undefined },
  ): Reply {
    const comesBack = origin !== places.login && new URL(parameters.return_to).origin === origin
    if (!comesBack) return redirect(302, places.url(PAGES.signIn, parameters))
    const { hop, cookies } = handOffs.ask(request.headers.cookie)
    return redirect(302, places.url(PAGES.signIn, { ...parameters, hop }), cookies)
  }

  function tryAgain(integration: string, returnTo: string): string {
    return places.url(PAGES.signIn, { integration, return_to: returnTo })
  }

  /** Over to the origin of `returnTo`, or back there right away. */
  async function goOn(
    transaction: Pick<Transaction, 'integration' | 'returnTo' | 'hop'>,
    handle: string,
    cookies: readonly string[],
  ): Promise<Reply> {
    const { integration, returnTo, hop } = transaction
    const { origin } = new URL(returnTo)
    if (hop === undefined || origin === places.login) return redirect(303, returnTo, cookies)
    const ticket = await handOffs.give({ integration, returnTo, handle }, hop)
    return redirect(303, places.url(PAGES.handOff, { ticket }, origin), cookies)
  }

  return { failed, authorize, toLogin, tryAgain, goOn }
}

/** Why a person reads that it has failed. */
export function failureOf(error: unknown): LoginFailure {
  return error instanceof AuthorizationError ? error.kind : 'unavailable'
}

/** The one provider that knows no `login`: its `select_account` lets people sign in as somebody else, too. */
function promptOf({ integration }: Provider, prompt: string): string {
  return prompt === 'login' && integration.issuer === 'https://accounts.google.com' ? 'select_account' : prompt
}
