/** What the pages for people's tokens and for keys of virtual accounts share: the form, what may be wrong with it, the list. */
import { SallyportError } from '../core/errors.ts'
import type { ApiKey } from '../identity/api-keys.ts'
import { ApiKeyError } from '../identity/identity-errors.ts'
import { type Html, html } from '../pages/html.ts'
import { ago, day, table } from './view.ts'

const DAY_SECONDS = 24 * 3600

/** How long a token may be good for, in days; the third is what is meant by whoever does not choose. */
const LIFETIMES: readonly { readonly value: string; readonly label: string; readonly days?: number }[] = [
  { value: '7', label: '7 days', days: 7 },
  { value: '30', label: '30 days', days: 30 },
  { value: '90', label: '90 days', days: 90 },
  { value: '365', label: 'one year', days: 365 },
  { value: 'never', label: 'until it is revoked' },
]
const USUAL = '90'
const MINUTE_MS = 60_000
const DAY_MS = 24 * 3_600_000

/** A key as a form asks for it. */
export interface WantedKey {
  readonly name: string
  readonly ttlSeconds?: number
}

/** What a form asks for, or what is wrong with it. */
export function readKeyForm(form: URLSearchParams): WantedKey | { readonly problem: string } {
  const name = (form.get('name') ?? '').trim()
  if (name === '') return { problem: 'Give it a name, so that you know later what it is for.' }
  const lifetime = LIFETIMES.find(({ value }) => value === (form.get('lifetime') ?? USUAL))
  if (lifetime === undefined) return { problem: 'Choose how long it is to be good for.' }
  return { name, ...(lifetime.days === undefined ? {} : { ttlSeconds: lifetime.days * DAY_SECONDS }) }
}

/** What somebody is told whose key could not be made; `undefined` where it is not theirs to mend. */
export function keyProblem(error: unknown): string | undefined {
  if (error instanceof ApiKeyError) {
    return error.reason === 'limit'
      ? 'There are as many as there may be already. Revoke one that is no longer used.'
      : 'A name has 1 to 100 characters, and none of them is a control character.'
  }
  if (error instanceof SallyportError && error.code === 'ERR_UNKNOWN_PERSON') {
    return 'No token can be made for your account. Sign out, sign in again, and ask whoever runs this site if that does not help.'
  }
  return undefined
}

/** The fields of the form, as they were filled in before. */
export function keyFields(form: URLSearchParams, problem: string | undefined, more?: Html): Html {
  const chosen = form.get('lifetime') ?? USUAL
  const name = html`<input type="text" id="name" name="name" value="${form.get('name')}" maxlength="100" required aria-describedby="name-hint">`
  return html`${problem !== undefined && html`<p class="problem" role="alert">${problem}</p>\n`}<div class="fields">
<div class="field"><label for="name">What is it for?</label>
${name}
<span class="hint" id="name-hint">Such as “agent on my laptop”</span></div>
<div class="field"><label for="lifetime">Good for</label>
<select id="lifetime" name="lifetime">
${LIFETIMES.map(({ value, label }) => html`<option value="${value}" ${value === chosen && 'selected'}>${label}</option>\n`)}</select></div>
${more}</div>`
}

/** Keys, without the keys. */
export function keyTable(
  caption: string,
  keys: readonly ApiKey[],
  now: number,
  revokeHref: ((key: ApiKey) => string) | undefined,
  none: string,
): Html {
  if (keys.length === 0) return html`<div class="empty"><p>${none}</p></div>`
  const columns = [
    { label: 'Name' },
    { label: 'Begins with' },
    { label: 'Made' },
    { label: 'Last used' },
    { label: 'Good until' },
    ...(revokeHref === undefined ? [] : [{ label: 'What you can do', end: true }]),
  ]
  return table(
    caption,
    columns,
    keys.map((key) => [
      html`<bdi>${key.name}</bdi>`,
      key.prefix === undefined ? html`<span class="hushed">not known</span>` : html`<code>${key.prefix}…</code>`,
      day(key.createdAt),
      key.lastUsedAt === undefined ? 'not yet' : ago(key.lastUsedAt, now, MINUTE_MS),
      untilOf(key, now),
      ...(revokeHref === undefined
        ? []
        : [
            html`<a class="button small" href="${revokeHref(key)}">Revoke<span class="visually-hidden"> ${key.name}</span></a>`,
          ]),
    ]),
  )
}

function untilOf({ expiresAt }: ApiKey, now: number): Html | string {
  // A time that no calendar has never comes.
  if (expiresAt === undefined || Number.isNaN(new Date(expiresAt).getTime())) return 'it is revoked'
  if (expiresAt <= now) return html`<span class="problem">expired</span>`
  return expiresAt - now < 7 * DAY_MS ? html`${day(expiresAt)} <span class="hushed">soon</span>` : day(expiresAt)
}
