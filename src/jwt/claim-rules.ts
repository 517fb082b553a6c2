/**
 * Claim rules: accepted values for each claim. Every claim must match, any
 * of its listed values is enough, and a claim that is absent fails.
 */
import { compileGlob, globProblem } from '../match/glob.ts'

/** An accepted value. In text, `*` stands for any run of characters. */
export type ClaimValue = string | number | boolean

/** Accepted values by claim. A key finds a claim of that very name, else it is a path into nested objects: `realm_access.roles`. */
export type ClaimRules = Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>

/** The key of the first claim that fails, or `undefined` when all are met. */
export type ClaimJudge = (claims: Readonly<Record<string, unknown>>) => string | undefined

/** Claims that hold a list in one string, separated by spaces (RFC 8693 §4.2; `scp` at Entra and Okta). */
const SCOPE_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp'])

/** Whether a rule is on the token's scopes, so that a challenge may ask for more (RFC 6750 §3.1). */
export function isScopeClaim(key: string): boolean {
  return SCOPE_CLAIMS.has(key)
}

/** What is wrong with an accepted value, or `undefined` when nothing is. */
export function claimValueProblem(value: ClaimValue): string | undefined {
  const text = textOf(value)
  return text === undefined ? `JSON would round the number ${value}; write it as text` : globProblem(text)
}

/** Compiles rules whose values have passed {@link claimValueProblem}. */
export function compileClaimRules(rules: ClaimRules): ClaimJudge {
  const compiled = Object.entries(rules).map(([key, accepted]) => {
    const globs = (Array.isArray(accepted) ? accepted : [accepted]).map((each: ClaimValue) =>
      compileGlob(textOf(each) ?? ''),
    )
    return { key, path: key.split('.'), accepts: (text: string) => globs.some((glob) => glob(text)) }
  })
  return (claims) => compiled.find(({ key, path, accepts }) => !meets(claims, key, path, accepts))?.key
}

function meets(
  claims: Readonly<Record<string, unknown>>,
  key: string,
  path: readonly string[],
  accepts: (text: string) => boolean,
): boolean {
  const claim = claimAt(claims, key, path)
  const values = Array.isArray(claim)
    ? claim
    : isScopeClaim(key) && typeof claim === 'string'
      ? claim.split(' ')
      : [claim]
  return values.some((value: unknown) => {
    const text = textOf(value)
    return text !== undefined && accepts(text)
  })
}

/** What `key` finds in `claims`: the claim of that very name, else what lies at the path that its dots make. */
export function claimAt(
  claims: Readonly<Record<string, unknown>>,
  key: string,
  path: readonly string[] = key.split('.'),
): unknown {
  if (Object.hasOwn(claims, key)) return claims[key]
  let value: unknown = claims
  for (const step of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}

/** The text that a glob is tried on; `undefined` for what has none (objects, null, numbers that JSON has rounded). */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value)
}
