/** Why somebody may or may not do something (B9): the grants, one by one, and what the user's own function makes of it. */
import type { Wanted } from '../access/decision.ts'
import type { Explanation } from '../access/explain.ts'
import { principalsOf } from '../access/principals.ts'
import { suggest } from '../core/suggest.ts'
import type { Caller } from '../identity/caller.ts'
import type { LiveState } from './live-state.ts'
import type { Permissions } from './permissions.ts'
import type { LiveVirtualServer } from './virtual/live.ts'
import { candidatesOf } from './virtual/routes.ts'

/** Explains what would be decided for `caller` now. A text as `wanted` names a tool; the connection is meant where it is left out. */
export async function explainAccess(
  { access, servers, virtualServers }: LiveState,
  permissions: Permissions,
  caller: Caller,
  server: string,
  wanted: Wanted | string = { kind: 'connect' },
): Promise<Explanation> {
  const question: Wanted = typeof wanted === 'string' ? { kind: 'tool', name: wanted } : wanted
  const principals = principalsOf(caller)
  if (!servers.has(server) && !virtualServers.has(server)) {
    const known = [...servers.keys(), ...virtualServers.keys()]
    const summary = `there is no server ${JSON.stringify(server)}${suggest(server, known)}`
    return { allowed: false, reason: 'no_role', summary, grants: [] }
  }
  const explanation = access.explain(principals, server, question)
  const asker = { access, caller, principals, server }
  // Asked as a request asks: first whether there is such a server for them at all.
  const role = await permissions.ask(asker, { kind: 'connect' })
  const virtual = virtualServers.get(server)
  if (virtual !== undefined && role.kind === 'allowed' && !couldHave(virtual, question)) {
    const summary = `nothing of ${JSON.stringify(server)} is called so: the configuration chooses no such thing of any member`
    return { allowed: false, reason: 'not_granted', summary, grants: explanation.grants }
  }
  const decided = role.kind === 'allowed' ? await permissions.ask(asker, question) : role
  if (decided.kind === 'unavailable') {
    return { ...explanation, allowed: false, summary: `${explanation.summary}; ${decided.detail}` }
  }
  const allowed = decided.kind === 'allowed'
  if (allowed === explanation.allowed) return explanation
  const { reason: _, ...rest } = explanation
  const summary = `${explanation.summary}, but decide() ${allowed ? 'allows' : 'denies'} it`
  return allowed ? { ...rest, allowed, summary } : { ...rest, allowed, reason: 'not_granted', summary }
}

function couldHave(virtual: LiveVirtualServer, wanted: Wanted): boolean {
  if (wanted.kind !== 'tool' && wanted.kind !== 'prompt' && wanted.kind !== 'resource') return true
  const { plain, collided } = candidatesOf(virtual, wanted.kind, wanted.kind === 'resource' ? wanted.uri : wanted.name)
  return plain.length + collided.length > 0
}
