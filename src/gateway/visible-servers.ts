/** Which servers somebody may use, as they may know them: what a page for people is made of. */
import { isPrincipal, ownOf, principalsOf } from '../access/principals.ts'
import type { UpstreamAuth } from '../broker/upstream-auth.ts'
import type { Caller } from '../identity/caller.ts'
import type { VisibleMember, VisibleServer } from '../portal/visible-server.ts'
import type { GatewayServers } from './gateway.ts'
import { GatewayError } from './gateway-error.ts'
import type { Identification } from './identification.ts'
import type { LiveServer } from './live-server.ts'
import type { LiveState, LiveStates } from './live-state.ts'
import type { Asker, Permissions } from './permissions.ts'
import type { LiveVirtualServer } from './virtual/live.ts'

/** What is needed for that. */
export interface VisibleServerParts {
  readonly live: LiveStates
  readonly permissions: Permissions
  readonly callerOfSubject: Identification['callerOfSubject']
}

/** Whose servers they are. The lists are the same for all servers, since what is found out for one is remembered. */
interface Looker {
  readonly caller: Caller
  readonly principals: readonly string[]
  /** Without `anonymous`. */
  readonly own: readonly string[]
}

/** See `GatewayServers.for`. All of it is of one configuration, however long it takes. */
export function createVisibleServers(parts: VisibleServerParts): GatewayServers['for'] {
  const { live, permissions, callerOfSubject } = parts

  async function isGiven(asker: Asker, kind: 'connect' | 'manage' | 'admin'): Promise<boolean> {
    const asked = await permissions.ask(asker, { kind })
    if (asked.kind === 'unavailable') throw new GatewayError('ERR_UNAVAILABLE', asked.detail)
    return asked.kind === 'allowed'
  }

  async function look(
    { access, endpoints }: LiveState,
    { caller, principals, own }: Looker,
    server: LiveServer | LiveVirtualServer,
  ): Promise<VisibleServer | undefined> {
    const asker: Asker = { access, caller, principals, server: server.name }
    if (!(await isGiven(asker, 'connect'))) return undefined
    const [byName, byKey, manages, administers] = await Promise.all([
      isGiven({ ...asker, principals: own }, 'connect'),
      caller.externalIdentities.length === 0 || isGiven(withKey(asker), 'connect'),
      isGiven(asker, 'manage'),
      isGiven(asker, 'admin'),
    ])
    const { name, config } = server
    return {
      name,
      label: config.label ?? name,
      ...(config.description === undefined ? {} : { description: config.description }),
      urls: endpoints.urlsOf(name),
      ...kindOf(server, own),
      role: administers ? 'admin' : manages ? 'manage' : 'use',
      everything: permissions.everything(asker),
      byName,
      byKey,
    }
  }

  return async (who) => {
    const caller = await callerOfSubject(who)
    const state = live.current
    const principals = principalsOf(caller)
    const looker = { caller, principals, own: ownOf(principals) }
    const all = [...state.servers.values(), ...state.virtualServers.values()]
    const found = await Promise.all(all.map((server) => look(state, looker, server)))
    return found.filter((server) => server !== undefined)
  }
}

/** The same person with a personal token, which has no claims that could meet an external identity. */
function withKey(asker: Asker): Asker {
  const { identity } = asker.caller
  const caller: Caller = { ...asker.caller, identity: { ...identity, claims: {} }, externalIdentities: [] }
  return { ...asker, caller, principals: principalsOf(caller) }
}

function kindOf(
  server: LiveServer | LiveVirtualServer,
  own: readonly string[],
): Pick<VisibleServer, 'kind' | 'auth' | 'ownValues' | 'scopes' | 'members' | 'require'> {
  if ('members' in server) {
    const members = server.members.map((member) => memberOf(member.server, own))
    const require = server.config.require ?? 'all'
    return { kind: 'virtual', auth: 'virtual', ownValues: false, scopes: [], members, require }
  }
  const { auth, ownValues, scopes } = memberOf(server, own)
  return { kind: 'server', auth, ownValues, scopes, members: [] }
}

function memberOf({ name, config: { label = name, auth } }: LiveServer, own: readonly string[]): VisibleMember {
  const scopes = auth.type === 'oauth2' ? (auth.scopes ?? []) : []
  return { name, label, auth: auth.type, ownValues: hasOwnValues(auth, own), scopes }
}

/** Whether `createHeaderAuth` would have other values for these principals than for everybody. */
function hasOwnValues(auth: UpstreamAuth, own: readonly string[]): boolean {
  const patterns = auth.type === 'header' ? (auth.overrides ?? []).flatMap(({ to }) => to) : []
  return patterns.some((pattern) => own.some((principal) => isPrincipal(principal, pattern)))
}
