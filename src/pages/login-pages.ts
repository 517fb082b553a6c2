/**
 * What people see of browser login. Each page says what happened and what to do next, in words that
 * tell an attacker nothing: no claim, no token, nothing that came in a query or from a provider.
 */
import type { Reply } from '../http/gate.ts'
import { type Html, html, safeUrl } from './html.ts'
import { onwardIcon } from './icons.ts'
import { type Brand, page } from './layout.ts'

/** What every page takes. */
interface Branded {
  readonly brand?: Brand
}

export interface SignInChoiceOptions extends Branded {
  /** The providers, by the name that people know them by. */
  readonly choices: readonly { readonly label: string; readonly href: string }[]
}

/** 200: which provider to sign in with. */
export function signInChoicePage({ choices, ...rest }: SignInChoiceOptions): Reply {
  const list = choices.map(
    ({ label, href }) =>
      html`<li><a class="button choice" href="${href}"><span>${label}</span>${onwardIcon}</a></li>\n`,
  )
  const body =
    list.length > 0
      ? html`<p>Choose the account to sign in with.</p>\n<ul class="actions" role="list">\n${list}</ul>`
      : html`<p>No way to sign in has been set up yet. Please tell whoever runs this site.</p>`
  return page({ ...rest, status: 200, title: 'Sign in', body })
}

/** The field of the sign-out form that has the token against cross-site request forgery. */
export const CSRF_FIELD = 'csrf_token'

export interface SignOutOptions extends Branded {
  /** Where the form is posted. */
  readonly action: string
  /** Sent as {@link CSRF_FIELD}. */
  readonly csrfToken: string
  /** Further fields of the form, by name. */
  readonly hiddenFields?: Readonly<Record<string, string>>
  /** Whom to sign out, as that person knows it: a name or an address. */
  readonly who?: string
  /** Where to go to stay signed in. */
  readonly cancelHref?: string
}

/** 200: asks before signing out, since a link alone must not do it. */
export function signOutPage(options: SignOutOptions): Reply {
  const { action, csrfToken, hiddenFields, who, cancelHref, ...rest } = options
  const fields = Object.entries({ ...hiddenFields, [CSRF_FIELD]: csrfToken }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">\n`,
  )
  // Firefox would fill in the token of a page before.
  const body = html`${signedInAs(who)}<p>You will have to sign in again to come back.</p>
<form method="post" action="${action}" autocomplete="off">
${fields}<div class="actions">
<button class="button primary" type="submit">Sign out</button>
${cancelHref !== undefined && html`<a class="button" href="${cancelHref}">Stay signed in</a>\n`}</div>
</form>`
  return page({ ...rest, status: 200, title: 'Sign out?', body })
}

export interface SigningOutOptions extends Branded {
  /** The provider's own sign-out page. */
  readonly href: string
}

/**
 * 200: signed out here, and on to the provider. A page and not a redirect: browsers hold the redirects of a form against
 * the policy of the page that it was on, and a provider's go through hosts that nobody here knows.
 */
export function signingOutPage({ href, ...rest }: SigningOutOptions): Reply {
  const body = html`<p>You are being signed out of your identity provider too.</p>
${button('Continue', href)}`
  // As a URL it has no line break in it, and no more parameters than one.
  const headers = URL.canParse(safeUrl(href)) ? { headers: { refresh: `0;url=${new URL(safeUrl(href)).href}` } } : {}
  return page({ ...rest, status: 200, title: 'Signing out', body, ...headers })
}

export interface SignedOutOptions extends Branded {
  readonly signInHref?: string
}

/** 200: the session has ended. */
export function signedOutPage({ signInHref, ...rest }: SignedOutOptions): Reply {
  const body = html`<p>You can close this page now.</p>
${button('Sign in again', signInHref)}`
  return page({ ...rest, status: 200, title: 'You are signed out', body })
}

export interface NoAccessOptions extends Branded {
  /** Who is signed in, as that person knows it: a name or an address. */
  readonly who?: string
  readonly signOutHref?: string
}

/** 403: signed in, but this is for others. Which rule was not met is not said. */
export function noAccessPage({ who, signOutHref, ...rest }: NoAccessOptions): Reply {
  const body = html`${signedInAs(who)}<p>This page is not open to this account. If you need it, ask whoever runs this site to give you access, or sign in with another account.</p>
${button('Use another account', signOutHref)}`
  return page({ ...rest, status: 403, title: 'You do not have access', body })
}

export interface SessionEndedOptions extends Branded {
  readonly signInHref: string
  readonly status: 401 | 403
}

/** A form came after the session had ended; what was in it is still in the browser, and only there. */
export function sessionEndedPage({ signInHref, ...rest }: SessionEndedOptions): Reply {
  const body = html`<p>You were signed out before the form arrived, so <strong>nothing was saved</strong>. To keep what you typed:</p>
<ol>
<li>Sign in again in a new tab, with the button below.</li>
<li>Come back to this tab and go back to the form.</li>
<li>Send the form again.</li>
</ol>
<div class="actions"><a class="button primary" href="${signInHref}" target="_blank" rel="noopener">Sign in (new tab)</a></div>`
  return page({ ...rest, title: 'Your session has ended', body })
}

/**
 * Why a sign-in did not succeed:
 *
 * - `denied`: the person or the provider said no
 * - `expired`: it took too long, or was finished before
 * - `invalid`: the answer is not one to what this browser asked
 * - `rejected`: the provider does not accept us, which only the operator can set right
 * - `unavailable`: the provider cannot be reached
 * - `too_many`: this browser has too many unfinished sign-ins
 */
export type LoginFailure = 'denied' | 'expired' | 'invalid' | 'rejected' | 'unavailable' | 'too_many'

const FAILURES: Readonly<Record<LoginFailure, { status: number; title: string; text: string; retry: string }>> = {
  denied: {
    status: 403,
    title: 'You were not signed in',
    text: 'The sign-in was cancelled, or your account is not allowed in here. If you did not cancel it, ask whoever runs this site to give you access.',
    retry: 'Try again',
  },
  expired: {
    status: 400,
    title: 'Sign-in has expired',
    text: 'It took too long or was already finished. You may be signed in in another tab; if not, start again.',
    retry: 'Start again',
  },
  invalid: {
    status: 400,
    title: 'Sign-in could not be checked',
    text: 'To be on the safe side it was stopped: the answer does not belong to a sign-in that was started in this browser. If somebody sent you a link to this page, close it. If not, start again, and allow cookies for this site.',
    retry: 'Start again',
  },
  rejected: {
    status: 502,
    title: 'Sign-in is not working',
    text: 'The sign-in service does not accept this site, so something is not set up as it should be. You cannot change that from here; please tell whoever runs this site.',
    retry: 'Try again',
  },
  unavailable: {
    status: 503,
    title: 'Sign-in is not available right now',
    text: 'The sign-in service does not answer. This is often over soon: please try again in a moment.',
    retry: 'Try again',
  },
  too_many: {
    status: 400,
    title: 'Too many unfinished sign-ins',
    text: 'Several sign-ins were started in this browser and not finished. Finish one of them or close their tabs, and try again in a few minutes.',
    retry: 'Try again',
  },
}
/** RFC 9110 §10.2.3 */
const RETRY_AFTER_SECONDS = 10

export interface LoginFailedOptions extends Branded {
  readonly reason: LoginFailure
  /** A short id by which the operator finds the event. */
  readonly reference?: string
  readonly retryHref?: string
  /** For `unavailable`; 10 by default. */
  readonly retryAfterSeconds?: number
}

/** 400, 403, 502 or 503, by the reason: a sign-in did not succeed. */
export function loginFailedPage(options: LoginFailedOptions): Reply {
  const { reason, reference, retryHref, retryAfterSeconds = RETRY_AFTER_SECONDS, ...rest } = options
  const { status, title, text, retry } = FAILURES[reason]
  const body = html`<p>${text}</p>
${button(retry, retryHref)}${
  reference !== undefined &&
  html`<p class="quiet note">If you ask for help, pass on this reference: <code>${reference}</code></p>`
}`
  const headers = reason === 'unavailable' ? { headers: { 'retry-after': String(retryAfterSeconds) } } : {}
  return page({ ...rest, ...headers, status, title, body })
}

/** Isolated, so that its direction does not turn the text around it. */
function signedInAs(who: string | undefined): Html | undefined {
  return who === undefined ? undefined : html`<p>You are signed in as <bdi>${who}</bdi>.</p>\n`
}

function button(label: string, href: string | undefined): Html | undefined {
  if (href === undefined) return undefined
  return html`<div class="actions"><a class="button primary" href="${href}">${label}</a></div>\n`
}
