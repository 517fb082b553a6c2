/** The parameters of an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1). */
import { calculatePKCECodeChallenge } from 'oauth4webapi'

/** What all authorization requests of a client have in common. */
export interface AuthorizationSettings {
  readonly clientId: string
  readonly scopes: readonly string[]
  /** RFC 8707; sent on authorize, redeem and refresh alike. */
  readonly resource?: string
  /** Added to every authorization request, such as `audience`. They replace none of the client's own. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /** `query` by default, which is not spelled out in the request. */
  readonly responseMode?: 'query' | 'form_post'
}

/** A request for authorization. */
export interface AuthorizationRequest {
  readonly redirectUri: string
  /** Random, and good for once (RFC 9700 §4.7). */
  readonly state: string
  /** Demands an ID token. */
  readonly nonce?: string
  /** RFC 7636 §4.1: random, 43 to 128 characters. */
  readonly verifier: string
  /** In place of the client's own. */
  readonly scopes?: readonly string[]
  /** More for this request, such as `prompt` or `login_hint`. They replace none of the client's own. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** The parameters; the client's own come last, and win. */
export async function authorizationParameters(
  settings: AuthorizationSettings,
  request: AuthorizationRequest,
): Promise<Record<string, string>> {
  const { resource, responseMode } = settings
  const scopes = request.scopes ?? settings.scopes
  return {
    ...settings.authorizationParameters,
    ...request.parameters,
    ...(resource !== undefined && { resource }),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(request.nonce !== undefined && { nonce: request.nonce }),
    ...(responseMode === 'form_post' && { response_mode: responseMode }),
    client_id: settings.clientId,
    response_type: 'code',
    redirect_uri: request.redirectUri,
    state: request.state,
    code_challenge: await calculatePKCECodeChallenge(request.verifier),
    code_challenge_method: 'S256',
  }
}
