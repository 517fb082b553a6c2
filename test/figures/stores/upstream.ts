/** The client of the authorization server: redeems (RFC 6749 §6) and revokes (RFC 7009) over HTTP. */
import { classifyTokenError, RedeemError } from '../../../src/store/redeem-error.ts'
import type { FigureTokens } from './protocol.ts'

export const CLIENT_ID = 'figures'

/** @param worker - who asks, so that the server can tell who redeemed first */
export function upstream(issuer: string, worker: string) {
  function post(path: string, connection: string, body: Record<string, string>, signal?: AbortSignal) {
    return fetch(`${issuer}${path}`, {
      method: 'POST',
      headers: { 'x-worker': worker, 'x-connection': connection },
      body: new URLSearchParams({ ...body, client_id: CLIENT_ID }),
      signal: signal ?? null,
    })
  }

  return {
    async redeem(tokens: FigureTokens, signal: AbortSignal): Promise<FigureTokens> {
      const response = await post(
        '/token',
        tokens.connection,
        { grant_type: 'refresh_token', refresh_token: tokens.refresh },
        signal,
      )
      const text = await response.text()
      const body = parsed(text)
      if (typeof body.access_token !== 'string' || typeof body.expires_in !== 'number') {
        throw new RedeemError(classifyTokenError(response.status, body), `${response.status} ${text.slice(0, 200)}`)
      }
      return {
        access: body.access_token,
        refresh: typeof body.refresh_token === 'string' ? body.refresh_token : tokens.refresh,
        connection: tokens.connection,
        rotation: tokens.rotation + 1,
        expiresAt: Date.now() + body.expires_in * 1_000,
      }
    },
    async revoke(tokens: FigureTokens): Promise<void> {
      const response = await post('/token/revocation', tokens.connection, {
        token: tokens.refresh,
        token_type_hint: 'refresh_token',
      })
      await response.text()
      if (!response.ok) throw new Error(`revocation: ${response.status}`)
    },
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? { ...body } : {}
  } catch {
    return {}
  }
}
