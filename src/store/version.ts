/** Versions of records, and tokens of leases. */
import { randomBytes } from 'node:crypto'

/** A version that has never been there and never will be again: 128 random bits, 22 characters. */
export function newVersion(): string {
  return randomBytes(16).toString('base64url')
}
