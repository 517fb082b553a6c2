/** Who calls the gateway, however they came in: the one form in which everything after authentication knows them. */
import type { Identity } from './sign-in.ts'

/** An authenticated caller. */
export interface Caller {
  /** `person`: somebody of an identity provider; `virtual-account`: a service; `anonymous`: nobody in particular. */
  readonly kind: 'person' | 'virtual-account' | 'anonymous'
  /** What they authenticated with, for the audit. */
  readonly via: 'personal_token' | 'virtual_account_token' | 'jwt' | 'none'
  /** Who it is. */
  readonly identity: Identity
  /** Names of the external identities whose rules the token meets. */
  readonly externalIdentities: readonly string[]
  /** The API key's id, for the audit. */
  readonly keyId?: string
  /** The JWT itself, for `passthrough`. Never an API key. */
  readonly jwt?: string
}
