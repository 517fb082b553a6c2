/** A token as the credential of a call (RFC 6750 §2.1). */
import { fieldValueProblem } from '../http/field.ts'
import type { CredentialKind, CredentialResult } from './credential.ts'

/** Outages last longer than this, or are over by then. */
const RETRY_AFTER_MS = 1_000

/** `Authorization` with it. A token that no field can hold is not the caller's to mend. */
export function bearer(
  kind: CredentialKind,
  token: string,
  stamp: string | undefined,
  server: string,
  connection?: string,
): CredentialResult {
  const problem = fieldValueProblem(token)
  if (problem !== undefined) return unavailable(`the token for "${server}" ${problem}`)
  return { kind: 'credential', credential: kind, headers: { authorization: `Bearer ${token}` }, stamp, connection }
}

/** 503; `detail` is for the operator. */
export function unavailable(
  detail: string,
  retryAfterMs = RETRY_AFTER_MS,
): Extract<CredentialResult, { kind: 'unavailable' }> {
  return { kind: 'unavailable', retryAfterMs, detail }
}
