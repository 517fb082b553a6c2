/** Whether a caller may do something: by the grants, and by the user's own function where there is one. */
import type { Access, AccessFilter } from '../access/access.ts'
import type { AccessDecision, GrantRef, Wanted } from '../access/decision.ts'
import { messageOf } from '../core/errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { ListName } from '../mcp/list-filter.ts'
import type { ListJudge } from '../mcp/relay-call.ts'
import type { Decide } from './decide.ts'

/** What is decided. */
export type Permission =
  | { readonly kind: 'allowed'; readonly rule: GrantRef | undefined }
  | {
      readonly kind: 'denied'
      /** As in an `AccessDecision`; `decide`: the user's function said no to what the grants give. */
      readonly reason: 'no_role' | 'not_granted' | 'argument' | 'decide'
      readonly rule: GrantRef | undefined
      readonly argument: string | undefined
    }
  /** The user's function failed: 503. */
  | { readonly kind: 'unavailable'; readonly detail: string }

/** The user's function failed while a list was filtered: thrown through whoever filters. */
export class DecideError extends Error {}

/** Who wants something, and where. */
export interface Asker {
  readonly access: Access
  readonly caller: Caller
  /** The caller's, from `principalsOf`. */
  readonly principals: readonly string[]
  readonly server: string
}

/** See the top of the file. */
export interface Permissions {
  /** At once, unless the user's function takes its time. */
  ask(asker: Asker, wanted: Wanted): Permission | Promise<Permission>
  /** Whether the caller has everything on the server by the grants: for methods of which nobody can say what they do. */
  everything(asker: Asker): boolean
  /** What the caller sees of lists; `undefined` where nothing is left out. */
  lists(asker: Asker): ListJudge | undefined
}

/** Permissions by grants, and by `decide` where it is given. */
export function createPermissions(decide?: Decide): Permissions {
  const everything: Permissions['everything'] = ({ access, principals, server }) =>
    access.filter(principals, server).everything
  if (decide === undefined) {
    // Asked for with every call, and the same for all of a caller's.
    const judges = new WeakMap<AccessFilter, ListJudge>()
    return {
      everything,
      ask: ({ access, principals, server }, wanted) => ofGrants(access.decide(principals, server, wanted)),
      lists({ access, principals, server }) {
        const filter = access.filter(principals, server)
        if (filter.everything) return undefined
        const known = judges.get(filter)
        if (known !== undefined) return known
        const judge: ListJudge = { allows: (list, name) => filter[KINDS[list]](name) }
        judges.set(filter, judge)
        return judge
      },
    }
  }
  return {
    everything,
    async ask({ access, caller, principals, server }, wanted) {
      const granted = access.decide(principals, server, wanted)
      // A policy about servers and tools must make nobody an administrator: for a role it can only take away.
      if (!granted.allowed && (wanted.kind === 'manage' || wanted.kind === 'admin')) return ofGrants(granted)
      try {
        const yes = yesOrNo(await decide({ caller, principals, server, wanted, listing: false, granted }))
        return yes ? { kind: 'allowed', rule: granted.rule } : denial(granted)
      } catch (error) {
        return { kind: 'unavailable', detail: `decide() failed: ${messageOf(error)}` }
      }
    },
    lists({ access, caller, principals, server }) {
      const filter = access.filter(principals, server)
      return {
        async allows(list, name) {
          const wanted = wantedOf(list, name)
          const decided = access.decide(principals, server, wanted)
          // Some arguments would do; which they are is asked when they are there.
          const shown = !decided.allowed && decided.rule !== undefined && filter[KINDS[list]](name)
          const granted: AccessDecision = shown ? { allowed: true, rule: decided.rule } : decided
          try {
            return yesOrNo(await decide({ caller, principals, server, wanted, listing: true, granted }))
          } catch (error) {
            throw new DecideError(`decide() failed: ${messageOf(error)}`, { cause: error })
          }
        },
      }
    },
  }
}

/** Not everybody has types. */
function yesOrNo(answer: unknown): boolean {
  if (typeof answer !== 'boolean') throw new TypeError('it answered with something else than true or false')
  return answer
}

const KINDS = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'resource',
} as const satisfies Record<ListName, string>

function wantedOf(list: ListName, name: string): Wanted {
  const kind = KINDS[list]
  return kind === 'resource' ? { kind, uri: name } : { kind, name }
}

function ofGrants(decided: AccessDecision): Permission {
  if (decided.allowed) return { kind: 'allowed', rule: decided.rule }
  const { reason, rule, argument } = decided
  return { kind: 'denied', reason, rule, argument }
}

function denial(granted: AccessDecision): Permission {
  return granted.allowed
    ? { kind: 'denied', reason: 'decide', rule: granted.rule, argument: undefined }
    : ofGrants(granted)
}
