/** Virtual accounts that somebody answers for, and the servers that they connect for them with an account of their own (G2, G13). */
import type { Connection } from '../broker/broker.ts'
import type { Reply } from '../http/gate.ts'
import { redirect } from '../http/redirect.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'
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
import { ACCOUNT, SERVER } from './path-parts.ts'
import { labelAndName, readiness, stateBadge, takesOwnToken } from './server-text.ts'
import { badge, show, table } from './view.ts'
import type { VisibleMember, VisibleServer } from './visible-server.ts'

/** A server that an account may use, itself or as a member of a virtual one. */
type Used = Pick<VisibleMember, 'name' | 'label' | 'auth'> & { readonly gone?: true }

/** An account, and how it stands with what it may use. */
interface Standing {
  readonly account: VirtualAccount
  readonly used: readonly Used[]
  readonly connections: readonly Connection[]
}

/** The page, its buttons, and what its script asks for. */
export function ownAccountRoutes(parts: PortalParts, forms: PortalForms): PortalRoute[] {
  const { path, origin, gateway } = parts
  const here = `${path}/accounts`
  const section = 'own-accounts'

  async function standings(visit: Visit): Promise<Standing[]> {
    const found = await Promise.all((await visit.accounts()).map(standingOf))
    return found.filter((standing) => standing !== undefined)
  }

  /** `undefined` of one that was deleted a moment ago. */
  async function standingOf(account: VirtualAccount): Promise<Standing | undefined> {
    const subject = { virtualAccount: account.name }
    try {
      const [servers, connections] = await Promise.all([
        gateway.servers.for(subject),
        gateway.connections.list(subject),
      ])
      return { account, used: usedOf(servers), connections }
    } catch (error) {
      if (isNotTheirs(error)) return undefined
      throw error
    }
  }

  /** The account of the path, where the person is one of its owners. */
  async function find(visit: Visit): Promise<Standing | undefined> {
    const account = (await visit.accounts()).find(({ name }) => name === visit.params[0])
    return account && standingOf(account)
  }

  async function list(visit: Visit): Promise<Reply | undefined> {
    const found = await standings(visit)
    if (found.length === 0) return undefined
    const all = found.flatMap(({ connections }) => connections)
    const body = html`<ul class="cards" role="list" data-state="${stateOf(all)}" data-state-url="${here}/state">
${found.map((standing) => html`<li>${card(visit, standing, here)}</li>\n`)}</ul>`
    const lead =
      'Services that you answer for. Where a server wants the account of a person, they use yours, or that of another owner.'
    return show(parts, visit, { title: 'My virtual accounts', section, lead, body })
  }

  async function state(visit: Visit): Promise<Reply | undefined> {
    const found = await standings(visit)
    return found.length === 0 ? undefined : stateReply(found.flatMap(({ connections }) => connections))
  }

  async function connect(visit: Visit): Promise<Reply | undefined> {
    const [name = '', server = ''] = visit.params
    const who = visit.identity
    try {
      const returnTo = `${origin}${here}#${name}`
      return redirect(303, await gateway.connections.connectUrl({ server, who, forVirtualAccount: name, returnTo }))
    } catch (error) {
      if (isNotTheirs(error)) return undefined
      throw error
    }
  }

  async function ask(visit: Visit): Promise<Reply | undefined> {
    const found = await find(visit)
    const server = visit.params[1] ?? ''
    if (found === undefined || !byServer(found.connections).has(server)) return undefined
    const { account, used } = found
    const label = used.find((each) => each.name === server)?.label ?? server
    return askToRevoke(parts, visit, {
      label,
      consequence: html`The virtual account <strong>${account.name}</strong> will no longer be able to use <strong><bdi>${label}</bdi></strong>, until one of its owners connects it again.`,
      section,
      action: connectionPaths(`${here}/${account.name}`, server).revoke,
      keepHref: `${here}#${account.name}`,
    })
  }

  async function revoke(visit: Visit): Promise<Reply | undefined> {
    const found = await find(visit)
    const server = visit.params[1] ?? ''
    if (found === undefined) return undefined
    const isKnown = byServer(found.connections).has(server) || found.used.some(({ name }) => name === server)
    if (!isKnown) return undefined
    const { name } = found.account
    const ended = await gateway.connections.revoke({ virtualAccount: name }, server)
    return redirect(303, `${here}#${name}`, [forms.noteCookie(ended ? 'account-disconnected' : 'not-connected')])
  }

  const back = async ({ params }: Visit) => redirect(303, `${here}#${params[0]}`)
  return [
    { path: /^\/accounts$/, get: list },
    { path: /^\/accounts\/state$/, get: state },
    { path: new RegExp(`^/accounts/${ACCOUNT}/servers/${SERVER}/connect$`), get: back, post: connect },
    { path: new RegExp(`^/accounts/${ACCOUNT}/servers/${SERVER}/revoke$`), get: ask, post: revoke },
  ]
}

/** Each server once, whether it is used under its own address or that of a virtual server. */
function usedOf(servers: readonly VisibleServer[]): readonly Used[] {
  const used = new Map<string, Used>()
  for (const { kind, name, label, auth, members } of servers) {
    if (kind === 'server' && auth !== 'virtual') used.set(name, { name, label, auth })
    for (const member of members) if (!used.has(member.name)) used.set(member.name, member)
  }
  return [...used.values()]
}

function card(visit: Visit, { account, used, connections }: Standing, here: string): Html {
  const { name, description } = account
  const found = byServer(connections)
  const columns = [{ label: 'Server' }, { label: 'State' }, { label: 'What you can do', end: true }]
  const rows = [...used, ...leftOver(used, connections)].map((server) => {
    const connection = found.get(server.name)
    const { connect, revoke } = connectionPaths(`${here}/${name}`, server.name)
    const paths = server.gone ? { revoke } : { connect, revoke }
    const buttons = server.auth === 'oauth2' && connectionButtons(visit, server.label, connection, paths)
    return [
      labelAndName(server),
      server.gone ? badge('Not in use', 'idle') : stateOfUsed(server, connection),
      html`<div class="row tight">${buttons}</div>`,
    ]
  })
  return html`<article class="card" id="${name}" aria-labelledby="${`title-${name}`}">
<div class="top"><h2 id="${`title-${name}`}">${name}</h2><span class="badges">${readiness(used, found)}</span></div>
${description !== undefined && html`<p><bdi>${description}</bdi></p>\n`}${
  rows.length === 0
    ? html`<p class="hushed">It may not use any server yet.</p>\n`
    : table(`What ${name} may use`, columns, rows)
}</article>`
}

/** Virtual accounts come with keys, and have no token of a person to bring. */
function stateOfUsed({ auth }: Used, connection: Connection | undefined): Html {
  return takesOwnToken(auth) ? badge('For people only', 'idle') : stateBadge(auth, connection)
}

/** What was connected for servers that it may no longer use, that are gone, or that take no connections any more. */
function leftOver(used: readonly Used[], connections: readonly Connection[]): readonly Used[] {
  const names = new Set(used.filter(({ auth }) => auth === 'oauth2').map(({ name }) => name))
  return connections
    .filter(({ server }) => !names.has(server))
    .map(({ server }) => ({ name: server, label: server, auth: 'oauth2', gone: true }))
}
