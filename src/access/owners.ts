/** Who answers for a virtual account. */
import type { Identity } from '../identity/sign-in.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'
import { principalsOf } from './principals.ts'

type Owned = Pick<VirtualAccount, 'owners'>

/**
 * The virtual accounts that somebody is one of the `owners` of. Owners are read as in grants: an address counts where the
 * provider has verified it, a subject is written with `%40` for `@`, and upper and lower case differ. There are no patterns,
 * and no virtual account owns another.
 */
export function ownedBy<Account extends Owned>(accounts: readonly Account[], identity: Identity): Account[] {
  const names = principalsOf({ kind: 'person', via: 'none', identity, externalIdentities: [] })
  return accounts.filter(({ owners = [] }) =>
    owners.some((owner) => owner.startsWith('user:') && names.includes(owner)),
  )
}

/** Whether somebody is one of the `owners` of a virtual account. */
export function isOwner(account: Owned, identity: Identity): boolean {
  return ownedBy([account], identity).length > 0
}
