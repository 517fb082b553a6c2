/** What administrators may see: everything about the servers that a grant makes them administrators of, and nothing else. */
import { type Html, html } from '../pages/html.ts'
import type { PortalAnswer, PortalGateway, PortalOwner, Visit } from './parts.ts'
import type { VisibleServer } from './visible-server.ts'

/** The servers that somebody administers. */
export async function administered(visit: Visit): Promise<readonly VisibleServer[]> {
  return (await visit.servers()).filter(({ role }) => role === 'admin')
}

/** A page for administrators; for anybody else there is none. */
export function forAdmins(answer: PortalAnswer): PortalAnswer {
  return async (visit) => ((await administered(visit)).length === 0 ? undefined : answer(visit))
}

/** What an administrator may do with a virtual account. */
export interface AccountPower {
  /** It may use a server of theirs. */
  readonly see: boolean
  /**
   * It may use nothing but servers of theirs: whoever makes a key for it gets all that it may do. Servers that everybody may use do
   * not count.
   */
  readonly manage: boolean
}

/** See {@link AccountPower}; `own` are the servers that somebody administers. */
export async function powerOver(
  account: PortalOwner,
  own: readonly VisibleServer[],
  gateway: Pick<PortalGateway, 'servers'>,
): Promise<AccountPower> {
  const names = new Set(own.map(({ name }) => name))
  const used = (await gateway.servers.for(account)).filter(({ byName }) => byName)
  const see = used.some(({ name }) => names.has(name))
  return { see, manage: see && used.every(({ name }) => names.has(name)) }
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
