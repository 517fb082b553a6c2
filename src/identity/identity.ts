/** Who somebody is, whatever they came in with. */
import { hash } from 'node:crypto'

/** The id of the person or service that `issuer` calls `subject`: a SHA-256 over both, in base64url (43 characters). */
export function identityId(issuer: string, subject: string): string {
  return hash('sha256', JSON.stringify([issuer, subject]), 'base64url')
}
