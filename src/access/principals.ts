/**
 * What a caller is called in grants. Principals are data and have no patterns in them: a star or a slash in a group's name
 * is a character like any other. A principal is a head, `group:corp/`, which configuration alone decides, and a name behind it.
 */
import type { Caller } from '../identity/caller.ts'
import { VIRTUAL_ACCOUNT } from '../identity/identity.ts'
import type { Identity } from '../identity/sign-in.ts'
import { compileGlob } from '../match/glob.ts'

/** Everybody is this, authenticated or not. */
export const ANONYMOUS = 'anonymous'

/** Of the principals of a caller those that are not everybody's. The list is frozen, as theirs is. */
export function ownOf(principals: readonly string[]): readonly string[] {
  return Object.freeze(principals.filter((principal) => principal !== ANONYMOUS))
}

/** Kinds whose names mean something within one integration only: a customer's `engineering` is not ours. */
export const QUALIFIED_KINDS: ReadonlySet<string> = new Set(['user', 'group'])

/**
 * Everything that a grant can call `caller` by:
 *
 * - `user:<integration>/<e-mail>`, where the provider has verified the address
 * - `user:<integration>/<subject>`, with `%40` for `@` and `%25` for `%`: in some providers people choose their subject, and
 *   must not choose somebody's address
 * - `group:<integration>/<group>` for each group
 * - `virtual-account:<name>`, and `group:virtual-account/<group>` for each group of the account
 * - `external-identity:<name>` for each that the token matches
 * - `anonymous`, which everybody is
 *
 * The list is frozen. Keep it as long as the caller is the same: what has been found out for one list is found again by it.
 */
export function principalsOf(caller: Caller): readonly string[] {
  const { kind, identity, externalIdentities } = caller
  const principals: string[] = []
  if (kind === 'person') principals.push(...personal(identity))
  if (kind === 'virtual-account') {
    principals.push(`virtual-account:${identity.subject}`, ...named('group', VIRTUAL_ACCOUNT, identity.groups))
  }
  for (const name of externalIdentities) principals.push(`external-identity:${name}`)
  principals.push(ANONYMOUS)
  return Object.freeze(principals)
}

/**
 * The part of a principal, or of a pattern, that is compared as it is: `group:corp/` of `group:corp/x/y`. Empty where there
 * is none, as in `anonymous` or `user:corp`.
 */
export function headOf(principal: string): string {
  const colon = principal.indexOf(':')
  if (colon < 0) return ''
  if (!QUALIFIED_KINDS.has(principal.slice(0, colon))) return principal.slice(0, colon + 1)
  return principal.slice(0, principal.indexOf('/', colon) + 1)
}

/** Whether a principal is among those that a pattern stands for. Stars stand for something in the name, never in the head. */
export function isPrincipal(principal: string, pattern: string): boolean {
  const head = headOf(pattern)
  // Only `anonymous` has no head; a star there would reach it, and so everybody.
  if (head === '') return principal === pattern && !pattern.includes('*')
  return headOf(principal) === head && compileGlob(pattern.slice(head.length))(principal.slice(head.length))
}

function personal({ integration, subject, email, groups }: Identity): string[] {
  // `user:a/b/c` would be `c` of "a/b" as well as `b/c` of "a". The check of the configuration refuses such a name.
  if (integration.includes('/') || integration === VIRTUAL_ACCOUNT) return []
  const address = email?.includes('@') ? [email] : []
  return [...named('user', integration, [...address, escapeSubject(subject)]), ...named('group', integration, groups)]
}

function named(kind: string, integration: string, names: readonly string[]): string[] {
  return names.filter((name) => name !== '').map((name) => `${kind}:${integration}/${name}`)
}

/** A subject as grants write it: nothing with an `@` in it, and no two alike. */
function escapeSubject(subject: string): string {
  return subject.replaceAll('%', '%25').replaceAll('@', '%40')
}
