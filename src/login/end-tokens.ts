/** The tokens of a session that has ended are ended at the provider, too (RFC 7009). */
import { messageOf } from '../core/errors.ts'
import { AuthorizationError } from '../oauth/authorization-error.ts'
import type { LoginEvent } from './events.ts'
import type { Provider } from './provider.ts'
import type { SessionTokens } from './session.ts'

/** Whoever has signed out is signed out whatever becomes of it, so that a failure is only told. */
export async function endTokens(
  { name, client, judged }: Provider,
  { refreshToken, accessToken, claims }: SessionTokens,
  tell: (event: Pick<LoginEvent, 'kind' | 'integration'> & Partial<LoginEvent>) => void,
): Promise<void> {
  try {
    if (refreshToken !== undefined) await client.revoke(refreshToken, 'refresh_token')
    else if (accessToken !== undefined) await client.revoke(accessToken, 'access_token')
  } catch (error) {
    // An access token that APIs check by themselves cannot be ended before its time (§2.2.1).
    const isLeft = error instanceof AuthorizationError && error.error === 'unsupported_token_type'
    if (isLeft && refreshToken === undefined) return
    const { id = null, subject = null } = judged.identify(claims)
    tell({ kind: 'revocation_failed', integration: name, id, subject, detail: messageOf(error) })
  }
}
