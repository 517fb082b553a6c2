/** What pages of connections have in common: the buttons, the question before one ends, and how an open page notices a change. */
import { createHash } from 'node:crypto'
import type { Connection } from '../broker/broker.ts'
import { SallyportError } from '../core/errors.ts'
import type { Reply } from '../http/gate.ts'
import { type Html, html } from '../pages/html.ts'
import type { PortalParts, Visit } from './parts.ts'
import { csrfField, type Section, show } from './view.ts'

/** Connections by the server's name. */
export function byServer(connections: readonly Connection[]): ReadonlyMap<string, Connection> {
  return new Map(connections.map((connection) => [connection.server, connection]))
}

/** What a script compares, to notice that something has changed. Says nothing by itself. */
export function stateOf(connections: readonly Connection[]): string {
  const states = connections.map(({ server, state, connectedAt }) => [server, state, connectedAt])
  return createHash('sha256').update(JSON.stringify(states)).digest('base64url')
}

/** What the script asks for. */
export function stateReply(connections: readonly Connection[]): Reply {
  const body = JSON.stringify({ state: stateOf(connections) })
  return { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body }
}

/** Where the buttons of a connection lead. */
export interface ConnectionPaths {
  /** Left out where it cannot be connected any more. */
  readonly connect?: string
  readonly revoke: string
  /** A page to come back to that is not the usual one. */
  readonly at?: 'virtual'
}

/** Where the buttons for the connection to a server lead, below the path of its owner. */
export function connectionPaths(owner: string, server: string): Required<Pick<ConnectionPaths, 'connect' | 'revoke'>> {
  const base = `${owner}/servers/${server}`
  return { connect: `${base}/connect`, revoke: `${base}/revoke` }
}

/** The buttons for a connection to what people know as `label`. */
export function connectionButtons(
  visit: Visit,
  label: string,
  connection: Connection | undefined,
  { connect: action, revoke: href, at }: ConnectionPaths,
): Html {
  const place = at !== undefined && html`<input type="hidden" name="at" value="${at}">`
  const connect =
    action !== undefined &&
    html`<form method="post" action="${action}" autocomplete="off">${csrfField(visit)}${place}<button class="button primary" type="submit">${connection === undefined ? 'Connect' : 'Connect again'}<span class="visually-hidden"> ${label}</span></button></form>\n`
  const revoke = html`<a class="button" href="${href}">Revoke<span class="visually-hidden"> ${label}</span></a>\n`
  return html`${connection?.state !== 'connected' && connect}${connection !== undefined && revoke}`
}

/** Where somebody is asked whether a connection is to end. */
export interface RevokeQuestion {
  /** What people know the server as. */
  readonly label: string
  /** What ends with it. */
  readonly consequence: Html
  readonly section: Section
  readonly action: string
  readonly keepHref: string
}

/** 200: asks before a connection ends. */
export function askToRevoke(parts: PortalParts, visit: Visit, question: RevokeQuestion): Promise<Reply> {
  const { label, consequence, section, action, keepHref } = question
  const body = html`<div class="card">
<p>${consequence} What the gateway has been given for it is deleted here, and revoked there too if the service offers that.</p>
<form method="post" action="${action}" autocomplete="off">
${csrfField(visit)}
<div class="row"><button class="button danger primary" type="submit">Revoke</button>
<a class="button" href="${keepHref}">Keep it</a></div>
</form></div>`
  return show(parts, visit, { title: `Revoke the connection to ${label}?`, section, body })
}

/** No such server, none with connections, or none of theirs: it looks the same. */
export function isNotTheirs(error: unknown): boolean {
  const codes = ['ERR_ACCESS', 'ERR_UNKNOWN_SERVER', 'ERR_UNKNOWN_VIRTUAL_ACCOUNT']
  return error instanceof SallyportError && codes.includes(error.code)
}
