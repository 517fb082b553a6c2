/** What may be told of a connection, from its record: never a token. */
import { splitScope } from '../oauth/scopes.ts'
import { type ConnectionRecord, decodeRecord } from '../store/connection-record.ts'
import type { BoundClient } from './bound-client.ts'
import type { Connection } from './broker.ts'
import type { UpstreamTokens } from './tokens.ts'

/** The connection to `server`; `undefined` where it was ended. `clientOf`: the client whose tokens these are, if there still is one. */
export function describeConnection(
  server: string,
  value: Uint8Array,
  clientOf: (tokens: UpstreamTokens) => BoundClient | undefined,
  now: number,
): Connection | undefined {
  const record = readConnectionRecord(value)
  if (record === undefined) return { server, state: 'reauth_required' }
  const { state, tokens } = record
  if (state === 'revoked') return undefined
  if (state === 'reauth_required' || tokens === undefined) return { server, state: 'reauth_required' }
  const { connectedAt, expiresAt, scope } = tokens
  const over = expiresAt !== undefined && expiresAt <= now && tokens.refreshToken === undefined
  const upstream = clientOf(tokens)
  if (over || upstream === undefined) return { server, state: 'reauth_required', connectedAt }
  return {
    server,
    state: 'connected',
    connectedAt,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(scope === undefined ? {} : { scope: splitScope(scope, tokens.requested ?? upstream.scopes).join(' ') }),
  }
}

/** The record; `undefined` for one that nobody here can read: of a later version, or written by hand. */
export function readConnectionRecord(value: Uint8Array): ConnectionRecord<UpstreamTokens> | undefined {
  try {
    return decodeRecord<UpstreamTokens>(value)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}
