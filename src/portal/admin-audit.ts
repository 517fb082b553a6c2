/** The latest events of the audit that this process remembers, about the servers that an administrator has. */
import type { Reply } from '../http/gate.ts'
import { type Html, type HtmlValue, html } from '../pages/html.ts'
import { administered, forAdmins, serverChoice } from './admin-parts.ts'
import { ownersOf, ownerText } from './owner-text.ts'
import type { AuditEntry, ConnectionOwner, PortalParts, PortalRoute, Visit } from './parts.ts'
import { badge, moment, show, table } from './view.ts'

/** The newest, on one page. */
const SHOWN = 100

/** The page. */
export function auditRoutes(parts: PortalParts): PortalRoute[] {
  const { path, gateway } = parts

  async function page(visit: Visit): Promise<Reply> {
    const own = await administered(visit)
    const chosen = visit.query.get('server')
    const names = new Set(own.map(({ name }) => name).filter((name) => !chosen || name === chosen))
    const events = gateway
      .recentAudit()
      .filter((event) => serversIn(event).some((name) => names.has(name)))
      .slice(-SHOWN)
      .toReversed()
    const owners = await ownersOf(gateway, new Set(events.flatMap((event) => ownerIn(event) ?? [])))
    const columns = [{ label: 'When' }, { label: 'Server' }, { label: 'Who' }, { label: 'What' }, { label: 'Outcome' }]
    const body = html`<form class="card" method="get" action="${`${path}/admin/audit`}"><div class="fields">
${serverChoice(own, chosen, 'all that you administer')}</div>
<div class="row"><button class="button" type="submit">Show</button></div></form>
${
  events.length === 0
    ? html`<div class="empty"><p>Nothing has happened since this process started, or it has been pushed out by what came later.</p></div>`
    : html`<h2>Newest first</h2>\n${table(
        'Events',
        columns,
        events.map((event) => rowOf(event, owners)),
      )}`
}`
    const lead =
      'What the process that has answered this page still remembers. Other processes have events of their own, and a restart forgets them: the audit itself is wherever the operator sends it.'
    return show(parts, visit, { title: 'Latest events', section: 'audit', lead, body })
  }

  return forAdmins([{ path: /^\/admin\/audit$/, get: page }])
}

/** The server of an event, and the member of a virtual one that a call has reached. */
function serversIn(event: AuditEntry): readonly string[] {
  if (event.type === 'key') return []
  return [event.server, event.type === 'request' ? event.member : null].filter((name) => name !== null)
}

function ownerIn(event: AuditEntry): string | undefined {
  return event.type === 'connection' ? (event.owner ?? undefined) : undefined
}

function rowOf(event: AuditEntry, owners: ReadonlyMap<string, ConnectionOwner>): HtmlValue[] {
  if (event.type === 'request') {
    const { at, server, member, caller, methods, targets, outcome, reason, status } = event
    const what = [...methods, ...targets.map(({ name }) => name)].slice(0, 6).join(' ')
    return [
      moment(at),
      member === null ? server : `${server} → ${member}`,
      caller === null ? 'nobody' : html`<bdi>${caller.subject}</bdi> <span class="hushed">${caller.via}</span>`,
      html`<bdi>${what === '' ? '–' : what}</bdi>`,
      outcomeText(outcome, reason, status),
    ]
  }
  const { at, kind, reason } = event
  const owner = owners.get(ownerIn(event) ?? '')
  const failed = /failed|required/.test(kind)
  return [
    moment(at),
    event.type === 'connection' ? event.server : '–',
    html`${owner && ownerText(owner)} <span class="hushed">connection</span>`,
    kind.replaceAll('_', ' '),
    badge(reason ?? (failed ? 'failed' : 'done'), failed ? 'warn' : 'good'),
  ]
}

function outcomeText(outcome: string, reason: string | null, status: number): Html {
  const kind = outcome === 'relayed' ? 'good' : outcome === 'failed' ? 'bad' : 'warn'
  return html`${badge(outcome.replaceAll('_', ' '), kind)} <span class="hushed">${status}${reason !== null && `, ${reason}`}</span>`
}
