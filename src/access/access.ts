/**
 * Decides who may use what (G4, G15). Pure: a list of grants in, decisions out; another list makes another `Access`, so that a
 * request never sees half of a change. Grants only add, so no order matters but for which rule is named.
 */
import { type CompiledGrant, compileGrant } from './compiled-grant.ts'
import type { AccessDecision, Wanted } from './decision.ts'
import { type Explanation, explainDecision } from './explain.ts'
import { indexGrants } from './grant-index.ts'
import type { Grant } from './grants.ts'

/** What of a server's lists a caller sees. */
export interface AccessFilter {
  /** Whether nothing is left out, so that a list can go on as it is. */
  readonly everything: boolean
  /** Whether the caller may call the tool, with some arguments. */
  tool(name: string): boolean
  prompt(name: string): boolean
  resource(uri: string): boolean
}

/**
 * Decisions over a list of grants. `principals` are the caller's, from `principalsOf`; what is found out for a list is
 * remembered as long as the list lives. `server` is the id of a server or virtual server, taken as it is.
 */
export interface Access {
  decide(principals: readonly string[], server: string, wanted: Wanted): AccessDecision
  /** Whether the caller has any role on the server. If not, it must look to them like one that does not exist. */
  mayUse(principals: readonly string[], server: string): boolean
  filter(principals: readonly string[], server: string): AccessFilter
  /** Why `decide` decides as it does, grant by grant. Takes its time: for people, not for requests. */
  explain(principals: readonly string[], server: string, wanted: Wanted): Explanation
  /** Those of `ids` that the caller has a role on. */
  servers(principals: readonly string[], ids: Iterable<string>): string[]
}

const NO_ROLE: AccessDecision = Object.freeze({ allowed: false, reason: 'no_role' })
const NOT_GRANTED: AccessDecision = Object.freeze({ allowed: false, reason: 'not_granted' })

/** Compiles grants that have passed `checkGrants`. They are copied: changing them later changes nothing. */
export function createAccess(grants: readonly Grant[]): Access {
  const compiled = grants.map(compileGrant)
  const find = indexGrants(compiled)
  const filters = new WeakMap<readonly CompiledGrant[], AccessFilter>()

  function decide(principals: readonly string[], server: string, wanted: Wanted): AccessDecision {
    const found = find(principals, server)
    if (found.length === 0) return NO_ROLE
    let refused = NOT_GRANTED
    for (const { ref, judge } of found) {
      const verdict = judge(wanted)
      if (verdict.kind === 'granted') return { allowed: true, rule: ref }
      if (verdict.kind === 'argument' && refused === NOT_GRANTED) {
        refused = { allowed: false, reason: 'argument', argument: verdict.argument, rule: ref }
      }
    }
    return refused
  }

  const mayUse = (principals: readonly string[], server: string) => find(principals, server).length > 0

  return {
    decide,
    mayUse,
    filter(principals, server) {
      const found = find(principals, server)
      const known = filters.get(found)
      if (known !== undefined) return known
      const filter = filterOf(found)
      filters.set(found, filter)
      return filter
    },
    explain: (principals, server, wanted) =>
      explainDecision(decide(principals, server, wanted), compiled, principals, server, wanted),
    servers: (principals, ids) => [...ids].filter((id) => mayUse(principals, id)),
  }
}

function filterOf(found: readonly CompiledGrant[]): AccessFilter {
  const everything = found.some((grant) => grant.everything)
  return {
    everything,
    tool: (name) => everything || found.some((grant) => grant.tool(name)),
    prompt: (name) => everything || found.some((grant) => grant.prompt(name)),
    resource: (uri) => everything || found.some((grant) => grant.resource(uri)),
  }
}
