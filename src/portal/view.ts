/** What the pages repeat: the page around them, tables, addresses to copy, times, forms. */

import type { Reply } from '../http/gate.ts'
import type { Identity } from '../identity/sign-in.ts'
import { displayName } from '../login/sign-out.ts'
import { type Html, type HtmlValue, html } from '../pages/html.ts'
import { type NavigationLink, page } from '../pages/layout.ts'
import { CSRF_FIELD } from '../pages/login-pages.ts'
import { NOTES } from './notes.ts'
import type { PortalParts, Visit } from './parts.ts'
import { scriptElement } from './script.ts'

/** A page of somebody who is signed in. */
export interface View {
  readonly title: string
  /** What is above it: which link of the bar is current. */
  readonly section: Section
  /** What the page is for, in a sentence. */
  readonly lead?: HtmlValue
  readonly body: HtmlValue
  readonly status?: number
}

/** The parts of the pages. */
export type Section = 'servers' | 'virtual' | 'tokens' | 'own-accounts' | AdminSection

/** The parts that administrators have. */
export type AdminSection = 'accounts' | 'access' | 'connections' | 'audit' | 'checks'

const ADMIN: readonly { readonly section: AdminSection; readonly label: string }[] = [
  { section: 'accounts', label: 'Virtual accounts' },
  { section: 'access', label: 'Who may use what' },
  { section: 'connections', label: 'Connections' },
  { section: 'audit', label: 'Latest events' },
  { section: 'checks', label: 'Checks' },
]

/** The whole page. */
export async function show(parts: PortalParts, visit: Visit, view: View): Promise<Reply> {
  const { path, brand, signIn } = parts
  const { section, title, lead, body, status = 200 } = view
  const [servers, accounts] = await Promise.all([visit.servers(), visit.accounts()])
  const isAdmin = ADMIN.some((each) => each.section === section)
  const link = (label: string, href: string, current: boolean): NavigationLink => ({ label, href, current })
  const links = [
    link('Servers', path, section === 'servers'),
    ...(servers.some(({ kind }) => kind === 'virtual')
      ? [link('Virtual servers', `${path}/virtual`, section === 'virtual')]
      : []),
    link('Access tokens', `${path}/tokens`, section === 'tokens'),
    ...(accounts.length > 0 ? [link('My virtual accounts', `${path}/accounts`, section === 'own-accounts')] : []),
    ...(servers.some(({ role }) => role === 'admin')
      ? [link('Administration', `${path}/admin/accounts`, isAdmin)]
      : []),
  ]
  const note = visit.note === undefined ? undefined : NOTES[visit.note]
  return page({
    title,
    status,
    ...(brand && { brand }),
    navigation: { homeHref: path, links, who: nameOf(visit.identity), signOutHref: signIn.signOutUrl },
    script: scriptElement,
    body: html`${lead !== undefined && html`<p class="lead">${lead}</p>\n`}${isAdmin && subNavigation(path, section)}${
      note !== undefined && html`<div class="note-box good" role="status"><p>${note}</p></div>\n`
    }${body}<p id="said" class="visually-hidden" role="status"></p>`,
  })
}

function subNavigation(path: string, current: Section): Html {
  return html`<nav class="sub" aria-label="Administration"><ul role="list">
${ADMIN.map(({ section, label }) => {
  const href = `${path}/admin/${section}`
  return html`<li>${section === current ? html`<a href="${href}" aria-current="page">${label}</a>` : html`<a href="${href}">${label}</a>`}</li>\n`
})}</ul></nav>
`
}

/** What somebody is shown as. */
export function nameOf({ claims, email, subject }: Identity): string {
  return displayName(claims) ?? email ?? subject
}

/** A column of a table; `end` is for what can be done with a row. */
export interface Column {
  readonly label: string
  readonly end?: boolean
}

/** A table, of which a phone makes cards. The roles are there because `display` takes them away from some browsers. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly HtmlValue[])[]): Html {
  return html`<div class="scroll"><table role="table">
<caption class="visually-hidden">${caption}</caption>
<thead role="rowgroup"><tr role="row">
${columns.map(({ label, end }) =>
  end
    ? html`<th class="end" role="columnheader" scope="col"><span class="visually-hidden">${label}</span></th>\n`
    : html`<th role="columnheader" scope="col">${label}</th>\n`,
)}</tr></thead>
<tbody role="rowgroup">
${rows.map(
  (row) => html`<tr role="row">
${row.map((cell, index) =>
  columns[index]?.end
    ? html`<td class="end" role="cell">${cell}</td>\n`
    : html`<td role="cell" data-label="${columns[index]?.label}"><div>${cell}</div></td>\n`,
)}</tr>\n`,
)}</tbody>
</table></div>
`
}

/** A text to be copied, in one line. The button is there where the script is. */
export function copyLine(id: string, what: string, text: string): Html {
  return html`<div class="address"><code id="${id}">${text}</code>${copyButton(id, what)}</div>
`
}

/** The same for several lines. */
export function copyBlock(id: string, what: string, text: string): Html {
  return html`<div class="code"><pre><code id="${id}">${text}</code></pre>${copyButton(id, what)}</div>
`
}

function copyButton(id: string, what: string): Html {
  return html`<button class="button small" type="button" hidden data-copy="${id}" aria-label="Copy ${what}">Copy</button>`
}

/** The hidden field that makes a form one of ours. */
export function csrfField({ csrf }: Visit): Html {
  return html`<input type="hidden" name="${CSRF_FIELD}" value="${csrf}">`
}

/** A short word for a state, with a colour that says no more than the word. */
export function badge(text: string, kind: 'good' | 'warn' | 'bad' | 'idle' | 'plain' = 'plain'): Html {
  return html`<span class="badge ${kind}">${text}</span>`
}

/** A day; the time is in its title. In UTC, since nobody has told which zone the browser is in. */
export function day(at: number): Html {
  const iso = isoOf(at)
  return html`<time datetime="${iso}" title="${stampOf(iso)}">${dayFormat.format(new Date(iso))}</time>`
}

/** A day and a time, to the second. */
export function moment(at: number): Html {
  const iso = isoOf(at)
  return html`<time datetime="${iso}">${stampOf(iso, true)}</time>`
}

/** How long ago, as coarsely as `atLeastMs` says that it is known. */
export function ago(at: number, now: number, atLeastMs: number): Html {
  const iso = isoOf(at)
  const words = agoWords(Math.max(0, now - at), atLeastMs)
  return html`<time datetime="${iso}" title="${stampOf(iso)}">${words}</time>`
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' })

function agoWords(ms: number, atLeastMs: number): string {
  if (ms < atLeastMs) return atLeastMs >= HOUR ? 'within the last hour' : 'just now'
  if (ms < HOUR) return count(Math.floor(ms / MINUTE), 'minute')
  if (ms < DAY) return count(Math.floor(ms / HOUR), 'hour')
  return count(Math.floor(ms / DAY), 'day')
}

function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? '' : 's'} ago`
}

/** What is no time at all, since somebody has written nonsense into a store, is the beginning of time. */
function isoOf(at: number): string {
  const date = new Date(at)
  return (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString()
}

function stampOf(iso: string, seconds = false): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, seconds ? 19 : 16)} UTC`
}
