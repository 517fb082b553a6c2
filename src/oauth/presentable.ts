/** Texts of other people's servers, made fit for errors and logs: nothing secret, one line, not long. */

/** RFC 6749 §4.1.2.1, §5.2: the characters of `error`. */
const ERROR_CODE = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/

/** `value` where it is a plain `error` code that repeats none of `secrets`. */
export function errorCode(value: unknown, secrets: readonly string[] = []): string | undefined {
  return typeof value === 'string' && ERROR_CODE.test(value) && withoutSecrets(value, secrets) === value
    ? value
    : undefined
}

/** `text` with `…` for each of `secrets`, as they are and as they are in URLs and forms. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let result = text
  for (const secret of secrets) {
    const inForm = new URLSearchParams([['', secret]]).toString().slice(1)
    for (const spelling of [secret, encodeURIComponent(secret.toWellFormed()), inForm]) {
      if (spelling !== '') result = result.replaceAll(spelling, '…')
    }
  }
  return result
}

/** Longer than words are, and as short as tokens come: a server may repeat one that is not known here. */
const OPAQUE = /[\w~+=%-]{32,}/g
const MAX_LENGTH = 300

/** `text` in one line of ASCII, without `secrets` and without whatever else looks like one. */
export function presentableText(text: string, secrets: readonly string[]): string {
  // Cut generously first: the text may be long, and a secret at its end must not be cut in two.
  const clean = withoutSecrets(text.slice(0, 100 * MAX_LENGTH), secrets)
    // RFC 6749 §5.2 has ASCII only, and control characters forge lines in logs.
    .replace(/[^\x20-\x7e…]+/g, '?')
    .replace(OPAQUE, '…')
  return clean.length > MAX_LENGTH ? `${clean.slice(0, MAX_LENGTH)}…` : clean
}
