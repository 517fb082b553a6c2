/** Finds the grants that count for a caller on a server, without looking at all of them. */
import type { CompiledGrant } from './compiled-grant.ts'
import { createGlobIndex, type GlobIndex } from './glob-index.ts'
import { headOf } from './principals.ts'

/** The grants to any of `principals` on `server`, in order; one with several patterns that match may be there several times. */
export type FindGrants = (principals: readonly string[], server: string) => readonly CompiledGrant[]

/** Makes the function that finds grants. */
export function indexGrants(grants: readonly CompiledGrant[]): FindGrants {
  const findHeld = indexByPrincipal(grants)
  const known = new WeakMap<readonly string[], Known>()
  const byServer = createGlobIndex<CompiledGrant>()
  for (const grant of grants) for (const glob of grant.on) byServer.add(glob, grant)

  function knownOf(principals: readonly string[]): Known {
    const before = known.get(principals)
    if (before !== undefined) return before
    const made = { held: findHeld(principals), byServer: new Map() }
    // A list that can still change is not known by its identity.
    if (Object.isFrozen(principals)) known.set(principals, made)
    return made
  }

  return (principals, server) => {
    const before = known.get(principals)?.byServer.get(server)
    if (before !== undefined) return before
    const lists = byServer.find(server)
    if (lists.length === 0) return []
    const theirs = knownOf(principals)
    const found: CompiledGrant[] = []
    for (const list of lists) for (const grant of list) if (theirs.held.has(grant)) found.push(grant)
    if (lists.length > 1) found.sort((a, b) => a.ref.index - b.ref.index)
    // Only where there are any: that a server is not there, or not for this caller, must not show in the time that it takes.
    if (found.length > 0 && theirs.byServer.size < MAX_SERVERS_KNOWN) theirs.byServer.set(server, found)
    return found
  }
}

/** What has been found out for a list of principals. */
interface Known {
  readonly held: ReadonlySet<CompiledGrant>
  /** A request asks three times for the same server. */
  readonly byServer: Map<string, readonly CompiledGrant[]>
}

/** Names of servers come from callers, too. */
const MAX_SERVERS_KNOWN = 100

/** A function that tells which grants are to any of some principals. */
function indexByPrincipal(grants: readonly CompiledGrant[]) {
  const byHead = new Map<string, GlobIndex<CompiledGrant>>()
  for (const grant of grants) {
    for (const pattern of grant.to) {
      const head = headOf(pattern)
      // As in `isPrincipal`.
      if (head === '' && pattern.includes('*')) continue
      const index = byHead.get(head) ?? createGlobIndex<CompiledGrant>()
      byHead.set(head, index)
      index.add(pattern.slice(head.length), grant)
    }
  }
  return (principals: readonly string[]): ReadonlySet<CompiledGrant> => {
    const held = new Set<CompiledGrant>()
    for (const principal of principals) {
      const head = headOf(principal)
      const lists = byHead.get(head)?.find(principal.slice(head.length)) ?? []
      for (const list of lists) for (const grant of list) held.add(grant)
    }
    return held
  }
}
