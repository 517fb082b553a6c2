/**
 * A connection as it is stored: somebody's tokens at one authorization server, and
 * the state that keeps two processes from redeeming the same refresh token.
 */

/** Where a connection stands. */
export type ConnectionState = 'connected' | 'refreshing' | 'reauth_required' | 'revoked'

/** One process's try at redeeming the refresh token. */
export interface Attempt {
  readonly id: string
  /** By then it is over, or its process is dead; epoch milliseconds. */
  readonly deadline: number
}

/** The stored value, as JSON. `Tokens` must survive JSON. */
export interface ConnectionRecord<Tokens> {
  readonly state: ConnectionState
  /** New with every connect; tells a reconnected account from the one before. */
  readonly connection: string
  /** Absent once they are worthless. */
  readonly tokens?: Tokens
  /** When the tokens came from the authorization server, epoch milliseconds; says how long they are good in all. */
  readonly obtainedAt?: number
  /** While `refreshing`. */
  readonly attempt?: Attempt
  /** Failed tries in a row, and when the next may be made (epoch milliseconds). */
  readonly failures?: number
  readonly retryAt?: number
  /** Refusals of the refresh token in words that are not known here, and when the first came (epoch milliseconds). */
  readonly refused?: { readonly times: number; readonly since: number }
}

/** A connection as it was read. */
export interface ReadConnection<Tokens> {
  readonly record: ConnectionRecord<Tokens>
  readonly version: string
}

/** The record's bytes. */
export function encodeRecord<Tokens>(record: ConnectionRecord<Tokens>): Uint8Array {
  return Buffer.from(JSON.stringify(record))
}

/** @throws SyntaxError for bytes that are no record. */
export function decodeRecord<Tokens>(value: Uint8Array): ConnectionRecord<Tokens> {
  const record: unknown = JSON.parse(Buffer.from(value).toString('utf8'))
  const states: readonly unknown[] = ['connected', 'refreshing', 'reauth_required', 'revoked']
  const { state, connection } = (record ?? {}) as Partial<ConnectionRecord<Tokens>>
  if (!states.includes(state) || typeof connection !== 'string') throw new SyntaxError('not a connection record')
  return record as ConnectionRecord<Tokens>
}
