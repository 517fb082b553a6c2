/**
 * A secret that becomes part of requests: looked up once, in `ready()` or when it is first needed, and again a little later
 * where that failed. Nobody waits long for a resolver that does not answer.
 */
import type { Clock } from '../core/clock.ts'
import { SecretError } from '../core/errors.ts'
import { resolveSecret, type Secret, type SecretResolver } from '../core/secrets.ts'
import { fieldValueProblem } from '../http/field.ts'

/** See the top of the file. */
export interface LiveSecret {
  /**
   * The text, at once where it is known.
   *
   * @throws SecretError (`ERR_SECRET`) where it cannot be looked up, or cannot be in a header field; never holds the text
   */
  read(): string | Promise<string>
  /** The same, and tries again however short ago that failed. */
  load(): Promise<string>
}

/** After a failure it is not tried again for so long. */
export const SECRET_RETRY_MS = 1_000
/** A secret manager far away answers within this. */
const WAIT_MS = 10_000

/** `resolver` and `clock` as configured. */
export function createLiveSecret(secret: Secret, resolver: SecretResolver | undefined, clock: Clock): LiveSecret {
  const what = typeof secret === 'string' ? 'a secret' : `the secret "${secret.secret}"`
  let known: string | undefined
  let looking: Promise<string> | undefined
  let failure: { readonly error: unknown; readonly at: number } | undefined

  function lookUp(): Promise<string> {
    looking ??= resolveSecret(secret, resolver)
      .then((text) => {
        const problem = fieldValueProblem(text)
        if (problem !== undefined) throw new SecretError(`${what} cannot be in a header: it ${problem}`)
        known = text
        return text
      })
      .catch((error: unknown) => {
        failure = { error, at: clock.now() }
        throw error
      })
      .finally(() => {
        looking = undefined
      })
    return looking
  }

  return {
    read() {
      if (known !== undefined) return known
      // A clock that is set back does not prolong this.
      const ageMs = failure === undefined ? -1 : clock.now() - failure.at
      if (looking === undefined && ageMs >= 0 && ageMs < SECRET_RETRY_MS) return Promise.reject(failure?.error)
      return inTime(lookUp(), what)
    },
    load: async () => known ?? inTime(lookUp(), what),
  }
}

/** What comes too late is kept for the next who asks. */
function inTime(looking: Promise<string>, what: string): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SecretError(`${what} could not be looked up in ${WAIT_MS} ms`)), WAIT_MS)
  })
  return Promise.race([looking, late]).finally(() => clearTimeout(timer))
}
