/** A user's tokens at an upstream's authorization server, as they are stored. */
import type { TokenSet } from '../oauth/oauth-client.ts'

/**
 * Whom tokens come from and what they are for. Where the configuration names another one meanwhile, the tokens are of no use
 * and are sent nowhere: a refresh token least of all to another authorization server.
 */
export interface TokenOrigin {
  /** The authorization server: its issuer, or where none is configured, its token endpoint. */
  readonly issuer: string
  readonly clientId: string
  /** RFC 8707; `null` where none is sent. */
  readonly resource: string | null
}

/** Plain data that survives JSON. */
export interface UpstreamTokens extends TokenOrigin {
  readonly server: string
  readonly accessToken: string
  readonly refreshToken?: string
  /** Epoch milliseconds; absent where the server does not say. */
  readonly expiresAt?: number
  /** What was granted; absent where the server does not say, which means: what was asked for. */
  readonly scope?: string
  readonly connectedAt: number
  /** What was asked for; absent of connections that are older than this. */
  readonly requested?: readonly string[]
  /** How often more scopes were asked for since. */
  readonly stepUps?: number
}

/** A token endpoint's answer in the form that is stored. `before`: what is known already, of the tokens before or of the consent. */
export function toUpstreamTokens(
  server: string,
  { issuer, clientId, resource }: TokenOrigin,
  set: TokenSet,
  now: number,
  before?: Partial<UpstreamTokens>,
): UpstreamTokens {
  const { requested, stepUps } = before ?? {}
  const refreshToken = set.refreshToken ?? before?.refreshToken
  const scope = set.scope ?? before?.scope
  return {
    server,
    issuer,
    clientId,
    resource,
    accessToken: set.accessToken,
    connectedAt: before?.connectedAt ?? now,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(set.expiresInSeconds === undefined ? {} : { expiresAt: now + set.expiresInSeconds * 1000 }),
    ...(scope === undefined ? {} : { scope }),
    ...(requested === undefined ? {} : { requested }),
    ...(stepUps === undefined ? {} : { stepUps }),
  }
}

/** Whether two are the same in all three. */
export function isSameTokenOrigin(one: TokenOrigin, other: TokenOrigin): boolean {
  return one.issuer === other.issuer && one.clientId === other.clientId && one.resource === other.resource
}
