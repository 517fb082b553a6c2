/** Why a decision is as it is, in words for whoever wrote the grants. */
import { compileGlob } from '../match/glob.ts'
import type { CompiledGrant, Verdict } from './compiled-grant.ts'
import type { AccessDecision, GrantRef, Wanted } from './decision.ts'
import { isPrincipal } from './principals.ts'

/** A decision, and what each grant had to do with it. */
export interface Explanation {
  /** Whether it may be done. */
  readonly allowed: boolean
  /** See `AccessDecision`. */
  readonly reason?: 'no_role' | 'not_granted' | 'argument'
  /** Of `argument`: the name of the one that does not fit. */
  readonly argument?: string
  /** The grant that decided. */
  readonly rule?: GrantRef
  /** All of it in one sentence. */
  readonly summary: string
  /** Every grant, in order. */
  readonly grants: readonly GrantExplanation[]
}

/** What one grant had to do with a decision. */
export interface GrantExplanation extends GrantRef {
  /** Whether it gives what was wanted. One such grant is enough. */
  readonly applies: boolean
  /** In words. */
  readonly why: string
}

/** The explanation of `decision` on what the principals want of the server. */
export function explainDecision(
  decision: AccessDecision,
  grants: readonly CompiledGrant[],
  principals: readonly string[],
  server: string,
  wanted: Wanted,
): Explanation {
  return {
    ...decision,
    summary: summarise(decision, server, wanted),
    grants: grants.map((grant) => ({ ...grant.ref, ...explainGrant(grant, principals, server, wanted) })),
  }
}

function summarise(decision: AccessDecision, server: string, wanted: Wanted): string {
  if (decision.allowed) return `${words(wanted)} on ${quoted(server)} is allowed by grant ${decision.rule.index}`
  switch (decision.reason) {
    case 'no_role':
      return `no grant to the caller is on ${quoted(server)}, so that to them there is no such server`
    case 'not_granted':
      return `the caller has a role on ${quoted(server)}, but no grant that gives ${words(wanted)}`
    case 'argument': {
      const { rule, argument = '' } = decision
      return `grant ${rule?.index} gives ${words(wanted)} on ${quoted(server)}, but ${argumentWords(argument)}`
    }
  }
}

function explainGrant(
  grant: CompiledGrant,
  principals: readonly string[],
  server: string,
  wanted: Wanted,
): { applies: boolean; why: string } {
  const who = principals.find((principal) => grant.to.some((pattern) => isPrincipal(principal, pattern)))
  if (who === undefined) return { applies: false, why: strangerWords(grant.to, principals) }
  if (!grant.on.some((glob) => compileGlob(glob)(server))) {
    return { applies: false, why: `is on ${list(grant.on)}, not on ${quoted(server)}` }
  }
  const verdict = grant.judge(wanted)
  if (verdict.kind !== 'granted') return { applies: false, why: refusalWords(verdict, grant, wanted) }
  return { applies: true, why: `gives ${words(wanted)} to ${quoted(who)}` }
}

function strangerWords(to: readonly string[], principals: readonly string[]): string {
  const misread = principals.find((principal) => {
    const asAddress = principal.replaceAll('%40', '@').replaceAll('%25', '%')
    return principal.startsWith('user:') && to.some((pattern) => isPrincipal(asAddress, pattern))
  })
  const hint =
    misread !== undefined
      ? `; for the subject, which is not an e-mail address, write ${quoted(misread)}`
      : to.some(isAddress) && principals.some(isPerson) && !principals.some(isAddress)
        ? '; no verified e-mail address of theirs is known (email_verified)'
        : ''
  return `is to ${list(to)}, which the caller is not${hint}`
}

function isPerson(principal: string): boolean {
  return principal.startsWith('user:')
}

function isAddress(principal: string): boolean {
  return isPerson(principal) && principal.includes('@')
}

function refusalWords(verdict: Verdict, { everything, ref }: CompiledGrant, wanted: Wanted): string {
  switch (verdict.kind) {
    case 'argument':
      return `gives ${words(wanted)}, but ${argumentWords(verdict.argument)}`
    case 'role':
      return everything
        ? `gives the role "${ref.grant.role ?? 'use'}", which does not include ${words(wanted)}`
        : `names tools, prompts or resources, and so does not give ${words(wanted)}`
    default:
      return `names tools, prompts or resources, and not ${words(wanted)}`
  }
}

function argumentWords(argument: string): string {
  return `not with the value that the argument ${quoted(argument)} has, if any`
}

function words(wanted: Wanted): string {
  switch (wanted.kind) {
    case 'tool':
    case 'prompt':
      return `the ${wanted.kind} ${quoted(wanted.name)}`
    case 'resource':
      return `the resource ${quoted(wanted.uri)}`
    case 'connect':
      return 'the connection'
    default:
      return `"${wanted.kind}"`
  }
}

/** Escaped, as names come from outside and explanations end up in terminals. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

function list(texts: readonly string[]): string {
  return texts.map(quoted).join(' or ')
}
