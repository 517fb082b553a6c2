/** What is asked of the access rules, and what they answer. */
import type { Grant } from './grants.ts'

/** A grant, and where it stands in its list. */
export interface GrantRef {
  /** Its place among the grants, from 0. */
  readonly index: number
  /** As configured. */
  readonly grant: Grant
}

/** Something that a caller wants of a server. */
export type Wanted =
  | { readonly kind: 'connect' }
  | { readonly kind: 'tool'; readonly name: string; readonly arguments?: unknown }
  | { readonly kind: 'prompt'; readonly name: string }
  | { readonly kind: 'resource'; readonly uri: string }
  | { readonly kind: 'manage' }
  | { readonly kind: 'admin' }

/** What is decided. `rule` is the grant that decided, the first where several would do. */
export type AccessDecision =
  | { readonly allowed: true; readonly rule: GrantRef }
  | {
      readonly allowed: false
      /**
       * `no_role`: no grant to the caller on the server, so to them there is no such server; `not_granted`: there are grants,
       * and none gives this; `argument`: one would (`rule`), were it not for an argument of the call.
       */
      readonly reason: 'no_role' | 'not_granted' | 'argument'
      /** The first argument with a value that is not accepted, or none, as the grant names it. */
      readonly argument?: string
      readonly rule?: GrantRef
    }
