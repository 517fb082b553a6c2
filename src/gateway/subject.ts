/** Whom something is about, as code of the host application says it. Checked, since what it passes came from a request. */
import type { Identity } from '../identity/sign-in.ts'
import type { Subject } from './gateway.ts'
import { GatewayError } from './gateway-error.ts'

/**
 * Refuses what names nobody: an identity without an id, a token where an object belongs.
 *
 * @throws GatewayError (`ERR_UNAUTHENTICATED`) for credentials that are empty; (`ERR_SUBJECT`), which repeats nothing of what was passed: it may be a token
 */
export function checkSubject(subject: unknown, what: string): void {
  if (typeof subject !== 'object' || subject === null) throw noSubject(what, `not ${nameOf(subject)}`)
  const { id, integration, virtualAccount, authorization } = subject as Record<string, unknown>
  // What a request without the field has, by the usual `?? ''`.
  if (authorization === '') throw new GatewayError('ERR_UNAUTHENTICATED', 'there are no credentials')
  if (isText(virtualAccount) || isText(authorization)) return
  if (!isText(id) || !isText(integration)) throw noSubject(what, 'with texts that are not empty')
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function nameOf(value: unknown): string {
  return value === null || value === undefined ? 'nothing' : `a ${typeof value}`
}

function noSubject(what: string, detail: string): GatewayError {
  return new GatewayError('ERR_SUBJECT', `expected ${what}, ${detail}`)
}

/** A person. */
export const PERSON = '{ id, integration } (authOf(req) has them)'
/** A person, or a virtual account. */
export const SUBJECT = '{ id, integration } (authOf(req) has them) or { virtualAccount }'
/** The same, or what they came with. */
export const WHO = "{ id, integration } (authOf(req) has them) or { authorization: 'Bearer …' }"

/** Whether all that is known of a person is there. */
export function isWhole(subject: Subject): subject is Identity {
  const { subject: name, groups } = subject as Partial<Identity>
  return typeof name === 'string' && Array.isArray(groups)
}
