/** The `Cache-Control` field of answers (RFC 9111 §5.2.2). */

/** A directive, with its argument as a token or in quotes. */
const DIRECTIVE = /[^\s,="]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,"]*))?/g

/**
 * `value` for an answer that is one person's: shared caches may not keep it, all else stays as it was.
 *
 * ```ts
 * keptPrivate('public, max-age=0')   // 'private, max-age=0'
 * ```
 */
export function keptPrivate(value: string): string {
  const all = value.match(DIRECTIVE) ?? []
  const kept = all.filter((directive) => !/^(?:public|s-maxage)(?:[\s=]|$)/i.test(directive))
  // `private="field"` is about that field only, and `max-age` alone lets shared caches keep the answer too.
  const isKept = kept.some((directive) => /^(?:private|no-store)$/i.test(directive))
  return (isKept ? kept : ['private', ...kept]).join(', ')
}
