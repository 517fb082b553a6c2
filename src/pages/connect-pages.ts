/**
 * What people see when they connect an account of theirs for an agent to use. Each page says what happened and what to do
 * next; nothing on it came in a query or from an authorization server.
 */
import type { Reply } from '../http/gate.ts'
import { type Html, html } from './html.ts'
import { type Brand, page } from './layout.ts'
import { CSRF_FIELD } from './login-pages.ts'
import { scopeWords } from './scope-words.ts'

/** What every page takes. */
interface Branded {
  readonly brand?: Brand
}

export interface ConnectPageOptions extends Branded {
  /** The server, as people know it. */
  readonly label: string
  /** What it is for, in a sentence. */
  readonly description?: string
  /** Where its MCP endpoint is: a host. */
  readonly serverHost: string
  /** Where people will be asked to agree: the host of the authorization server. */
  readonly authorizationHost: string
  readonly scopes: readonly string[]
  /** Who is signed in, as that person knows it. Absent where nobody has to be. */
  readonly who?: string
  /** Whose connection it will be, where that is not the person: `true` where its name is not known. */
  readonly owner?: string | true
  /** Where the person can sign in as somebody else. */
  readonly switchHref?: string
  /** Where the person can go who does not want to connect anything. */
  readonly cancelHref?: string
  /** Where the form is posted. */
  readonly action: string
  readonly csrfToken: string
}

/** 200: asks before anything happens, since a link alone must not do it. */
export function connectPage(options: ConnectPageOptions): Reply {
  const { label, description, serverHost, authorizationHost, scopes, who, owner, switchHref, cancelHref } = options
  const { action, csrfToken, brand } = options
  const other = switchHref !== undefined && html` <a href="${switchHref}">Not you? Use another account</a>`
  const body = html`${who !== undefined && html`<p>You are signed in as <bdi>${who}</bdi>.${other}</p>\n`}<p>You are about to let agents use <strong><bdi>${label}</bdi></strong> (${serverHost}) ${forWhom(owner)}. You will be asked to agree at <strong>${authorizationHost}</strong>.</p>
${description !== undefined && html`<p dir="auto">${description}</p>\n`}${
  scopes.length > 0 &&
  html`<p>It asks for:</p>
<ul>
${scopes.map(scopeItem)}</ul>
`
}<p>If you did not start this yourself, close this page.</p>
<form method="post" action="${action}" autocomplete="off">
<input type="hidden" name="${CSRF_FIELD}" value="${csrfToken}">
<div class="actions">
<button class="button primary" type="submit">Connect</button>
${cancelHref !== undefined && html`<a class="button" href="${cancelHref}">Cancel</a>\n`}</div>
</form>`
  const title = `Connect ${label}`
  return page({ ...(brand && { brand }), status: 200, title, body, formTargets: 'anywhere' })
}

/** In plain words where there are any; always with the name, which is what the authorization server will be asked for. */
function scopeItem(scope: string): Html {
  const words = scopeWords(scope)
  return html`<li>${words !== undefined && `${words} `}<code>${scope}</code></li>\n`
}

function forWhom(owner: string | true | undefined): Html {
  if (owner === undefined) return html`for you`
  if (owner === true) return html`for a shared account. Whoever uses that account will act with <em>your</em> access`
  return html`for the shared account <strong><bdi>${owner}</bdi></strong>. Whoever uses that account will act with <em>your</em> access`
}

export interface ConnectedOptions extends Branded {
  readonly label: string
}

/** 200: done. */
export function connectedPage({ label, ...rest }: ConnectedOptions): Reply {
  const body = html`<p>You can close this page and go back to your agent: it can use <bdi>${label}</bdi> now. What did not work before will work when it tries again.</p>`
  return page({ ...rest, status: 200, title: `${label} is connected`, body })
}

export interface ConnectCancelledOptions extends Branded {
  /** The link, which is still good. */
  readonly retryHref: string
}

/** 200: the person has changed their mind. Says nothing of what it was about: whoever has the link can come here. */
export function connectCancelledPage({ retryHref, ...rest }: ConnectCancelledOptions): Reply {
  const body = html`<p>Nothing has happened: no agent can use your account by this. You can close this page, or go back if you have changed your mind.</p>
<div class="actions"><a class="button" href="${retryHref}">Go back</a></div>`
  return page({ ...rest, status: 200, title: 'Not connected', body })
}

/** 404: the link is used, too old, or never was one. The three look alike. */
export function linkGonePage(rest: Branded): Reply {
  const body = html`<p>Such links work once and for a few minutes only. If you have connected already, close this page and go back to your agent; if not, ask your agent to try again, and it will give you a new link.</p>`
  return page({ ...rest, status: 404, title: 'This link is not valid any more', body })
}

/**
 * Why connecting did not succeed:
 *
 * - `denied`: the person or the authorization server said no
 * - `expired`: it took too long, or was finished before
 * - `invalid`: the form or the answer is not one to what this browser asked
 * - `rejected`: the authorization server does not accept us, which only the operator can set right
 * - `unavailable`: something that is needed does not answer
 * - `other_person`: the link is for somebody else's browser
 * - `signed_out`: the person is not signed in any more
 * - `no_access`: the person may not use the server
 */
export type ConnectFailure =
  | 'denied'
  | 'expired'
  | 'invalid'
  | 'rejected'
  | 'unavailable'
  | 'other_person'
  | 'signed_out'
  | 'no_access'

const FAILURES: Readonly<Record<ConnectFailure, { status: number; title: string; text: string; retry: string }>> = {
  denied: {
    status: 403,
    title: 'Not connected',
    text: 'It was cancelled, or your account there does not allow it. Nothing has changed.',
    retry: 'Try again',
  },
  expired: {
    status: 400,
    title: 'This has expired',
    text: 'It took too long, was already finished, or its settings have changed. If your agent works now, close this page; if not, ask it to try again.',
    retry: 'Start again',
  },
  invalid: {
    status: 400,
    title: 'This could not be checked',
    text: 'To be on the safe side it was stopped: the answer does not belong to anything that was started in this browser. If somebody sent you here, close this page. If not, start again, and allow cookies for this site.',
    retry: 'Start again',
  },
  rejected: {
    status: 502,
    title: 'Connecting is not working',
    text: 'The other side does not accept this site, so something is not set up as it should be. You cannot change that from here; please tell whoever runs this site.',
    retry: 'Try again',
  },
  unavailable: {
    status: 503,
    title: 'This is not available right now',
    text: 'Something that is needed does not answer. This is often over soon: please try again in a moment.',
    retry: 'Try again',
  },
  other_person: {
    status: 403,
    title: 'This link is for somebody else',
    text: 'It was made for another account than the one you are signed in with, and only that person can use it. If somebody sent it to you, close this page: it would have let their agent use your account.',
    retry: 'Use another account',
  },
  signed_out: {
    status: 403,
    title: 'You were signed out',
    text: 'So it was stopped, and nothing was connected.',
    retry: 'Start again',
  },
  no_access: {
    status: 403,
    title: 'You do not have access',
    text: 'This account may not use this server (any more). If you need it, ask whoever runs this site to give you access.',
    retry: 'Try again',
  },
}
/** RFC 9110 §10.2.3 */
const RETRY_AFTER_SECONDS = 10

export interface ConnectFailedOptions extends Branded {
  readonly reason: ConnectFailure
  /** The server, as people know it. */
  readonly label?: string
  /** Who is signed in, as that person knows it. */
  readonly who?: string
  /** A short id by which the operator finds the event. */
  readonly reference?: string
  readonly retryHref?: string
  /** The application that the person came from. */
  readonly backHref?: string
}

/** What the text says is to close the page: nothing may look like more than a way out for the few who have two accounts. */
function retryClass(reason: ConnectFailure): string {
  return reason === 'other_person' ? 'button' : 'button primary'
}

/** 400, 403, 502 or 503, by the reason: nothing was connected. */
export function connectFailedPage(options: ConnectFailedOptions): Reply {
  const { reason, label, who, reference, retryHref, backHref, ...rest } = options
  const { status, title, text, retry } = FAILURES[reason]
  const links = [
    retryHref !== undefined && html`<a class="${retryClass(reason)}" href="${retryHref}">${retry}</a>\n`,
    backHref !== undefined && html`<a class="button" href="${backHref}">Go back</a>\n`,
  ]
  const body = html`${who !== undefined && html`<p>You are signed in as <bdi>${who}</bdi>.</p>\n`}${
    label !== undefined && html`<p>You were about to connect <bdi>${label}</bdi>.</p>\n`
  }<p>${text}</p>
${(retryHref ?? backHref) !== undefined && html`<div class="actions">${links}</div>\n`}${
  reference !== undefined &&
  html`<p class="quiet note">If you ask for help, pass on this reference: <code>${reference}</code></p>`
}`
  const headers = reason === 'unavailable' ? { headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } } : {}
  return page({ ...rest, ...headers, status, title, body })
}
