/** A service with an identity of its own. */
import type { KeyOwner } from './key-owner.ts'

/** A virtual account as it is configured. */
export interface VirtualAccountConfig {
  /** For people who read the configuration or the pages. */
  readonly description?: string
  /**
   * People who answer for it, as grants name them, each written out: `user:corp/alice@example.com`, or by their subject with
   * `%40` for `@` and `%25` for `%`, `user:corp/00u1abcd`. See `ownedBy`. On a server with consent by the person, the account
   * uses the connection that one of them has made for it.
   */
  readonly owners?: readonly string[]
  /**
   * Names of groups of its own. In grants, `batch` is `group:virtual-account/batch`: never a group of people, which are those
   * of an integration.
   */
  readonly groups?: readonly string[]
}

/** A virtual account. */
export interface VirtualAccount extends VirtualAccountConfig {
  /** `ci`; in grants, `virtual-account:ci`. */
  readonly name: string
  /** See `identityId`. Depends on the name only. */
  readonly id: string
  /** Where it comes from, and must be changed. */
  readonly source: 'configuration' | 'store'
  /** In epoch milliseconds; of those in the store. */
  readonly createdAt?: number
  /** For its keys, which are good during one life of the account only. */
  readonly owner: KeyOwner & { readonly kind: 'virtual-account' }
}
