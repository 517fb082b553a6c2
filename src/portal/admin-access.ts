/** Who may use what, and why (B9): a question to `explain`, about a server that the person administers. */
import type { Wanted } from '../access/decision.ts'
import type { GrantExplanation } from '../access/explain.ts'
import { SallyportError } from '../core/errors.ts'
import type { Reply } from '../http/gate.ts'
import type { Identity } from '../identity/sign-in.ts'
import { compileGlob } from '../match/glob.ts'
import { type Html, type HtmlValue, html } from '../pages/html.ts'
import { administered, forAdmins, serverChoice } from './admin-parts.ts'
import type { PortalOwner, PortalParts, PortalRoute, Visit } from './parts.ts'
import { badge, nameOf, show, table } from './view.ts'

/** Longer ones are nobody. */
const MAX_WHO = 320
const KINDS = ['tool', 'prompt', 'resource'] as const

/** Somebody that the question is about. */
interface Asked {
  readonly subject: PortalOwner
  readonly label: string
}

/** The page. */
export function accessRoutes(parts: PortalParts): PortalRoute[] {
  const { path, gateway } = parts

  async function page(visit: Visit): Promise<Reply> {
    const own = await administered(visit)
    const { query } = visit
    const server = own.find(({ name }) => name === query.get('server'))
    const who = (query.get('who') ?? '').trim()
    const wanted = wantedOf(query)
    const answer =
      server === undefined || who === ''
        ? undefined
        : wanted === undefined
          ? html`<div class="note-box warn" role="status"><p>Say which one: its name, or the URI of a resource.</p></div>`
          : await answerTo(who, server.name, wanted)
    const body = html`<form class="card" method="get" action="${`${path}/admin/access`}" autocomplete="off">
<div class="fields">
${serverChoice(own, query.get('server'))}<div class="field"><label for="who">Who</label>
<input type="text" id="who" name="who" value="${who}" maxlength="${MAX_WHO}" required aria-describedby="who-hint">
<span class="hint" id="who-hint">A verified e-mail address, a subject, or virtual-account:name</span></div>
<div class="field"><label for="kind">Wants</label>
<select id="kind" name="kind">
<option value="connect">to connect</option>
${KINDS.map((kind) => html`<option value="${kind}" ${query.get('kind') === kind && 'selected'}>the ${kind}</option>\n`)}</select></div>
<div class="field"><label for="name">Its name</label>
<input type="text" id="name" name="name" value="${query.get('name')}" maxlength="1024" aria-describedby="name-hint">
<span class="hint" id="name-hint">Of a tool or prompt; of a resource, its URI</span></div>
</div>
<div class="row"><button class="button primary" type="submit">Explain</button></div>
</form>
${answer}`
    const lead =
      'Why somebody may or may not use a server of yours. People are judged by what was known of them when they last signed in.'
    return show(parts, visit, { title: 'Who may use what', section: 'access', lead, body })
  }

  async function answerTo(who: string, server: string, wanted: Wanted): Promise<Html> {
    const asked = await find(who)
    if (asked.length === 0) {
      return html`<div class="note-box warn" role="status"><p>Nobody of that name has signed in here, and no virtual account is called that.</p></div>`
    }
    return html`${await Promise.all(asked.map(async (each) => explained(each, server, wanted)))}`
  }

  async function find(who: string): Promise<Asked[]> {
    const [, account] = /^virtual-account:(.+)$/.exec(who) ?? []
    if (account !== undefined) {
      const found = await gateway.virtualAccounts.get(account)
      return found === undefined ? [] : [{ subject: { virtualAccount: account }, label: who }]
    }
    if (who.length > MAX_WHO) return []
    return (await gateway.people.find(who)).map((subject) => ({ subject, label: labelOf(subject) }))
  }

  async function explained({ subject, label }: Asked, server: string, wanted: Wanted): Promise<Html> {
    let explanation: Awaited<ReturnType<typeof gateway.explain>>
    try {
      explanation = await gateway.explain(subject, server, wanted)
    } catch (error) {
      // Deleted a moment ago.
      if (error instanceof SallyportError && error.code === 'ERR_UNKNOWN_VIRTUAL_ACCOUNT') return html``
      throw error
    }
    const { allowed, summary, grants } = explanation
    const here = grants.filter(({ grant: { on } }) => [on].flat().some((glob) => compileGlob(glob)(server)))
    const unsure = !('virtualAccount' in subject) && here.some(isToExternalIdentity)
    const columns = [{ label: 'Grant' }, { label: 'To' }, { label: 'Gives' }, { label: 'Here' }]
    return html`<section aria-labelledby="${`about-${label}`.replaceAll(/\s+/g, '-')}">
<h2 id="${`about-${label}`.replaceAll(/\s+/g, '-')}"><bdi>${label}</bdi> ${allowed ? badge('Allowed', 'good') : badge('Not allowed', 'bad')}</h2>
<p><bdi>${summary}</bdi></p>
${unsure && html`<p class="hushed">Whether a token of theirs meets an external identity is not known here: it says that itself, when it is used. Grants to external identities are taken as not theirs.</p>\n`}${here.length === 0 ? html`<div class="empty"><p>No grant is on this server.</p></div>` : table('Grants on this server', columns, here.map(rowOf))}</section>`
  }

  return forAdmins([{ path: /^\/admin\/access$/, get: page }])
}

function rowOf({ index, grant, applies, why }: GrantExplanation): HtmlValue[] {
  const { to, role = 'use', tools, prompts, resources } = grant
  const names = Object.entries({ tools, prompts, resources }).flatMap(([kind, list]) =>
    list === undefined ? [] : [`${kind}: ${list.join(', ')}`],
  )
  return [
    String(index),
    html`<ul class="lines" role="list">${[to].flat().map((each) => html`<li><bdi>${each}</bdi></li>`)}</ul>`,
    names.length === 0
      ? role
      : html`<ul class="lines" role="list">${names.map((each) => html`<li><bdi>${each}</bdi></li>`)}</ul>`,
    html`${badge(applies ? 'applies' : 'does not apply', applies ? 'good' : 'idle')} <span class="hushed"><bdi>${why}</bdi></span>`,
  ]
}

function isToExternalIdentity({ grant: { to } }: GrantExplanation): boolean {
  return [to].flat().some((each) => each.startsWith('external-identity:'))
}

/** `undefined` where it is not said which tool, prompt or resource. */
function wantedOf(query: URLSearchParams): Wanted | undefined {
  const name = query.get('name') ?? ''
  const kind = KINDS.find((each) => each === query.get('kind'))
  if (kind === undefined) return { kind: 'connect' }
  if (name === '') return undefined
  return kind === 'resource' ? { kind, uri: name } : { kind, name }
}

function labelOf(identity: Identity): string {
  return `${nameOf(identity)} of ${identity.integration}`
}
