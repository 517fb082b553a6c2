/** Scopes (RFC 6749 §3.3): reading them from other people's documents, and choosing which to ask for. */

/** RFC 6749 §3.3, and no longer than any that people would read before they agree. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/
const MAX_SCOPES = 100
/** Asks for refresh tokens (OpenID Connect Core §11). */
export const OFFLINE_ACCESS = 'offline_access'

/** The scopes in a list from outside, each once, without what is none; `undefined` where it is no list or has none. */
export function readScopes(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined
  const scopes = value.slice(0, 10 * MAX_SCOPES).filter((each) => typeof each === 'string' && SCOPE.test(each))
  const once = [...new Set<string>(scopes)].slice(0, MAX_SCOPES)
  return once.length === 0 ? undefined : once
}

/**
 * The scopes in the `scope` of an answer. GitHub and Slack put commas between them, which are part of a scope by RFC 6749 §3.3:
 * so they are taken for one where a scope that was asked for has one.
 */
export function splitScope(scope: string, asked: readonly string[]): readonly string[] {
  const separator = asked.some((each) => each.includes(',')) ? ' ' : /[ ,]/
  return scope.split(separator).filter((each) => each !== '')
}

/** All scopes of some lists, each once, in the order in which they come first. */
export function unionOf(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())]
}

/** Where scopes can come from. */
export interface ScopeSources {
  /** Of the challenge to a request without a token. */
  readonly challenge: readonly string[] | undefined
  /** `scopes_supported` of the resource's metadata. */
  readonly resource: readonly string[] | undefined
  /** `scopes_supported` of the authorization server's metadata. */
  readonly authorizationServer: readonly string[] | undefined
}

/**
 * Which scopes to ask for (MCP 2026-07-28, Scope Selection Strategy): those of the challenge, else those of the resource, else
 * none. `offline_access` is the authorization server's to offer: it is added where it lists it and left out where it does not.
 */
export function chooseScopes({ challenge, resource, authorizationServer }: ScopeSources): readonly string[] {
  const chosen = challenge ?? resource ?? []
  if (authorizationServer === undefined) return chosen
  const others = chosen.filter((each) => each !== OFFLINE_ACCESS)
  return authorizationServer.includes(OFFLINE_ACCESS) ? [...others, OFFLINE_ACCESS] : others
}
