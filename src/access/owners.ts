/** Who answers for a virtual account. */
import type { Identity } from '../identity/sign-in.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'
import { principalsOf } from './principals.ts'

/**
 * Whether somebody is one of the `owners` of a virtual account. Owners are read as in grants: an address counts where the
 * provider has verified it, a subject is written with `%40` for `@`, and upper and lower case differ. There are no patterns,
 * and no virtual account owns another.
 */
export function isOwner({ owners = [] }: Pick<VirtualAccount, 'owners'>, identity: Identity): boolean {
  if (owners.length === 0) return false
  const names = principalsOf({ kind: 'person', via: 'none', identity, externalIdentities: [] })
  return owners.some((owner) => owner.startsWith('user:') && names.includes(owner))
}
