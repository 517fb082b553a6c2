/** The token that a caller has come with, where the credential of a server is made of that: only a JWT of an identity provider. */
import type { Caller } from '../identity/caller.ts'

/** Its text, or why there is none: a gateway key means nothing to others, and would let them act here as the caller. */
export function ownToken({
  kind,
  via,
  jwt,
}: Caller): { readonly kind: 'jwt'; readonly jwt: string } | { readonly kind: 'anonymous' | 'key' } {
  if (kind === 'anonymous') return { kind }
  return via === 'jwt' && jwt !== undefined ? { kind: 'jwt', jwt } : { kind: 'key' }
}
