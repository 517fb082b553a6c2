/**
 * Whether the caller of an open stream may still have it: by what the request brought, as of now. Looked at now and then, and
 * after each change, so that what has been taken away does not go on for as long as somebody keeps listening.
 */
import type { Broker } from '../broker/broker.ts'
import type { Caller } from '../identity/caller.ts'
import { isLasting } from '../mcp/lasting.ts'
import type { Exchange } from './exchange.ts'
import { judgeMessages } from './judge-messages.ts'
import type { LiveServer } from './live-server.ts'
import { isEqual, type LiveStates } from './live-state.ts'
import type { StreamEnd } from './open-streams.ts'
import type { Asker, Permissions } from './permissions.ts'
import type { LiveVirtualServer } from './virtual/live.ts'

/** What it works with. */
export interface StreamJudgeParts {
  readonly live: LiveStates
  readonly permissions: Permissions
  readonly broker: Pick<Broker, 'tokens'>
  readonly principalsFor: (caller: Caller) => readonly string[]
}

/** Why a stream of this exchange ends; `undefined` where it goes on, as it does while nobody can tell. */
export type StreamJudge = (exchange: Exchange) => Promise<StreamEnd | undefined>

/** See the top of the file. */
export function createStreamJudge({ live, permissions, broker, principalsFor }: StreamJudgeParts): StreamJudge {
  /**
   * Whether a connection that a stream was opened with has been ended by its owner. Who only listens would not be let in where
   * consent has to be given again either; what was asked for before gets its answer.
   */
  async function isDisconnected(exchange: Exchange, listens: boolean): Promise<boolean> {
    const { credential, caller, server, connections } = exchange
    if (caller === undefined) return false
    const names = server === undefined ? connections : credential === 'oauth2' ? [server.name] : []
    for (const name of names ?? []) {
      const { kind } = await broker.tokens(caller.identity.id, name)
      if (kind === 'none' || kind === 'revoked' || (listens && kind === 'reauth_required')) return true
    }
    return false
  }

  /** Whether nothing was left out of lists on a stream, and something would be now. */
  function wasUnfiltered({ state, principals }: Exchange, asker: Asker): boolean {
    if (state.access === asker.access) return false
    return permissions.everything({ ...asker, access: state.access, principals }) && !permissions.everything(asker)
  }

  return async (exchange) => {
    const { request, normalised, caller, endpoint, messages } = exchange
    const { watchers, servers, virtualServers, access } = live.current
    const name = endpoint.server ?? ''
    const [plain, virtual] = [servers.get(name), virtualServers.get(name)]
    const server = plain ?? virtual
    if (server === undefined || caller === undefined) return 'denied'
    const listens = isLasting(request.method, messages)
    // Calls end where they began. Who only listens would go on listening to a server that is no longer the one that is meant.
    if (listens && (hasMoved(exchange.server, plain) || hasChanged(exchange.virtual, virtual))) return 'denied'
    const found = await watchers.authenticate(normalised.authorization, endpoint.url)
    if (found.kind === 'unavailable') return undefined
    if (found.kind === 'unauthenticated' || found.identity.id !== caller.identity.id) return 'unauthenticated'
    const asker: Asker = { access, caller: found, principals: principalsFor(found), server: server.name }
    if ((await permissions.ask(asker, { kind: 'connect' })).kind === 'denied') return 'denied'
    const verdict = messages === undefined ? undefined : await judgeMessages(messages, asker, permissions)
    if (verdict?.kind === 'refused' || (listens && wasUnfiltered(exchange, asker))) return 'denied'
    return (await isDisconnected(exchange, listens)) ? 'denied' : undefined
  }
}

/** Whether a server of the same name is another one by now, or is called with other credentials. */
function hasMoved(before: LiveServer | undefined, now: LiveServer | undefined): boolean {
  if (before === undefined || before === now) return false
  return before.config.url !== now?.config.url || !isEqual(before.config.auth, now.config.auth)
}

/** The same of a virtual server: whether something else is chosen by now, or a member has moved. */
function hasChanged(before: LiveVirtualServer | undefined, now: LiveVirtualServer | undefined): boolean {
  if (before === undefined || before === now) return false
  if (!isEqual(before.config, now?.config)) return true
  return before.members.some(({ server }) => hasMoved(server, now?.byName.get(server.name)?.server))
}
