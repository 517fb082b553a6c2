/** The checks that every request with a token repeats: type, algorithm, issuer, time and audience (RFC 7519 §4.1, RFC 8725). */
import type { JwtHeader } from './compact.ts'

/** What an integration asks of a token. */
export interface TokenExpectations {
  /** The `iss`, compared exactly. */
  readonly issuer: string
  /** Accepted audiences; `null` for "not checked". */
  readonly audiences: readonly string[] | null
  readonly algorithms: ReadonlySet<string>
  readonly clockToleranceSeconds: number
  readonly source: 'access_token' | 'id_token'
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
} as const
/** Amazon Cognito says in `token_use` which of the two a token is. */
const TOKEN_USE = { access_token: 'access', id_token: 'id' } as const
/** Keycloak says it in a claim `typ`; these say that it is the other one, or neither. */
const FOREIGN_TYPES = {
  access_token: new Set<unknown>(['ID', 'Refresh', 'Offline', 'Logout']),
  id_token: new Set<unknown>(['Bearer', 'Refresh', 'Offline', 'Logout']),
} as const

/** The first thing that is wrong with a token at `nowMs`, or `undefined`. */
export function tokenProblem(
  header: JwtHeader,
  payload: Readonly<Record<string, unknown>>,
  expected: TokenExpectations,
  nowMs: number,
): TokenProblem | undefined {
  const { iss, aud, exp, nbf, token_use: tokenUse } = payload
  // First, since what else is wrong means something only with the token's own provider.
  if (iss !== expected.issuer) return problem('issuer', 'iss', iss, JSON.stringify(expected.issuer))
  if (!expected.algorithms.has(header.alg)) return problem('algorithm', 'alg', header.alg, [...expected.algorithms])
  if (!(TYPES[expected.source] as ReadonlySet<string | undefined>).has(header.typ)) {
    return problem('type', 'typ', header.typ, `an ${expected.source}`)
  }
  if (tokenUse !== undefined && tokenUse !== TOKEN_USE[expected.source]) {
    return problem('type', 'token_use', tokenUse, TOKEN_USE[expected.source])
  }
  if (payload.typ !== undefined && FOREIGN_TYPES[expected.source].has(payload.typ)) {
    return problem('type', 'typ', payload.typ, `an ${expected.source}`)
  }
  const { audiences } = expected
  if (audiences !== null && !(Array.isArray(aud) ? aud : [aud]).some((each) => audiences.includes(each))) {
    return problem('audience', 'aud', aud, audiences)
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
