/**
 * Basic credentials (RFC 7617): the header field's value taken apart, and what a
 * user name and a password may consist of. Strict on purpose: one pair of user
 * name and password has one spelling, so no proxy in front can read another.
 */
import { isUtf8 } from 'node:buffer'

/** What an `Authorization: Basic …` header says, both parts in Unicode normal form C. */
export interface BasicCredentials {
  readonly username: string
  readonly password: string
}

/** RFC 9110 §11.4: `auth-scheme 1*SP token68`. The scheme in any case (§11.1), token68 as in §11.2. */
const basicForm = /^basic +([A-Za-z0-9\-._~+/]+=*)$/i

/** RFC 7617 §2: no control characters (C0, DEL, C1). Lone surrogates are not text, and no UTF-8 spells them. */
const forbiddenCharacter = /[\p{Cc}\p{Cs}]/u

/**
 * UAX #15 §13 (stream-safe text): more than 30 combining marks in a row mean nothing in any language, and
 * normalising a header full of them takes time by the square of its length: 18 ms for 16 KB. The look-behind
 * starts the count once for each row of marks.
 */
const tooManyMarks = /(?<!\p{M})\p{M}{31}/u

/**
 * The credentials in an `Authorization` header field's value, or `undefined` when the scheme is another or the
 * value is malformed (RFC 7617 §2, RFC 9110 §11.4). Never throws.
 *
 * The first colon ends the user name; either part may be empty. Characters are UTF-8 (§2.1, as our challenge says);
 * bytes that are not are refused, and so are control characters. Base64 is that of RFC 4648 §4 and canonical: RFC
 * 7617 does not lift §3.2's MUST of padding, every known client pads, and decoders disagree on the other forms.
 *
 * ```ts
 * parseBasicCredentials('Basic aGVsbG86d29ybGQ=') // { username: 'hello', password: 'world' }
 * ```
 */
export function parseBasicCredentials(authorization: string): BasicCredentials | undefined {
  const encoded = basicForm.exec(authorization)?.[1]
  if (encoded === undefined) return undefined
  const bytes = Buffer.from(encoded, 'base64')
  // Buffer skips what is not base64; only the canonical form comes back as it went in.
  if (bytes.toString('base64') !== encoded || !isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1 || textProblem(text) !== undefined) return undefined
  return { username: text.slice(0, colon).normalize('NFC'), password: text.slice(colon + 1).normalize('NFC') }
}

/** Why no Basic credentials can ever have this user name (RFC 7617 §2), or `undefined` when they can. */
export function usernameProblem(username: string): string | undefined {
  return username.includes(':') ? 'has a colon, which ends the user name (RFC 7617 §2)' : textProblem(username)
}

/** Why this password cannot be used with Basic (RFC 7617 §2; an empty one protects nothing), or `undefined` when it can. */
export function passwordProblem(password: string): string | undefined {
  return password === '' ? 'is empty' : textProblem(password)
}

function textProblem(text: string): string | undefined {
  if (forbiddenCharacter.test(text)) return 'has a control character or half a surrogate pair (RFC 7617 §2)'
  if (tooManyMarks.test(text)) return 'has more than 30 combining marks in a row'
  return undefined
}
