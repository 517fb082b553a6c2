/** Identities that code of the host application has, as callers: so that they are judged as if they had called. */
import type { Caller } from '../identity/caller.ts'
import type { ExternalIdentities } from '../identity/external-identities.ts'
import { ANONYMOUS, VIRTUAL_ACCOUNT } from '../identity/identity.ts'
import type { Identity } from '../identity/sign-in.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'

/** The caller that `identity` is; what a token would say of external identities is told by its claims. */
export function callerOfIdentity(identity: Identity, externalIdentities: ExternalIdentities): Caller {
  const { integration, claims } = identity
  const kind = integration === VIRTUAL_ACCOUNT || integration === ANONYMOUS ? integration : 'person'
  const names = kind === 'person' ? externalIdentities.matching(integration, claims) : []
  return { kind, via: 'none', identity, externalIdentities: names }
}

/** The caller that a virtual account is. */
export function callerOfAccount({ id, name, groups = [] }: VirtualAccount): Caller {
  const identity: Identity = { id, integration: VIRTUAL_ACCOUNT, subject: name, groups, claims: {} }
  return { kind: 'virtual-account', via: 'none', identity, externalIdentities: [] }
}
