/** Connection states across people, for administrators of the servers; never a token. */
import type { Reply } from '../http/gate.ts'
import { html } from '../pages/html.ts'
import { administered, forAdmins, serverChoice } from './admin-parts.ts'
import { ownerText } from './owner-text.ts'
import { createPagePlaces } from './page-places.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { stateBadge } from './server-text.ts'
import { ago, day, show, table } from './view.ts'

const HOUR_MS = 3_600_000

/** The page. */
export function connectionRoutes(parts: PortalParts): PortalRoute[] {
  const { path, gateway, clock } = parts
  const here = `${path}/admin/connections`
  const places = createPagePlaces(parts.sealer)

  async function page(visit: Visit): Promise<Reply> {
    const own = (await administered(visit)).filter(({ auth }) => auth === 'oauth2')
    const chosen = visit.query.get('server')
    const wanted = own.filter(({ name }) => !chosen || name === chosen).map(({ name }) => name)
    const place = `connections ${visit.identity.id} ${chosen ?? ''}`
    const after = await places.open(visit.query.get('after'), place)
    const { connections, next } =
      wanted.length === 0
        ? { connections: [], next: undefined }
        : await gateway.connections.all({ servers: wanted, ...(after === undefined ? {} : { after }) })
    const more =
      next === undefined
        ? undefined
        : new URLSearchParams({ server: chosen ?? '', after: await places.seal(next, place) })
    const columns = [
      { label: 'Whose' },
      { label: 'Server' },
      { label: 'State' },
      { label: 'Since' },
      { label: 'Last used' },
    ]
    const rows = connections.map((connection) => [
      ownerText(connection.owner),
      connection.server,
      stateBadge('oauth2', connection),
      connection.connectedAt === undefined ? '–' : day(connection.connectedAt),
      connection.lastUsedAt === undefined ? 'not yet' : ago(connection.lastUsedAt, clock.now(), HOUR_MS),
    ])
    const body = html`<form class="card" method="get" action="${here}"><div class="fields">
${serverChoice(own, chosen, 'all that you administer')}</div>
<div class="row"><button class="button" type="submit">Show</button></div></form>
${rows.length === 0 ? html`<div class="empty"><p>${after === undefined && next === undefined ? 'Nobody has connected an account.' : 'There are none on this page.'}</p></div>` : html`<h2>Accounts that people have connected</h2>\n${table('Connections', columns, rows)}`}
${more !== undefined && html`<div class="row"><a class="button" href="${`${here}?${more}`}">More</a></div>`}`
    const lead =
      'Who has connected an account of theirs to a server that you administer. Nobody can see what was given for it.'
    return show(parts, visit, { title: 'Connections', section: 'connections', lead, body })
  }

  return forAdmins([{ path: /^\/admin\/connections$/, get: page }])
}
