/** Virtual accounts, for administrators: who answers for each, what it may use, and its keys (G2). */
import { setImmediate as afterThis } from 'node:timers/promises'
import type { Reply } from '../http/gate.ts'
import { redirect } from '../http/redirect.ts'
import type { NewApiKey } from '../identity/api-keys.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'
import { html } from '../pages/html.ts'
import { type AccountPower, administered, forAdmins, powerOver } from './admin-parts.ts'
import type { PortalForms } from './forms.ts'
import { keyFields, keyProblem, keyTable, readKeyForm } from './key-parts.ts'
import { usedFormPage } from './messages.ts'
import { createPagePlaces } from './page-places.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { ACCOUNT } from './path-parts.ts'
import { copyLine, csrfField, show, table } from './view.ts'

/** On one page, and how many are looked at for it at most. */
const SHOWN = 100
const LOOKED_AT = 1_000

/** An account that the person may see, and what they may do with it. */
interface Shown extends AccountPower {
  readonly account: VirtualAccount
}

/** The list, the page of each account, and its forms. */
export function accountRoutes(parts: PortalParts, forms: PortalForms): PortalRoute[] {
  const { path, gateway } = parts
  const here = `${path}/admin/accounts`
  const section = 'accounts'
  const places = createPagePlaces(parts.sealer)

  async function list(visit: Visit): Promise<Reply> {
    const own = (await administered(visit)).map(({ name }) => name)
    const place = `accounts ${visit.identity.id}`
    const after = await places.open(visit.query.get('after'), place)
    const { shown, next } = await pageOf(own, after)
    const more = next === undefined ? undefined : new URLSearchParams({ after: await places.seal(next, place) })
    const columns = [
      { label: 'Account' },
      { label: 'What it is' },
      { label: 'Who answers for it' },
      { label: 'Set up in' },
    ]
    const rows = shown.map(({ name, description, owners = [], source }) => [
      html`<a href="${`${here}/${name}`}">${name}</a>`,
      html`<bdi>${description ?? '–'}</bdi>`,
      owners.length === 0
        ? 'nobody'
        : html`<ul class="lines" role="list">${owners.map((owner) => html`<li><bdi>${owner}</bdi></li>`)}</ul>`,
      source === 'configuration' ? 'the configuration' : 'the store',
    ])
    const body =
      rows.length === 0
        ? html`<div class="empty"><p>${after === undefined && next === undefined ? 'No virtual account may use a server of yours.' : 'There are none on this page.'}</p></div>`
        : table('Virtual accounts', columns, rows)
    const lead = 'Services with an identity of their own, which may use servers that you administer.'
    const moreLink = more && html`<div class="row"><a class="button" href="${`${here}?${more}`}">More</a></div>`
    return show(parts, visit, { title: 'Virtual accounts', section, lead, body: html`${body}${moreLink}` })
  }

  /** Accounts that use a server of theirs, by name, from behind `after` on. */
  async function pageOf(
    own: readonly string[],
    after = '',
  ): Promise<{ readonly shown: readonly VirtualAccount[]; readonly next: string | undefined }> {
    const accounts = (await gateway.virtualAccounts.list()).filter(({ name }) => name > after)
    const shown: VirtualAccount[] = []
    let last: string | undefined
    for (const account of accounts.slice(0, LOOKED_AT)) {
      if (shown.length === SHOWN) break
      // Everybody else has a turn in between, however many accounts and servers there are.
      await afterThis()
      if (await parts.usesAny(account, own)) shown.push(account)
      last = account.name
    }
    return { shown, next: last === accounts.at(-1)?.name ? undefined : last }
  }

  /** The account of the path, if the person may see it. */
  async function find(visit: Visit): Promise<Shown | undefined> {
    const account = await gateway.virtualAccounts.get(visit.params[0] ?? '')
    if (account === undefined) return undefined
    const power = await powerOver(subjectOf(account), await administered(visit), gateway)
    return power.see ? { account, ...power } : undefined
  }

  async function one(visit: Visit, problem?: string): Promise<Reply | undefined> {
    const found = await find(visit)
    if (found === undefined) return undefined
    const { account, manage, uses, others } = found
    const { name, description, owners = [], groups = [] } = account
    const keys = await gateway.keys.list(subjectOf(account))
    const revokeHref = manage ? ({ id }: { readonly id: string }) => `${here}/${name}/keys/${id}/revoke` : undefined
    const body = html`<div class="card">
${description !== undefined && html`<p><bdi>${description}</bdi></p>\n`}<dl class="facts">
<dt>Who answers for it</dt><dd>${owners.length === 0 ? 'nobody' : html`<ul role="list">${owners.map((owner) => html`<li><bdi>${owner}</bdi></li>`)}</ul>`}</dd>
${groups.length > 0 && html`<dt>Groups</dt><dd>${groups.join(', ')}</dd>\n`}<dt>May use</dt><dd><ul role="list">${uses.map((server) => html`<li><bdi>${server.label}</bdi> <code>${server.name}</code></li>`)}${others > 0 && html`<li class="hushed">and ${others} more, which you do not administer</li>`}</ul></dd>
</dl></div>
<h2>Keys</h2>
${keyTable(`Keys of ${name}`, keys, parts.clock.now(), revokeHref, 'It has no keys.')}
${
  manage
    ? html`<section class="card" aria-labelledby="make"><h2 id="make">Make a key</h2>
<form method="post" action="${`${here}/${name}/keys`}" autocomplete="off">
${csrfField(visit)}
${keyFields(visit.form, problem)}
<div class="row"><button class="button primary" type="submit">Make the key</button></div>
</form></section>`
    : html`<div class="note-box"><p>You cannot make or revoke its keys: it may use servers that you do not administer, and a key would let its bearer use them too.</p></div>`
}`
    return show(parts, visit, { title: name, section, body, ...(problem === undefined ? {} : { status: 400 }) })
  }

  async function make(visit: Visit): Promise<Reply | undefined> {
    const found = await find(visit)
    if (found?.manage !== true) return undefined
    const { account } = found
    const wanted = readKeyForm(visit.form)
    if ('problem' in wanted) return one(visit, wanted.problem)
    // What the answer is made of, beside their servers: a key that is made and then cannot be shown would be nobody's.
    await visit.accounts()
    if (!(await forms.claim(visit.identity, visit.formId))) return usedFormPage(parts, `${here}/${account.name}`)
    let made: NewApiKey
    try {
      made = await gateway.keys.create(subjectOf(account), wanted)
    } catch (error) {
      await forms.release(visit.identity, visit.formId)
      const problem = keyProblem(error)
      if (problem === undefined) throw error
      return one(visit, problem)
    }
    const body = html`<div class="note-box warn"><p><strong>Copy it now.</strong> It is shown this once, and nobody can look it up again.</p></div>
${copyLine('token', 'the key', made.key)}
<div class="row"><a class="button" href="${`${here}/${account.name}`}">I have copied it</a></div>`
    const lead = html`A new key of ${account.name}, “<bdi>${made.name}</bdi>”`
    return show(parts, visit, { title: 'The key is ready', section, lead, body })
  }

  async function ask(visit: Visit): Promise<Reply | undefined> {
    const found = await find(visit)
    if (found?.manage !== true) return undefined
    const { name } = found.account
    const key = (await gateway.keys.list(subjectOf(found.account))).find(({ id }) => id === visit.params[1])
    if (key === undefined) return undefined
    const body = html`<div class="card">
<p>Whatever uses the key <strong><bdi>${key.name}</bdi></strong> of <strong>${name}</strong> is turned away from then on. This cannot be undone.</p>
<form method="post" action="${`${here}/${name}/keys/${key.id}/revoke`}" autocomplete="off">
${csrfField(visit)}
<div class="row"><button class="button danger primary" type="submit">Revoke</button>
<a class="button" href="${`${here}/${name}`}">Keep it</a></div>
</form></div>`
    return show(parts, visit, { title: 'Revoke this key?', section, body })
  }

  async function revoke(visit: Visit): Promise<Reply | undefined> {
    const found = await find(visit)
    if (found?.manage !== true) return undefined
    const isFirst = await forms.claim(visit.identity, visit.formId)
    const gone = await gateway.keys.revoke(subjectOf(found.account), visit.params[1] ?? '')
    if (!gone && isFirst) return undefined
    return redirect(303, `${here}/${found.account.name}`, [forms.noteCookie('token-revoked')])
  }

  const KEY = new RegExp(`^/admin/accounts/${ACCOUNT}/keys/([0-9A-Za-z]{1,64})/revoke$`)
  return forAdmins([
    { path: /^\/admin$/, get: async () => redirect(303, here) },
    { path: /^\/admin\/accounts$/, get: list },
    { path: new RegExp(`^/admin/accounts/${ACCOUNT}$`), get: (visit) => one(visit) },
    {
      path: new RegExp(`^/admin/accounts/${ACCOUNT}/keys$`),
      get: async ({ params }) => redirect(303, `${here}/${params[0]}`),
      post: make,
    },
    { path: KEY, get: ask, post: revoke },
  ])
}

function subjectOf({ name }: VirtualAccount): { readonly virtualAccount: string } {
  return { virtualAccount: name }
}
