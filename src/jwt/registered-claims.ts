/** The checks that every request with a token repeats: type, algorithm, issuer, time and audience (RFC 7519 §4.1, RFC 8725). */
import type { JwtHeader } from './compact.ts'

/** What an integration asks of a token. */
export interface TokenExpectations {
  /** The `iss`, compared exactly. With `tenants`, `{tenantid}` in it stands for the token's `tid`. */
  readonly issuer: string
  /** The tenants whose tokens are accepted, `['*']` for all of them; for an issuer with `{tenantid}`, and for no other. */
  readonly tenants?: readonly string[]
  /** Accepted audiences; `null` for "not checked". */
  readonly audiences: readonly string[] | null
  /** The claim that `audiences` are looked for in; `aud` by default. */
  readonly audienceClaim?: string
  /** Whether a token whose `aud` is the resource that is asked for (RFC 8707) is good too, beside those for `audiences`. */
  readonly takesResource?: boolean
  readonly algorithms: ReadonlySet<string>
  readonly clockToleranceSeconds: number
  readonly source: 'access_token' | 'id_token' | 'logout_token'
}

/** What a token says, and the key that has signed it. */
export interface SignedClaims {
  readonly header: JwtHeader
  readonly payload: Readonly<Record<string, unknown>>
  /** `tenant`: the only one that it signs for. */
  readonly key: { readonly tenant: string | undefined }
}

/** Why a token is not good. `detail` is for the operator and holds claims, never the token. */
export interface TokenProblem {
  readonly reason:
    | 'malformed'
    | 'algorithm'
    | 'type'
    | 'issuer'
    | 'audience'
    | 'expired'
    | 'not_yet_valid'
    | 'unknown_key'
    | 'signature'
  readonly detail: string
}

/**
 * `typ` values (RFC 7519 §5.1) by what a token may be used for. RFC 9068 gives access tokens a type of their own;
 * most providers use `JWT` for both, and then the audience tells them apart.
 */
const TYPES = {
  access_token: new Set([undefined, 'jwt', 'at+jwt']),
  id_token: new Set([undefined, 'jwt', 'id+jwt']),
  logout_token: new Set([undefined, 'jwt', 'logout+jwt']),
} as const
/** Amazon Cognito says in `token_use` which of them a token is. */
const TOKEN_USE = { access_token: 'access', id_token: 'id', logout_token: 'logout' } as const
/** Keycloak says it in a claim `typ`; these say that it is another one. */
const FOREIGN_TYPES = {
  access_token: new Set<unknown>(['ID', 'Refresh', 'Offline', 'Logout']),
  id_token: new Set<unknown>(['Bearer', 'Refresh', 'Offline', 'Logout']),
  logout_token: new Set<unknown>(['Bearer', 'ID', 'Refresh', 'Offline']),
} as const
/** A logout token need not have a type of its own, but always this event (OpenID Connect Back-Channel Logout 1.0 §2.4). */
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** The resource that a token is used for: its identifier, or several that it goes by (RFC 8707 §2, RFC 9728 §1.2). */
export type Resource = string | readonly string[]

/**
 * The first thing that is wrong with a token at `nowMs`, or `undefined`.
 *
 * @param resource - counts as an audience where `expected.takesResource` says so, and is compared exactly
 */
export function tokenProblem(
  header: JwtHeader,
  payload: Readonly<Record<string, unknown>>,
  expected: TokenExpectations,
  nowMs: number,
  resource?: Resource,
): TokenProblem | undefined {
  const { iss, exp, nbf, token_use: tokenUse } = payload
  // First, since what else is wrong means something only with the token's own provider.
  if (expected.tenants !== undefined) {
    const foreign = tenantProblem(payload, expected.issuer, expected.tenants)
    if (foreign !== undefined) return foreign
  } else if (iss !== expected.issuer) return problem('issuer', 'iss', iss, JSON.stringify(expected.issuer))
  if (!expected.algorithms.has(header.alg)) return problem('algorithm', 'alg', header.alg, [...expected.algorithms])
  if (!(TYPES[expected.source] as ReadonlySet<string | undefined>).has(header.typ)) {
    return problem('type', 'typ', header.typ, expected.source)
  }
  if (tokenUse !== undefined && tokenUse !== TOKEN_USE[expected.source]) {
    return problem('type', 'token_use', tokenUse, TOKEN_USE[expected.source])
  }
  if (payload.typ !== undefined && FOREIGN_TYPES[expected.source].has(payload.typ)) {
    return problem('type', 'typ', payload.typ, expected.source)
  }
  if (payload.events !== undefined && expected.source !== 'logout_token' && isLogout(payload.events)) {
    return problem('type', 'events', payload.events, expected.source)
  }
  const { audiences, audienceClaim } = expected
  if (audiences !== null) {
    const aud = audienceClaim === undefined ? payload.aud : payload[audienceClaim]
    const own = expected.takesResource === true ? resource : undefined
    if (!isFor(aud, audiences) && (own === undefined || !isFor(payload.aud, own))) {
      return problem(
        'audience',
        audienceClaim ?? 'aud',
        aud,
        own === undefined ? audiences : [...audiences, ...[own].flat()],
      )
    }
  }
  const now = nowMs / 1000
  if (typeof exp !== 'number') return problem('expired', 'exp', exp, 'a number')
  if (now >= exp + expected.clockToleranceSeconds)
    return problem('expired', 'exp', exp, `later than ${Math.floor(now)}`)
  if (nbf === undefined) return undefined
  if (typeof nbf !== 'number' || now < nbf - expected.clockToleranceSeconds) {
    return problem('not_yet_valid', 'nbf', nbf, `not later than ${Math.floor(now)}`)
  }
  return undefined
}

/**
 * `claims`, with an `iss` and `aud` that are as expected being the very texts of the configuration: a text is compared with
 * itself much more quickly than with an equal one, and this is done on every request.
 */
export function withOwnTexts(
  claims: Record<string, unknown>,
  { issuer, audiences }: TokenExpectations,
): Record<string, unknown> {
  // Another integration has had them before.
  if (Object.isFrozen(claims)) return claims
  if (claims.iss === issuer) claims.iss = issuer
  const aud = audiences?.find((each) => each === claims.aud)
  if (aud !== undefined) claims.aud = aud
  return claims
}

/** Whether a claim, a text or a list, names one of `accepted`. */
function isFor(claim: unknown, accepted: string | readonly string[]): boolean {
  const names = (each: unknown) =>
    typeof accepted === 'string' ? each === accepted : accepted.includes(each as string)
  return Array.isArray(claim) ? claim.some(names) : names(claim)
}

const TENANT = '{tenantid}'
const GUID_LENGTH = 36
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether one provider's issuer differs from tenant to tenant, with the token's `tid` in place of `{tenantid}`. */
export function hasTenants(issuer: string): boolean {
  return issuer.includes(TENANT)
}

/** Whether a token can be of both issuers, of which either may be a template with `{tenantid}`. */
export function mayShareIssuer(one: string, other: string): boolean {
  return mayBeOf(one, other) || mayBeOf(other, one)
}

function mayBeOf(template: string, issuer: string): boolean {
  if (!hasTenants(template)) return issuer === template
  const parts = template.split(TENANT)
  return issuer.startsWith(parts[0] ?? '') && issuer.endsWith(parts.at(-1) ?? '')
}

/** Whether `value` can be the id of a Microsoft Entra tenant or client: a GUID. */
export function isGuid(value: unknown): value is string {
  return typeof value === 'string' && GUID.test(value)
}

/** The tenant of Microsoft Entra that an issuer names in its path; `undefined` for a template, and for all other issuers. */
export function tenantOf(issuer: string): string | undefined {
  return issuer.split('/').find(isGuid)
}

/** The issuer of the tenant `tid` by a template with `{tenantid}`, or `undefined` for a tenant that is not among `tenants`. */
export function issuerOfTenant(template: string, tid: unknown, tenants: readonly string[]): string | undefined {
  if (typeof tid !== 'string' || !(isEverybody(tenants) ? isGuid(tid) : tenants.includes(tid))) return undefined
  return template.replaceAll(TENANT, () => tid)
}

function isEverybody(tenants: readonly string[]): boolean {
  return tenants.length === 1 && tenants[0] === '*'
}

/** Whether `issuer` is that of `template`, or the one that it has for a tenant among `tenants`. */
export function isIssuerOf(template: string, issuer: string, tenants: readonly string[]): boolean {
  if (!hasTenants(template)) return issuer === template
  const at = template.indexOf(TENANT)
  const candidates = isEverybody(tenants) ? [issuer.slice(at, at + GUID_LENGTH)] : tenants
  return candidates.some((tid) => issuerOfTenant(template, tid, tenants) === issuer)
}

/** Whether a token with these `events` says that somebody has signed out. */
export function isLogout(events: unknown): boolean {
  return typeof events === 'object' && events !== null && Object.hasOwn(events, LOGOUT_EVENT)
}

/** Why a token is not one of the `tenants`', or `undefined`. */
function tenantProblem(
  { iss, tid }: Readonly<Record<string, unknown>>,
  issuer: string,
  tenants: readonly string[],
): TokenProblem | undefined {
  const wanted = issuerOfTenant(issuer, tid, tenants)
  if (wanted === undefined) return problem('issuer', 'tid', tid, tenants[0] === '*' ? "a tenant's GUID" : tenants)
  return iss === wanted ? undefined : problem('issuer', 'iss', iss, JSON.stringify(wanted))
}

/**
 * Why a token is not good, or `undefined`; as {@link tokenProblem}, once it is known which key has made its signature. Whoever has
 * the key of one tenant must not make tokens of others, as in the Storm-0558 break-in of 2023. An issuer that names one tenant,
 * with the keys of all of them as its `jwksUri`, is no exception.
 */
export function signedProblem(
  { header, payload, key }: SignedClaims,
  expected: TokenExpectations,
  nowMs: number,
  resource?: Resource,
): TokenProblem | undefined {
  const wrong = tokenProblem(header, payload, expected, nowMs, resource)
  if (wrong !== undefined || key.tenant === undefined) return wrong
  const tenant = expected.tenants === undefined ? tenantIn(expected.issuer, key.tenant) : payload.tid
  if (key.tenant === tenant) return undefined
  return problem('unknown_key', 'kid', header.kid, `a key that signs for the tenant ${textOf(tenant)}`)
}

/** The tenant that an issuer names: `likely` where it does, which is quick to see, or where it names none. */
function tenantIn(issuer: string, likely: string): string {
  if (issuer.includes(likely)) return likely
  const named = tenantOf(issuer)
  return named === undefined || named.toLowerCase() === likely.toLowerCase() ? likely : named
}

function problem(reason: TokenProblem['reason'], claim: string, actual: unknown, wanted: unknown): TokenProblem {
  return {
    reason,
    detail: `${claim} is ${textOf(actual)}, expected ${typeof wanted === 'string' ? wanted : textOf(wanted)}`,
  }
}

function textOf(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? 'absent').slice(0, 200)
  } catch {
    // JSON.parse nests as deep as it is told to, JSON.stringify only as deep as the stack.
    return 'nested too deeply to be shown'
  }
}
