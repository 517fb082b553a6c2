/** What administrators may see: everything about the servers that a grant makes them administrators of, and nothing else. */
import { type Html, html } from '../pages/html.ts'
import type { PortalGateway, PortalOwner, PortalRoute, Visit } from './parts.ts'
import type { VisibleMember, VisibleServer } from './visible-server.ts'

/** The servers that somebody administers. */
export async function administered(visit: Pick<Visit, 'servers'>): Promise<readonly VisibleServer[]> {
  return (await visit.servers()).filter(({ role }) => role === 'admin')
}

/** Pages for administrators; for anybody else there are none. */
export function forAdmins(routes: readonly PortalRoute[]): PortalRoute[] {
  return routes.map((route) => ({ ...route, adminsOnly: true }))
}

/** What an administrator may do with a virtual account. */
export interface AccountPower {
  /** It may use a server of theirs. */
  readonly see: boolean
  /** Whatever a key of it opens is theirs ({@link openedBy}): whoever makes one gets all that the account may do. */
  readonly manage: boolean
  /** The servers of theirs that it uses, and how many others. */
  readonly uses: readonly VisibleServer[]
  readonly others: number
}

/** See {@link AccountPower}; `own` are the servers that somebody administers. */
export async function powerOver(
  account: PortalOwner,
  own: readonly VisibleServer[],
  gateway: Pick<PortalGateway, 'servers'>,
): Promise<AccountPower> {
  const theirs = new Set(own.map(({ name }) => name))
  const all = await gateway.servers.for(account)
  const opened = new Set(all.flatMap(openedBy))
  const used = new Set([...all.map(({ name }) => name), ...opened])
  const see = all.some(({ byName, name }) => byName && theirs.has(name))
  return {
    see,
    manage: see && [...opened].every((name) => theirs.has(name)),
    uses: own.filter(({ name }) => used.has(name)),
    others: [...used].filter((name) => !theirs.has(name)).length,
  }
}

/**
 * What a key opens of a server beyond what everybody may do: nothing, where it is open to `anonymous` only. What the server is
 * reached with may be the account's own, though, there or at members of it.
 */
function openedBy(server: VisibleServer): readonly string[] {
  const own = server.members.filter(hasOwnCredential).map(({ name }) => name)
  return server.byName || hasOwnCredential(server) || own.length > 0 ? [server.name, ...own] : []
}

/**
 * Never everybody's are connections, which an owner has made with an account of their own, and values of a header that are
 * configured for the account. Other ways take the token of a person, or have one credential for all.
 */
function hasOwnCredential({ auth, ownValues }: Pick<VisibleMember, 'ownValues'> & Pick<VisibleServer, 'auth'>) {
  return auth === 'oauth2' || ownValues
}

/** A choice of servers for a form; the one that is asked about is chosen. */
export function serverChoice(servers: readonly VisibleServer[], chosen: string | null, all?: string): Html {
  return html`<div class="field"><label for="server">Server</label>
<select id="server" name="server">
${all !== undefined && html`<option value="">${all}</option>\n`}${servers.map(
  ({ name, label }) =>
    html`<option value="${name}" ${name === chosen && 'selected'}>${label}${label !== name && ` (${name})`}</option>\n`,
)}</select></div>
`
}
