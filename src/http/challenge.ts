/** Challenges: the `WWW-Authenticate` field (RFC 9110 §11.6.1). */

/** `Bearer realm="orders", error="invalid_token"`: a scheme and its parameters, absent ones left out. */
export function challenge(scheme: string, parameters: Readonly<Record<string, string | undefined>> = {}): string {
  const parts = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quotedString(value)}`],
  )
  return parts.length === 0 ? scheme : `${scheme} ${parts.join(', ')}`
}

/** RFC 9110 §5.6.4; characters that a header cannot carry become `?`. */
function quotedString(value: string): string {
  return `"${value.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
