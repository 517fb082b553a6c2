/**
 * The two header fields that decisions hang on, read from the raw lines: Node's
 * `headers` keeps the first of two `Host` or `Authorization` lines without a word,
 * where the next parser may keep the last. Reading the raw lines also spares
 * building `headers` on requests that need nothing else.
 */

/** What the raw lines say. */
export interface ScannedHeaders {
  /** The `Host` field, or HTTP/2's `:authority`. */
  readonly host: string | undefined
  readonly authorization: string | undefined
  /** The field that occurs more than once (or `Host` and `:authority` that differ); such a request is refused. */
  readonly duplicate: 'host' | 'authorization' | undefined
}

/** Reads `Host` and `Authorization` from raw header lines (names and values in turn). */
export function scanHeaders(rawHeaders: readonly string[]): ScannedHeaders {
  let host: string | undefined
  let authority: string | undefined
  let authorization: string | undefined
  let duplicate: 'host' | 'authorization' | undefined
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4) {
      if (!isNamed(name, 'Host', 'host')) continue
      if (host !== undefined) duplicate = 'host'
      host = rawHeaders[index + 1]
    } else if (name.length === 13) {
      if (!isNamed(name, 'Authorization', 'authorization')) continue
      if (authorization !== undefined) duplicate = 'authorization'
      authorization = rawHeaders[index + 1]
    } else if (name === ':authority') {
      authority = rawHeaders[index + 1]
    }
  }
  if (authority !== undefined && host !== undefined && authority !== host) duplicate = 'host'
  return { host: authority ?? host, authorization, duplicate }
}

/** Most clients spell a name in one of two ways, which is quicker to find out than its lower case. */
function isNamed(name: string, usual: string, lowerCase: string): boolean {
  return name === usual || name === lowerCase || name.toLowerCase() === lowerCase
}

/** Every value of a header field, one for each line, by the raw lines. */
export function headerLines(rawHeaders: readonly string[], lowerCaseName: string): string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === lowerCaseName) values.push(rawHeaders[index + 1] ?? '')
  }
  return values
}
