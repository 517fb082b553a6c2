/**
 * Reads challenges: the `WWW-Authenticate` field of somebody else's answer (RFC 9110 §11.6.1), of which the Bearer challenge
 * says where the resource describes itself and which scopes it wants (RFC 6750 §3, RFC 9728 §5.1).
 */
import { readScopes } from './scopes.ts'

/** What a Bearer challenge says. */
export interface BearerChallenge {
  readonly error: string | undefined
  /** Where the metadata of the resource is. Nothing has been checked of it. */
  readonly resourceMetadata: string | undefined
  /** `undefined` where it names none. */
  readonly scopes: readonly string[] | undefined
}

/** More than any server sends, and few enough to be read at once. */
const MAX_LENGTH = 8_192
/** RFC 9110 §5.6.2. */
const NAME = /[!#$%&'*+.^_`|~\w-]+/y
const EQUALS = /[ \t]*=[ \t]*/y
/** A token, or a quoted string (§5.6.4). Real ones also have URLs without quotes. */
const VALUE = /"((?:[^"\\]|\\.)*)"|([^\s",]+)/sy
/** What proxies and some kinds of challenges have in place of parameters (§11.2). */
const TOKEN68 = /[ \t]+[\w.~+/-]+=*(?=[ \t]*(?:,|$))/y
const SEPARATOR = /[\s,]*/y

/** The first Bearer challenge in a field; `undefined` where there is none. Of parameters that come twice the first counts. */
export function readBearerChallenge(field: string | undefined): BearerChallenge | undefined {
  const text = (field ?? '').slice(0, MAX_LENGTH)
  let at = 0
  let bearer: Map<string, string> | undefined
  let inBearer = false
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  for (;;) {
    take(SEPARATOR)
    const name = take(NAME)?.[0].toLowerCase()
    // The end, or what is no challenge: nothing behind it can be trusted to be one.
    if (name === undefined) break
    if (take(EQUALS) !== null) {
      const value = take(VALUE)
      if (value === null) break
      const said = value[1]?.replace(/\\(.)/gs, '$1') ?? value[2] ?? ''
      if (inBearer && bearer !== undefined && !bearer.has(name)) bearer.set(name, said)
      continue
    }
    if (inBearer) break
    inBearer = name === 'bearer'
    if (inBearer) bearer = new Map()
    else take(TOKEN68)
  }
  return (
    bearer && {
      error: bearer.get('error'),
      resourceMetadata: bearer.get('resource_metadata'),
      scopes: readScopes(bearer.get('scope')?.split(/\s+/)),
    }
  )
}

/** Whether a challenge says that a token is good, and good for too little (RFC 6750 §3.1). */
export function isInsufficientScope(field: string | undefined): boolean {
  return readBearerChallenge(field)?.error === 'insufficient_scope'
}
