/**
 * Upstream auth `passthrough` (G10): the caller's own JWT, and only that. A gateway key would let the upstream act here as the
 * caller, and the upstream could not verify it anyway.
 */
import type { Caller } from '../identity/caller.ts'
import type { CredentialResult } from './credential.ts'
import { ownToken } from './own-token.ts'
import type { PassthroughUpstreamAuth } from './upstream-auth.ts'

type Refused = Extract<CredentialResult, { kind: 'refused' }>

/** The JWT of a caller that may go on to a server, or why there is none. */
export function passThrough(
  { audience }: PassthroughUpstreamAuth,
  caller: Caller,
): { readonly kind: 'jwt'; readonly jwt: string } | Refused {
  const own = ownToken(caller)
  if (own.kind !== 'jwt') return own.kind === 'anonymous' ? ANONYMOUS : KEY
  if (audience === undefined) return own
  const wanted = [audience].flat()
  const theirs: unknown[] = [caller.identity.claims.aud].flat()
  if (wanted.some((each) => theirs.includes(each))) return own
  const message = `This server takes tokens that are made for it only: "aud" has to have ${wanted.map((each) => JSON.stringify(each)).join(' or ')}`
  return { kind: 'refused', status: 403, reason: 'passthrough_audience', message }
}

const ANONYMOUS: Refused = Object.freeze({
  kind: 'refused',
  status: 403,
  reason: 'anonymous',
  message: "This server is called with the caller's own token: bring a JWT of your identity provider",
})

const KEY: Refused = Object.freeze({
  kind: 'refused',
  status: 403,
  reason: 'passthrough_key',
  message:
    "A gateway key cannot be passed through: this server is called with the caller's own token. Bring a JWT of your identity provider in place of the key",
})
