/** The first page: somebody's MCP servers, how each is connected, and the buttons for that (G13). */
import { createHash } from 'node:crypto'
import type { Connection } from '../broker/broker.ts'
import { SallyportError } from '../core/errors.ts'
import type { Reply } from '../http/gate.ts'
import { redirect } from '../http/redirect.ts'
import { type Html, html } from '../pages/html.ts'
import type { PortalForms } from './forms.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { isMissing, KINDS, MEANINGS, scopeList, scopesOf, stateBadge } from './server-text.ts'
import { ago, badge, copyLine, csrfField, day, show } from './view.ts'
import type { VisibleServer } from './visible-server.ts'

const HOUR_MS = 3_600_000
/** `group/server` in a path. */
export const SERVER = '([A-Za-z0-9][\\w.-]{0,63}/[A-Za-z0-9][\\w.-]{0,63})'

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
<p class="lead">You may not use these servers at present, or they are gone. What you have given for them is still there until you take it back.</p>
<ul class="cards" role="list">
${elsewhere.map((connection) => html`<li>${leftOverCard(parts, connection)}</li>\n`)}</ul>\n`
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
    const body = html`<div class="card">
<p>Agents will no longer be able to use <strong><bdi>${label}</bdi></strong> for you, until you connect it again. What the gateway has been given for it is deleted here, and revoked there too if the service offers that.</p>
<form method="post" action="${`${path}/servers/${connection.server}/revoke`}" autocomplete="off">
${csrfField(visit)}
<div class="row"><button class="button danger primary" type="submit">Revoke</button>
<a class="button" href="${`${path}#${connection.server}`}">Keep it</a></div>
</form></div>`
    return show(parts, visit, { title: `Revoke the connection to ${label}?`, section: 'servers', body })
  }

  async function revoke(visit: Visit): Promise<Reply | undefined> {
    const [server = ''] = visit.params
    // Of a server that they neither see nor have a connection to, nothing is said at all.
    const isKnown = (await connectionOf(visit)) !== undefined || isTheirs(await visit.servers(), server)
    if (!isKnown) return undefined
    const ended = await gateway.connections.revoke(visit.identity, server)
    return redirect(303, `${path}#${server}`, [forms.noteCookie(ended ? 'disconnected' : 'not-connected')])
  }

  async function state({ identity }: Visit): Promise<Reply> {
    const body = JSON.stringify({ state: stateOf(await gateway.connections.list(identity)) })
    return { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body }
  }

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

/** Connections by the server's name. */
export function byServer(connections: readonly Connection[]): ReadonlyMap<string, Connection> {
  return new Map(connections.map((connection) => [connection.server, connection]))
}

/** What a script compares, to notice that something has changed. Says nothing by itself. */
export function stateOf(connections: readonly Connection[]): string {
  const states = connections.map(({ server, state, connectedAt }) => [server, state, connectedAt])
  return createHash('sha256').update(JSON.stringify(states)).digest('base64url')
}

/** The buttons for a connection; `at` is the page to come back to. */
export function connectionButtons(
  { path }: PortalParts,
  visit: Visit,
  { name, label }: Pick<VisibleServer, 'name' | 'label'>,
  connection: Connection | undefined,
  at: 'servers' | 'virtual' = 'servers',
): Html {
  const connect = html`<form method="post" action="${`${path}/servers/${name}/connect`}" autocomplete="off">${csrfField(visit)}<input type="hidden" name="at" value="${at}"><button class="button primary" type="submit">${connection === undefined ? 'Connect' : 'Connect again'}<span class="visually-hidden"> ${label}</span></button></form>\n`
  const revoke = html`<a class="button" href="${`${path}/servers/${name}/revoke`}">Revoke<span class="visually-hidden"> ${label}</span></a>\n`
  return html`${connection?.state !== 'connected' && connect}${connection !== undefined && revoke}`
}

function serverCard(parts: PortalParts, visit: Visit, server: VisibleServer, connection: Connection | undefined): Html {
  const { name, label, description, auth, urls, scopes, everything } = server
  const asked = auth === 'oauth2' ? scopesOf(scopes, connection) : []
  const [url = ''] = urls
  return html`<article class="card" id="${name}" aria-labelledby="${`title-${name}`}">
<div class="top"><h2 id="${`title-${name}`}"><bdi>${label}</bdi></h2>${label !== name && html`<span class="name">${name}</span>`}<span class="badges">${badge(KINDS[auth])} ${stateBadge(auth, connection)}</span></div>
${description !== undefined && html`<p><bdi>${description}</bdi></p>\n`}<p class="hushed">${MEANINGS[auth]}${!everything && ' You may use some of its tools.'}</p>
${connection?.state === 'reauth_required' && html`<div class="note-box warn"><p>The service does not accept the connection any more. Connect it again, and agents can go on.</p></div>\n`}${copyLine(`url-${name}`, `the address of ${label}`, url)}${
  auth === 'oauth2' &&
  html`<dl class="facts">
${asked.length > 0 && html`<dt>${connection === undefined ? 'It asks to' : 'It may'}</dt><dd>${scopeList(asked)}</dd>\n`}${
  connection?.connectedAt !== undefined && html`<dt>Connected since</dt><dd>${day(connection.connectedAt)}</dd>\n`
}${
  connection !== undefined &&
  html`<dt>Last used</dt><dd>${connection.lastUsedAt === undefined ? 'not yet' : ago(connection.lastUsedAt, parts.clock.now(), HOUR_MS)}</dd>\n`
}</dl>\n`
}<div class="row">${auth === 'oauth2' && connectionButtons(parts, visit, server, connection)}<a class="button" href="${`${parts.path}/servers/${name}/clients`}">Set up a client<span class="visually-hidden"> for ${label}</span></a></div>
</article>`
}

function leftOverCard({ path }: PortalParts, { server, connectedAt }: Connection): Html {
  return html`<article class="card" id="${server}">
<div class="top"><h3>${server}</h3></div>
${connectedAt !== undefined && html`<p class="hushed">Connected since ${day(connectedAt)}</p>\n`}<div class="row"><a class="button" href="${`${path}/servers/${server}/revoke`}">Revoke<span class="visually-hidden"> ${server}</span></a></div>
</article>`
}

/** Connections to what is neither a server of theirs nor a member of one. */
function leftOver(servers: readonly VisibleServer[], connections: readonly Connection[]): readonly Connection[] {
  return connections.filter(({ server }) => !isTheirs(servers, server))
}

function isTheirs(servers: readonly VisibleServer[], name: string): boolean {
  return servers.some((server) => server.name === name || server.members.some((member) => member.name === name))
}

/** No such server, none with connections, or none of theirs: it looks the same. */
function isNotTheirs(error: unknown): boolean {
  return error instanceof SallyportError && (error.code === 'ERR_ACCESS' || error.code === 'ERR_UNKNOWN_SERVER')
}

/** How many servers of a virtual one are still to be connected. */
export function missingIn(server: VisibleServer, connections: ReadonlyMap<string, Connection>): number {
  return server.members.filter(({ name, auth }) => isMissing(auth, connections.get(name))).length
}
