/** Whose an API key is. */
import { virtualAccountId } from './identity.ts'

/** A person, or a virtual account in one of its lives: an account that is deleted and made anew is another one. */
export type KeyOwner =
  | { readonly kind: 'person' /** See `identityId`. */; readonly id: string }
  | { readonly kind: 'virtual-account'; readonly name: string; readonly incarnation: string }

/** The owner's name in the store. */
export function ownerText(owner: KeyOwner): string {
  return owner.kind === 'person' ? `person:${owner.id}` : `virtual-account:${owner.name}:${owner.incarnation}`
}

/** The id of the owner's identity. */
export function ownerId(owner: KeyOwner): string {
  return owner.kind === 'person' ? owner.id : virtualAccountId(owner.name)
}
