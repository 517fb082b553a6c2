/** One grant in the form that decisions use. */
import { deepFreeze } from '../core/freeze.ts'
import { compileGlob } from '../match/glob.ts'
import { compileArgumentRules } from './argument-rules.ts'
import type { GrantRef, Wanted } from './decision.ts'
import type { Grant } from './grants.ts'
import { compilePlaceGlobs } from './place-globs.ts'

/** What a grant says to something wanted of one of its servers by one of those it is to. */
export type Verdict =
  | { readonly kind: 'granted' }
  | { readonly kind: 'role' }
  | { readonly kind: 'not_named' }
  | { readonly kind: 'argument'; readonly argument: string }

/** A grant, compiled. */
export interface CompiledGrant {
  readonly ref: GrantRef
  readonly to: readonly string[]
  readonly on: readonly string[]
  /** Whether it gives all tools, prompts and resources, as it names none. */
  readonly everything: boolean
  tool(name: string): boolean
  prompt(name: string): boolean
  resource(uri: string): boolean
  judge(wanted: Wanted): Verdict
}

const GRANTED: Verdict = { kind: 'granted' }
const ROLE: Verdict = { kind: 'role' }
const NOT_NAMED: Verdict = { kind: 'not_named' }
const RANKS = { use: 0, manage: 1, admin: 2 } as const

/** Compiles a grant that has passed `checkGrants`. What its owner does to the object later changes nothing. */
export function compileGrant(data: Grant, index: number): CompiledGrant {
  const grant = deepFreeze(structuredClone(data))
  const { tools, prompts, resources } = grant
  const everything = tools === undefined && prompts === undefined && resources === undefined
  const rank = everything ? RANKS[grant.role ?? 'use'] : RANKS.use
  const anyOf = (globs: readonly string[] = []) => (everything ? () => true : compileNames(globs))
  const tool = anyOf(tools)
  const prompt = anyOf(prompts)
  const places = compilePlaceGlobs(resources ?? [])
  const resource = everything ? () => true : places
  const failing = compileArgumentRules(grant.arguments ?? {})

  return {
    ref: Object.freeze({ index, grant }),
    to: [grant.to].flat(),
    on: [grant.on].flat(),
    everything,
    tool,
    prompt,
    resource,
    judge(wanted) {
      switch (wanted.kind) {
        case 'connect':
          return GRANTED
        case 'manage':
        case 'admin':
          return rank >= RANKS[wanted.kind] ? GRANTED : ROLE
        case 'prompt':
          return prompt(wanted.name) ? GRANTED : NOT_NAMED
        case 'resource':
          return resource(wanted.uri) ? GRANTED : NOT_NAMED
        case 'tool': {
          if (!tool(wanted.name)) return NOT_NAMED
          const argument = failing(wanted.arguments)
          return argument === undefined ? GRANTED : { kind: 'argument', argument }
        }
        default:
          return NOT_NAMED
      }
    },
  }
}

/** Whether a name matches any of the globs. */
function compileNames(globs: readonly string[]): (name: string) => boolean {
  const exact = new Set(globs.filter((glob) => !glob.includes('*')))
  const patterns = globs.filter((glob) => glob.includes('*')).map(compileGlob)
  return (name) => exact.has(name) || patterns.some((fits) => fits(name))
}
