/** What is told about API keys, for the audit. Never holds a key. */
import type { Caller } from './caller.ts'

/** Something that happened to an API key. */
export interface KeyEvent {
  /** `used`: it let somebody in; `refused`: it did not, see `reason`. */
  readonly kind: 'created' | 'revoked' | 'used' | 'refused'
  /** Whose key: a person, or a virtual account. */
  readonly via: Extract<Caller['via'], 'personal_token' | 'virtual_account_token'>
  /** `null` where a refused key is not known. */
  readonly keyId: string | null
  /** What its owner calls it. */
  readonly name: string | null
  /** The identity of the owner. */
  readonly id: string | null
  /** The virtual account, where it is one's key. */
  readonly virtualAccount: string | null
  /** Why it was refused. */
  readonly reason: string | null
  /** For the operator. */
  readonly detail: string | null
}

/** How a caller comes in with each kind of key. */
export const VIA = { person: 'personal_token', 'virtual-account': 'virtual_account_token' } as const
