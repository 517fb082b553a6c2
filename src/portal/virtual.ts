/** Virtual servers that somebody may use: the URL to paste, and what of their members is still to be connected. */

import type { Connection } from '../broker/broker.ts'
import type { Reply } from '../http/gate.ts'
import { type Html, html } from '../pages/html.ts'
import { byServer, connectionButtons, connectionPaths, stateOf } from './connection-parts.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { KINDS, labelAndName, stateBadge, virtualReadiness } from './server-text.ts'
import { copyLine, show, table } from './view.ts'
import type { VisibleServer } from './visible-server.ts'

/** The page. */
export function virtualRoutes(parts: PortalParts): PortalRoute[] {
  const { path, gateway } = parts

  async function list(visit: Visit): Promise<Reply> {
    const [servers, connections] = await Promise.all([visit.servers(), gateway.connections.list(visit.identity)])
    const found = byServer(connections)
    const own = servers.filter(({ kind }) => kind === 'virtual')
    const body =
      own.length === 0
        ? html`<div class="empty"><p>There is no virtual server that you may use.</p></div>`
        : html`<ul class="cards" role="list" data-state="${stateOf(connections)}" data-state-url="${path}/state">
${own.map((server) => html`<li>${card(parts, visit, server, found)}</li>\n`)}</ul>`
    const lead =
      'Several servers under one address. Give it to your agent once, and it has what is chosen of each of them.'
    return show(parts, visit, { title: 'My virtual servers', section: 'virtual', lead, body })
  }

  return [{ path: /^\/virtual$/, get: list }]
}

function card(
  parts: PortalParts,
  visit: Visit,
  server: VisibleServer,
  connections: ReadonlyMap<string, Connection>,
): Html {
  const { name, label, description, urls, members } = server
  const [url = ''] = urls
  const rows = members.map((member) => {
    const connection = connections.get(member.name)
    const paths = { ...connectionPaths(parts.path, member.name), at: 'virtual' } as const
    const buttons = member.auth === 'oauth2' && connectionButtons(visit, member.label, connection, paths)
    return [
      labelAndName(member),
      KINDS[member.auth],
      stateBadge(member.auth, connection),
      html`<div class="row tight">${buttons}</div>`,
    ]
  })
  const columns = [{ label: 'Server' }, { label: 'How' }, { label: 'State' }, { label: 'What you can do', end: true }]
  return html`<article class="card" id="${name}" aria-labelledby="${`title-${name}`}">
<div class="top"><h2 id="${`title-${name}`}"><bdi>${label}</bdi></h2>${label !== name && html`<span class="name">${name}</span>`}<span class="badges">${virtualReadiness(server, connections)}</span></div>
${description !== undefined && html`<p><bdi>${description}</bdi></p>\n`}${copyLine(`url-${name}`, `the address of ${label}`, url)}${table(`What ${label} is made of`, columns, rows)}<div class="row"><a class="button" href="${`${parts.path}/servers/${name}/clients`}">Set up a client<span class="visually-hidden"> for ${label}</span></a></div>
</article>`
}
