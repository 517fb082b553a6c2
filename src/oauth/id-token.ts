/**
 * The claims of an ID token, checked against what was asked for (OpenID Connect Core §3.1.3.7). Its signature is not
 * checked here: that takes the provider's key set, which is another room's.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as oauth from 'oauth4webapi'
import { messageOf } from '../core/errors.ts'
import { atHashFits } from './at-hash.ts'
import { AuthorizationError } from './authorization-error.ts'
import { asObject } from './endpoint-answer.ts'
import { presentableText } from './presentable.ts'

/** What an ID token must be. */
export interface IdTokenExpectations {
  /** The issuer that these claims must be of. */
  issuer(claims: Readonly<Record<string, unknown>>): string
  readonly clientId: string
  readonly algorithms: readonly string[]
  readonly clockToleranceSeconds: number
  /** Left out for a refresh, where the token may have one or not (§12.2): whoever knows the first one's compares. */
  readonly nonce?: string
}

/**
 * The claims of `idToken`, which came with `accessToken`. `secrets` are texts that must not be repeated in an error.
 *
 * `iss`, `aud`, `exp`, `iat` and `nbf`, `nonce`, `alg`, and `azp` where there are several audiences, are oauth4webapi's to
 * check. It lets pass another client's `azp` beside a single audience, an empty `sub`, and any `at_hash`.
 *
 * @throws AuthorizationError `invalid`
 */
export async function checkIdToken(
  idToken: string,
  accessToken: string,
  expected: IdTokenExpectations,
  secrets: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  let claims: Readonly<Record<string, unknown>>
  let algorithm: unknown
  try {
    claims = decodeJwt(idToken)
    algorithm = decodeProtectedHeader(idToken).alg
    await checkClaims(idToken, expected.issuer(claims), expected)
  } catch (error) {
    throw new AuthorizationError(
      'invalid',
      `the ID token does not fit: ${messageOf(error)}${difference(error, secrets)}`,
    )
  }
  const { azp, sub, at_hash: atHash } = claims
  const problem =
    azp !== undefined && azp !== expected.clientId
      ? 'its azp is another client'
      : sub === ''
        ? 'its sub is empty'
        : atHash !== undefined && !atHashFits(atHash, accessToken, String(algorithm))
          ? 'its at_hash is of another access token'
          : undefined
  if (problem !== undefined) throw new AuthorizationError('invalid', `the ID token does not fit: ${problem}`)
  return claims
}

/** oauth4webapi checks ID tokens as a part of token responses only, so this makes one around it. */
async function checkClaims(idToken: string, issuer: string, expected: IdTokenExpectations): Promise<void> {
  const server = { issuer, id_token_signing_alg_values_supported: [...expected.algorithms] }
  const client = { client_id: expected.clientId, [oauth.clockTolerance]: expected.clockToleranceSeconds }
  const response = Response.json({ access_token: 'not looked at', token_type: 'bearer', id_token: idToken })
  if (expected.nonce === undefined) await oauth.processRefreshTokenResponse(server, client, response)
  else {
    await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: expected.nonce,
      requireIdToken: true,
    })
  }
}

/** Names of issuers and clients help the operator. */
function difference(error: unknown, secrets: readonly string[]): string {
  if (!(error instanceof oauth.OperationProcessingError) || error.code !== oauth.JWT_CLAIM_COMPARISON) return ''
  const { claim, expected, claims } = asObject(error.cause)
  if (claim !== 'iss' && claim !== 'aud') return ''
  const got = presentableText(JSON.stringify(asObject(claims)[claim]), secrets)
  return ` (expected ${JSON.stringify(expected)}, got ${got})`
}
