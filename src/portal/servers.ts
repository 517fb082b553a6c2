/** The first page: somebody's MCP servers, how each is connected, and the buttons for that (G13). */
import type { Connection } from '../broker/broker.ts'
import type { Reply } from '../http/gate.ts'
import { redirect } from '../http/redirect.ts'
import { type Html, html } from '../pages/html.ts'
import {
  askToRevoke,
  byServer,
  connectionButtons,
  connectionPaths,
  isNotTheirs,
  stateOf,
  stateReply,
} from './connection-parts.ts'
import type { PortalForms } from './forms.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { SERVER } from './path-parts.ts'
import { KINDS, MEANINGS, ONLY_BY_TOKEN, scopeList, scopesOf, stateBadge } from './server-text.ts'
import { ago, badge, copyLine, day, show } from './view.ts'
import type { VisibleServer } from './visible-server.ts'

const HOUR_MS = 3_600_000

/** The page, its buttons, and what its script asks for. */
export function serverRoutes(parts: PortalParts, forms: PortalForms): PortalRoute[] {
  const { path, origin, gateway } = parts
  const back = async () => redirect(303, path)

  async function list(visit: Visit): Promise<Reply> {
    const [servers, connections] = await Promise.all([visit.servers(), gateway.connections.list(visit.identity)])
    const found = byServer(connections)
    const own = servers.filter(({ kind }) => kind === 'server')
    const elsewhere = leftOver(servers, connections)
    const body = html`<div data-state="${stateOf(connections)}" data-state-url="${path}/state">
${
  own.length === 0
    ? html`<div class="empty"><p>There is no MCP server that you may use yet. Ask whoever runs this site to give you access.</p></div>\n`
    : html`<ul class="cards" role="list">\n${own.map((server) => html`<li>${serverCard(parts, visit, server, found.get(server.name))}</li>\n`)}</ul>\n`
}${
  elsewhere.length > 0 &&
  html`<h2>Other connections of yours</h2>
<p class="lead">You may not use these servers at present, they are gone, or they take no account of yours any more. What you have given for them is still there until you take it back.</p>
<ul class="cards" role="list">
${elsewhere.map((connection) => html`<li>${leftOverCard(parts, connection, isTheirs(servers, connection.server))}</li>\n`)}</ul>\n`
}</div>`
    const lead = 'The MCP servers that your agents may use for you, and what they use them with.'
    return show(parts, visit, { title: 'My MCP servers', section: 'servers', lead, body })
  }

  async function connect(visit: Visit): Promise<Reply | undefined> {
    const [server = ''] = visit.params
    // Where the button was: the card of a server, or the virtual server that it is a member of.
    const virtual = visit.form.get('at') === 'virtual'
    const returnTo = `${origin}${path}${virtual ? '/virtual' : ''}#${server}`
    try {
      return redirect(303, await gateway.connections.connectUrl({ server, who: visit.identity, returnTo }))
    } catch (error) {
      if (isNotTheirs(error)) return undefined
      throw error
    }
  }

  async function connectionOf(visit: Visit): Promise<Connection | undefined> {
    const [name] = visit.params
    return (await gateway.connections.list(visit.identity)).find(({ server }) => server === name)
  }

  async function ask(visit: Visit): Promise<Reply | undefined> {
    const connection = await connectionOf(visit)
    if (connection === undefined) return undefined
    const label = labelOf(await visit.servers(), connection.server)
    return askToRevoke(parts, visit, {
      label,
      consequence: html`Agents will no longer be able to use <strong><bdi>${label}</bdi></strong> for you, until you connect it again.`,
      section: 'servers',
      action: connectionPaths(path, connection.server).revoke,
      keepHref: `${path}#${connection.server}`,
    })
  }

  async function revoke(visit: Visit): Promise<Reply | undefined> {
    const [server = ''] = visit.params
    // Of a server that they neither see nor have a connection to, nothing is said at all.
    const isKnown = (await connectionOf(visit)) !== undefined || isTheirs(await visit.servers(), server)
    if (!isKnown) return undefined
    const ended = await gateway.connections.revoke(visit.identity, server)
    return redirect(303, `${path}#${server}`, [forms.noteCookie(ended ? 'disconnected' : 'not-connected')])
  }

  const state = async ({ identity }: Visit) => stateReply(await gateway.connections.list(identity))

  return [
    { path: /^$/, get: list },
    { path: /^\/state$/, get: state },
    { path: new RegExp(`^/servers/${SERVER}/connect$`), get: back, post: connect },
    { path: new RegExp(`^/servers/${SERVER}/revoke$`), get: ask, post: revoke },
  ]
}

/** What people know a server as; its name, where they may not use it. */
export function labelOf(servers: readonly VisibleServer[], name: string): string {
  const members = servers.flatMap((server) => server.members)
  return [...servers, ...members].find((each) => each.name === name)?.label ?? name
}

function serverCard(parts: PortalParts, visit: Visit, server: VisibleServer, connection: Connection | undefined): Html {
  const { name, label, description, auth, urls, scopes, everything, byKey } = server
  const asked = auth === 'oauth2' ? scopesOf(scopes, connection) : []
  const [url = ''] = urls
  return html`<article class="card" id="${name}" aria-labelledby="${`title-${name}`}">
<div class="top"><h2 id="${`title-${name}`}"><bdi>${label}</bdi></h2>${label !== name && html`<span class="name">${name}</span>`}<span class="badges">${badge(KINDS[auth])} ${stateBadge(auth, connection)}</span></div>
${description !== undefined && html`<p><bdi>${description}</bdi></p>\n`}<p class="hushed">${MEANINGS[auth]}${!everything && ' You may use some of its tools.'}${!byKey && ` ${ONLY_BY_TOKEN}`}</p>
${connection?.state === 'reauth_required' && html`<div class="note-box warn"><p>The service does not accept the connection any more. Connect it again, and agents can go on.</p></div>\n`}${copyLine(`url-${name}`, `the address of ${label}`, url)}${
  auth === 'oauth2' &&
  html`<dl class="facts">
${asked.length > 0 && html`<dt>${connection === undefined ? 'It asks to' : 'It may'}</dt><dd>${scopeList(asked)}</dd>\n`}${
  connection?.connectedAt !== undefined && html`<dt>Connected since</dt><dd>${day(connection.connectedAt)}</dd>\n`
}${
  connection !== undefined &&
  html`<dt>Last used</dt><dd>${connection.lastUsedAt === undefined ? 'not yet' : ago(connection.lastUsedAt, parts.clock.now(), HOUR_MS)}</dd>\n`
}</dl>\n`
}<div class="row">${auth === 'oauth2' && connectionButtons(visit, label, connection, connectionPaths(parts.path, name))}<a class="button" href="${`${parts.path}/servers/${name}/clients`}">Set up a client<span class="visually-hidden"> for ${label}</span></a></div>
</article>`
}

/** @param hasCard - the server itself is on the page, under its name */
function leftOverCard({ path }: PortalParts, { server, connectedAt }: Connection, hasCard: boolean): Html {
  return html`<article class="card" id="${hasCard ? `former-${server}` : server}">
<div class="top"><h3>${server}</h3></div>
${connectedAt !== undefined && html`<p class="hushed">Connected since ${day(connectedAt)}</p>\n`}<div class="row"><a class="button" href="${connectionPaths(path, server).revoke}">Revoke<span class="visually-hidden"> ${server}</span></a></div>
</article>`
}

/** Connections to what is neither a server of theirs nor a member of one, or takes none any more. */
function leftOver(servers: readonly VisibleServer[], connections: readonly Connection[]): readonly Connection[] {
  return connections.filter(({ server }) => !ofName(servers, server).some(({ auth }) => auth === 'oauth2'))
}

function isTheirs(servers: readonly VisibleServer[], name: string): boolean {
  return ofName(servers, name).length > 0
}

/** What they may use of this name: a server, and what it is as a member of others. */
function ofName(servers: readonly VisibleServer[], name: string): readonly Pick<VisibleServer, 'name' | 'auth'>[] {
  return servers.flatMap((server) => [server, ...server.members]).filter((each) => each.name === name)
}
