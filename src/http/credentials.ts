/** Credentials in the `Authorization` field, by scheme (RFC 9110 §11.4). */

/** RFC 9110 §11.1: the scheme is a token, compared without regard to case. */
const BEARER = /^bearer(?: +|$)/i

/**
 * The bearer token of an `Authorization` field (RFC 6750 §2.1).
 *
 * @returns `undefined` when there is none (no field, or another scheme); the rest
 *   of the field otherwise, whatever it looks like: judging it is the verifier's work.
 */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  // The spelling that nearly everybody sends, without a regular expression.
  if (authorization.startsWith('Bearer ') && authorization.charCodeAt(7) !== 0x20) return authorization.slice(7)
  const scheme = BEARER.exec(authorization)
  return scheme === null ? undefined : authorization.slice(scheme[0].length)
}
