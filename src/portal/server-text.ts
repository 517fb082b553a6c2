/** How somebody is connected to a server, in words. */
import type { Connection } from '../broker/broker.ts'
import { type Html, html } from '../pages/html.ts'
import { scopeWords } from '../pages/scope-words.ts'
import { badge } from './view.ts'
import type { VisibleServer } from './visible-server.ts'

type Auth = VisibleServer['auth']

/** What kind of connection it is. */
export const KINDS: Readonly<Record<Auth, string>> = {
  none: 'Open',
  header: 'Shared key',
  oauth2: 'My account',
  passthrough: 'My own token',
  token_exchange: 'My own token, exchanged',
  identity_assertion: 'My sign-in',
  client_credentials: 'Shared account',
  virtual: 'Virtual server',
}

/** What that means to somebody who uses it. */
export const MEANINGS: Readonly<Record<Auth, string>> = {
  none: 'It needs no account.',
  header: 'Everybody here uses it with one shared account. There is nothing for you to do.',
  oauth2: 'Agents use it with your own account there.',
  passthrough:
    'It takes the token of your own sign-in, which your agent has to bring. Access tokens that are made here do not work.',
  token_exchange:
    'The token of your own sign-in is exchanged for one of its own, so your agent has to bring that. Access tokens that are made here do not work.',
  identity_assertion:
    'Your company vouches for you there, by the token of your own sign-in, which your agent has to bring. Access tokens that are made here do not work.',
  client_credentials: 'Everybody here uses it with one shared account. There is nothing for you to do.',
  virtual: 'It is made of parts of other servers.',
}

/** Of one that only an external identity gives. */
export const ONLY_BY_TOKEN =
  'You may use it only with your own token of the identity provider, which your agent has to bring. Access tokens that are made here do not work.'

/** Whether it takes the token of somebody's own sign-in only, so that access tokens of the gateway do not work. */
export function takesOwnToken(auth: Auth): boolean {
  return auth === 'passthrough' || auth === 'token_exchange' || auth === 'identity_assertion'
}

/** Whether an access token of the gateway is good for anything there: of a virtual server, for all that has to be ready. */
export function takesTokens({ auth, members, require, byKey }: VisibleServer): boolean {
  const own = members.filter((member) => takesOwnToken(member.auth)).length
  return byKey && !takesOwnToken(auth) && (own === 0 || (require === 'any' && own < members.length))
}

/** Whether agents can use it now. */
export function stateBadge(auth: Auth, connection: Connection | undefined): Html {
  if (auth !== 'oauth2') return takesOwnToken(auth) ? badge('Bring your token', 'idle') : badge('Ready', 'good')
  if (connection === undefined) return badge('Not connected', 'idle')
  return connection.state === 'connected' ? badge('Connected', 'good') : badge('Needs your consent again', 'warn')
}

/** Whether somebody has to do something before it can be used. */
function isMissing(auth: Auth, connection: Connection | undefined): boolean {
  return auth === 'oauth2' && connection?.state !== 'connected'
}

/** How many of several servers are still to be connected, if any. */
export function readiness(
  servers: readonly Pick<VisibleServer, 'name' | 'auth'>[],
  connections: ReadonlyMap<string, Connection>,
): Html {
  const missing = servers.filter(({ name, auth }) => isMissing(auth, connections.get(name))).length
  return missing === 0 ? badge('Ready', 'good') : badge(`${missing} of ${servers.length} to connect`, 'warn')
}

/** The same for a virtual server, which may want more than connections: the token of somebody's own sign-in. */
export function virtualReadiness(server: VisibleServer, connections: ReadonlyMap<string, Connection>): Html {
  const { members } = server
  if (takesTokens(server)) return readiness(members, connections)
  const isWaiting = members.some(({ name, auth }) => isMissing(auth, connections.get(name)))
  return html`${badge('Bring your token', 'idle')}${isWaiting && html` ${readiness(members, connections)}`}`
}

/** What people know a server as, with its name where that is another. */
export function labelAndName({ label, name }: Pick<VisibleServer, 'label' | 'name'>): Html {
  return html`<bdi>${label}</bdi>${label !== name && html` <span class="hushed">${name}</span>`}`
}

/** Scopes in plain words, each with its own name; of one that nobody knows, the name alone. */
export function scopeList(scopes: readonly string[]): Html {
  return html`<ul role="list">
${scopes.map((scope) => {
  const words = scopeWords(scope)
  return words === undefined ? html`<li><code>${scope}</code></li>\n` : html`<li>${words} <code>${scope}</code></li>\n`
})}</ul>`
}

/** The scopes of a connection, or those that will be asked for. */
export function scopesOf(configured: readonly string[], connection: Connection | undefined): readonly string[] {
  const given = connection?.scope?.split(' ').filter((scope) => scope !== '')
  return given === undefined || given.length === 0 ? configured : given
}
