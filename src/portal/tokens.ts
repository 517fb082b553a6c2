/** Access tokens of somebody's own: make one, which is shown once, with settings for clients; list and revoke them (G1). */
import type { Reply } from '../http/gate.ts'
import { redirect } from '../http/redirect.ts'
import type { NewApiKey } from '../identity/api-keys.ts'
import { html } from '../pages/html.ts'
import { settingsList } from './client-setup.ts'
import type { PortalForms } from './forms.ts'
import { keyFields, keyProblem, keyTable, readKeyForm } from './key-parts.ts'
import { usedFormPage } from './messages.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { takesTokens } from './server-text.ts'
import { copyLine, csrfField, show } from './view.ts'
import type { VisibleServer } from './visible-server.ts'

/** The page, the form on it, and the question before a token is revoked. */
export function tokenRoutes(parts: PortalParts, forms: PortalForms): PortalRoute[] {
  const { path, gateway } = parts
  const here = `${path}/tokens`

  async function list(visit: Visit, problem?: string): Promise<Reply> {
    const [servers, keys] = await Promise.all([visit.servers(), gateway.keys.list(visit.identity)])
    const chosen = visit.form.get('server') ?? visit.query.get('server') ?? ''
    const choices = servers.filter(takesTokens)
    const others = servers.filter((server) => !takesTokens(server))
    const body = html`<section class="card" aria-labelledby="make">
<h2 id="make">Make a token</h2>
<form method="post" action="${here}" autocomplete="off">
${csrfField(visit)}
${keyFields(
  visit.form,
  problem,
  html`<div class="field"><label for="server">Show settings for</label>
<select id="server" name="server">
${choices.map(({ name, label }) => html`<option value="${name}" ${name === chosen && 'selected'}>${label}${label !== name && ` (${name})`}</option>\n`)}<option value="" ${chosen === '' && choices.length === 0 && 'selected'}>no client</option>
</select>${others.length > 0 && html`<span class="hint">Only with your own token of the identity provider: ${others.map(({ label }, at) => html`${at > 0 && ', '}<bdi>${label}</bdi>`)}</span>`}</div>`,
)}
<div class="row"><button class="button primary" type="submit">Make the token</button></div>
</form></section>
<h2>My tokens</h2>
${keyTable('My access tokens', keys, parts.clock.now(), ({ id }) => `${here}/${id}/revoke`, 'You have no tokens.')}`
    const lead =
      'An access token lets an agent of yours use every server that you may use. It is you, as far as the servers can tell: keep it as you would keep a password.'
    return show(parts, visit, {
      title: 'My access tokens',
      section: 'tokens',
      lead,
      body,
      ...(problem === undefined ? {} : { status: 400 }),
    })
  }

  async function make(visit: Visit): Promise<Reply> {
    const wanted = readKeyForm(visit.form)
    if ('problem' in wanted) return list(visit, wanted.problem)
    // What the answer is made of: a token that is made and then cannot be shown would be nobody's.
    const [servers] = await Promise.all([visit.servers(), visit.accounts()])
    if (!(await forms.claim(visit.identity, visit.formId))) return usedFormPage(parts, here)
    let made: NewApiKey
    try {
      made = await gateway.keys.create(visit.identity, wanted)
    } catch (error) {
      await forms.release(visit.identity, visit.formId)
      const problem = keyProblem(error)
      if (problem === undefined) throw error
      return list(visit, problem)
    }
    const server = servers.find((each) => takesTokens(each) && each.name === visit.form.get('server'))
    return madePage(visit, made, server)
  }

  function madePage(visit: Visit, { name, key }: NewApiKey, server: VisibleServer | undefined): Promise<Reply> {
    const body = html`<div class="note-box warn"><p><strong>Copy it now.</strong> It is shown this once, and nobody can look it up again.</p></div>
${copyLine('token', 'the token', key)}
<div class="row"><a class="button" href="${here}">I have copied it</a></div>
${server !== undefined && html`<p class="lead">Settings for <bdi>${server.label}</bdi>, with the token in them. Whoever can read them can use it.</p>\n${settingsList(server.name, server.urls[0] ?? '', key)}`}`
    const lead = html`Your new access token, “<bdi>${name}</bdi>”`
    return show(parts, visit, { title: 'Your token is ready', section: 'tokens', lead, body })
  }

  async function ask(visit: Visit): Promise<Reply | undefined> {
    const [id] = visit.params
    const key = (await gateway.keys.list(visit.identity)).find((each) => each.id === id)
    if (key === undefined) return undefined
    const body = html`<div class="card">
<p>Whatever uses the token <strong><bdi>${key.name}</bdi></strong>${key.prefix !== undefined && html` (<code>${key.prefix}…</code>)`} is turned away from then on. This cannot be undone.</p>
<form method="post" action="${`${here}/${key.id}/revoke`}" autocomplete="off">
${csrfField(visit)}
<div class="row"><button class="button danger primary" type="submit">Revoke</button>
<a class="button" href="${here}">Keep it</a></div>
</form></div>`
    return show(parts, visit, { title: 'Revoke this token?', section: 'tokens', body })
  }

  async function revoke(visit: Visit): Promise<Reply | undefined> {
    const [id = ''] = visit.params
    const isFirst = await forms.claim(visit.identity, visit.formId)
    const gone = await gateway.keys.revoke(visit.identity, id)
    // Sent again, the form has done its work already. Any other id is nobody's, as far as they can tell.
    if (!gone && isFirst) return undefined
    return redirect(303, here, [forms.noteCookie('token-revoked')])
  }

  return [
    { path: /^\/tokens$/, get: (visit) => list(visit), post: make },
    { path: /^\/tokens\/([0-9A-Za-z]{1,64})\/revoke$/, get: ask, post: revoke },
  ]
}
