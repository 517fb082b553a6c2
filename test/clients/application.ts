/** An application with users of its own, which gets JWTs of the identity provider for them and brings these to the gateway. */
import { calculatePKCECodeChallenge, generateRandomCodeVerifier } from 'oauth4webapi'
import { API } from '../support/login-provider.ts'
import { APPLICATION } from './providers.ts'
import { formVisitor } from './visitor.ts'

/** Signs somebody in at an application of their own, and returns the access token that it got (RFC 6749 §4.1, RFC 7636). */
export async function jwtFor(issuer: string, redirectUri: string, name: (at: string) => string): Promise<string> {
  const verifier = generateRandomCodeVerifier()
  const asked = new URLSearchParams({
    client_id: APPLICATION,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid orders:read',
    resource: API,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const { url } = await formVisitor(`${issuer}/auth?${asked}`, name)
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: APPLICATION,
      code: new URL(url).searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: verifier,
      resource: API,
    }),
  })
  const { access_token: token } = (await response.json()) as { access_token?: string }
  if (token === undefined) throw new Error(`the identity provider gives no token: ${response.status}`)
  return token
}
