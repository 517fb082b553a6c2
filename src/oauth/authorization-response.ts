/** What the browser brings back from the authorization server (RFC 6749 §4.1.2), checked before its code goes anywhere. */

import * as oauth from 'oauth4webapi'
import { messageOf } from '../core/errors.ts'
import { presentable } from '../net/fetch.ts'
import { AuthorizationError, classifyAuthorizationError } from './authorization-error.ts'
import { errorCode, presentableText } from './presentable.ts'

/**
 * Checks that nothing comes twice, then `state`, `iss` (RFC 9207), and that there is a code and no error.
 *
 * @param server - with its `issuer` and `authorization_response_iss_parameter_supported`
 * @param secrets - texts that must not be repeated in an error
 * @returns the parameters, in the form that oauth4webapi redeems
 * @throws AuthorizationError
 */
export function checkAuthorizationResponse(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  callback: URLSearchParams,
  state: string,
  secrets: readonly string[],
): URLSearchParams {
  const answer = `the authorization response of ${presentable(server.issuer)}`
  // RFC 6749 §3.1; oauth4webapi looks at some only.
  const twice = [...new Set(callback.keys())].find((name) => callback.getAll(name).length > 1)
  if (twice !== undefined) {
    throw new AuthorizationError('invalid', `${answer} has "${presentableText(twice, secrets)}" more than once`)
  }
  try {
    const checked = oauth.validateAuthResponse(server, client, callback, state)
    if (checked.get('code')) return checked
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) throw toError(answer, error, secrets)
    // Its texts name parameters and repeat no value; its cause has them all.
    throw new AuthorizationError('invalid', `${answer} does not fit: ${messageOf(error)}`)
  }
  throw new AuthorizationError('invalid', `${answer} has no code`)
}

function toError(
  answer: string,
  { error, error_description: description }: oauth.AuthorizationResponseError,
  secrets: readonly string[],
): AuthorizationError {
  const code = errorCode(error, secrets)
  const said = description === undefined ? '' : ` (${presentableText(description, secrets)})`
  const message = `${answer} is the error ${code ?? 'of no known form'}${said}`
  return new AuthorizationError(classifyAuthorizationError(code), message, { error: code })
}
