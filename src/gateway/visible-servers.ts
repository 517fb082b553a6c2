/** Which servers somebody may use, as they may know them: what a page for people is made of. */
import { ownOf, principalsOf } from '../access/principals.ts'
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
      ...kindOf(server),
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
): Pick<VisibleServer, 'kind' | 'auth' | 'scopes' | 'members' | 'require'> {
  if ('members' in server) {
    const members = server.members.map((member) => memberOf(member.server))
    return { kind: 'virtual', auth: 'virtual', scopes: [], members, require: server.config.require ?? 'all' }
  }
  const { auth, scopes } = memberOf(server)
  return { kind: 'server', auth, scopes, members: [] }
}

function memberOf({ name, config: { label = name, auth } }: LiveServer): VisibleMember {
  return { name, label, auth: auth.type, scopes: auth.type === 'oauth2' ? (auth.scopes ?? []) : [] }
}
