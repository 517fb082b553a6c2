/** The credential of a call to a server whose tokens an authorization server gives by itself. */
import { bearer } from '../bearer-credential.ts'
import type { CredentialRequest, CredentialResult } from '../credential.ts'
import { ownToken } from '../own-token.ts'
import type { GrantServer } from './grants.ts'
import type { FoundGrant, GrantedTokenRequest, GrantedTokens } from './tokens.ts'

type Refused = Extract<CredentialResult, { kind: 'refused' }>

/** At once where there is a token at hand. Never rejects for a request's sake. */
export function grantedCredential(
  { id, auth }: Pick<GrantServer, 'id' | 'auth'>,
  tokens: GrantedTokens,
  { caller, rejected, challenge }: CredentialRequest,
): CredentialResult | Promise<CredentialResult> {
  let subject: GrantedTokenRequest['subject']
  if (auth.type !== 'client_credentials') {
    const own = ownToken(caller)
    if (own.kind !== 'jwt') return own.kind === 'anonymous' ? ANONYMOUS : KEY
    subject = { token: own.jwt, expiresAt: endOf(caller.identity.claims.exp) }
  }
  const found = tokens.token({ subject, rejected, challenge })
  const toResult = (grant: FoundGrant) =>
    grant.kind === 'token' ? bearer(auth.type, grant.token, grant.stamp, id) : grant
  return found instanceof Promise ? found.then(toResult) : toResult(found)
}

/** RFC 7519 §4.1.4, in milliseconds. What has no end is not kept: nobody could say for how long. */
function endOf(exp: unknown): number {
  return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : 0
}

const ANONYMOUS: Refused = Object.freeze({
  kind: 'refused',
  status: 403,
  reason: 'anonymous',
  message:
    "This server is called with a token that is made from the caller's own: bring a JWT of your identity provider",
})

const KEY: Refused = Object.freeze({
  kind: 'refused',
  status: 403,
  reason: 'exchange_key',
  message:
    "A gateway key cannot be exchanged: this server is called with a token that is made from the caller's own. Bring a JWT of your " +
    'identity provider in place of the key',
})
