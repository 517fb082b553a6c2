/** Which scenarios are tried, on what, and which are left out. */
import { type LeftOut, reasonToLeaveOut } from './left-out.ts'
import type { RequiredScenarios } from './required.ts'

/** The revisions that the suite has requirements for. */
export const REVISIONS = ['2026-07-28', '2025-11-25'] as const
/** One of them. */
export type Revision = (typeof REVISIONS)[number]
/** The form in which the gateway is a client: the scenario's server is its upstream. */
export const CLIENT = 'client'

/** Why what is tried without a gateway does not count. */
export const FIXTURE = 'fixture'

/** A scenario on one form of the gateway. */
export interface Try {
  readonly side: 'server' | 'client' | 'authorization'
  readonly form: string
  readonly revision: Revision
  readonly scenario: string
  /** Why it is run but not counted. */
  readonly unscored: string | undefined
  /** Why it is not run. */
  readonly leftOut: string | undefined
}

/** What the suite requires, by revision. */
export type Requirements = Readonly<Record<Revision, RequiredScenarios>>

const NONE: RequiredScenarios = { server: [], client: [], unscored: [] }
/** Where there is no suite. */
export const NOTHING: Requirements = { '2026-07-28': NONE, '2025-11-25': NONE }

/**
 * All tries: on servers in the order of `forms`, then the others.
 *
 * @param authorization - our own scenarios
 * @param forms - of servers; `counts` is false for what is only there to compare with
 * @throws Error for a name in `leftOut` that the suite does not have: it may have been renamed, and would then be tried unseen
 */
export function planTries(
  requirements: Requirements,
  forms: readonly { readonly name: string; readonly counts: boolean }[],
  authorization: readonly { readonly name: string }[],
  leftOut: readonly LeftOut[],
): Try[] {
  const tries: Try[] = []
  const plan = (side: LeftOut['side'], form: string, counts: boolean) => {
    for (const revision of REVISIONS) {
      const { unscored, [side]: required } = requirements[revision]
      const add = (scenario: string, why: string | undefined) =>
        tries.push({
          side,
          form,
          revision,
          scenario,
          unscored: counts ? why : FIXTURE,
          leftOut: reasonToLeaveOut(side, scenario, form, revision, leftOut),
        })
      for (const scenario of required) add(scenario, undefined)
      for (const { side: of, scenario, why } of unscored) if (of === side) add(scenario, why)
    }
  }
  for (const { name, counts } of forms) plan('server', name, counts)
  plan('client', CLIENT, true)
  for (const revision of REVISIONS) {
    for (const { name: scenario } of authorization) {
      const common = { revision, scenario, unscored: undefined, leftOut: undefined }
      tries.push({ side: 'authorization', form: 'authorization', ...common })
    }
  }
  const unknown = leftOut.filter((each) => !tries.some(({ side, scenario }) => matches(each, side, scenario)))
  if (unknown.length === 0) return tries
  throw new Error(`left-out.ts: the suite has no ${unknown.map(({ scenario }) => scenario).join(', ')}`)
}

function matches(each: LeftOut, side: Try['side'], scenario: string): boolean {
  return each.side === side && each.scenario === scenario
}

/**
 * The tries that `--only` names: by form, revision and scenario, of each kind any.
 *
 * @throws Error for a name that is none of them
 */
export function choose(tries: readonly Try[], names: readonly string[]): Try[] {
  const kinds = [
    new Set(tries.map(({ form }) => form)),
    new Set<string>(tries.map(({ revision }) => revision)),
    new Set(tries.map(({ scenario }) => scenario)),
  ]
  const unknown = names.filter((name) => !kinds.some((kind) => kind.has(name)))
  if (unknown.length > 0) throw new Error(`there is no form, revision or scenario ${unknown.join(', ')}`)
  const wanted = kinds.map((kind) => names.filter((name) => kind.has(name)))
  return tries.filter(({ form, revision, scenario }) =>
    [form, revision, scenario].every((name, index) => wanted[index]?.length === 0 || wanted[index]?.includes(name)),
  )
}
