/** Who somebody is, whatever they came in with. */
import { hash } from 'node:crypto'

/** The id of the person or service that `issuer` calls `subject`: a SHA-256 over both, in base64url (43 characters). */
export function identityId(issuer: string, subject: string): string {
  return hash('sha256', JSON.stringify([issuer, subject]), 'base64url')
}

/** The id of a virtual account. No integration can have this issuer. */
export function virtualAccountId(name: string): string {
  return identityId(VIRTUAL_ACCOUNT, name)
}

/** In place of the issuer and the integration: for virtual accounts, and for callers without credentials. */
export const VIRTUAL_ACCOUNT = 'virtual-account'
export const ANONYMOUS = 'anonymous'
