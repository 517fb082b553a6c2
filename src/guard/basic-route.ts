/** Routes with `auth: { type: 'basic' }`: from the `Authorization` field to a verdict (RFC 7617). */
import { type BasicCredentials, parseBasicCredentials } from '../basic/credentials.ts'
import { parseHtpasswd } from '../basic/htpasswd.ts'
import {
  type CheckResult,
  createPasswordChecker,
  createVerifyChecker,
  type PasswordChecker,
} from '../basic/password-checker.ts'
import { parsePasswordHash } from '../basic/password-hash.ts'
import type { WorkLimiter } from '../basic/work-limiter.ts'
import type { Clock } from '../core/clock.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { resolveSecret, type SecretResolver } from '../core/secrets.ts'
import { challenge } from '../http/challenge.ts'
import type { Auth } from '../http/gate.ts'
import { problem } from '../http/replies.ts'
import { identityId } from '../identity/identity.ts'
import type { BasicAuth, BasicUser } from './config.ts'
import type { Authenticator, Verdict } from './verdict.ts'

const BUSY = problem(503, { 'retry-after': '1' })
const NOT_READY = problem(503, { 'retry-after': '5' })
/** After a secret could not be looked up, it is not tried again for so long. */
const RETRY_MS = 1_000

/** What a basic route needs from the guard. */
export interface BasicRouteSettings {
  /** Where its configuration is, for messages: `routes[2].auth`. */
  readonly at: string
  readonly secrets: SecretResolver | undefined
  readonly clock: Clock
  readonly limiter: WorkLimiter
}

/** An authenticator for the route called `name`. */
export function createBasicRoute(name: string, auth: BasicAuth, settings: BasicRouteSettings): Authenticator {
  const { clock } = settings
  const source = copyOf(auth)
  const realm = auth.realm ?? name
  const unauthorized = problem(401, { 'www-authenticate': challenge('Basic', { realm, charset: 'UTF-8' }) })
  let checker: PasswordChecker | undefined
  let preparing: Promise<PasswordChecker> | undefined
  let failure: { readonly error: unknown; readonly at: number } | undefined

  function prepare(): Promise<PasswordChecker> {
    preparing ??= makeChecker(source, settings)
      .then(async (made) => {
        await made.load()
        checker = made
        return made
      })
      .catch((error: unknown) => {
        failure = { error, at: clock.now() }
        throw error
      })
      .finally(() => {
        preparing = undefined
      })
    return preparing
  }

  function judge(username: string, result: CheckResult): Verdict {
    if (result === true) return { kind: 'pass', auth: authFor(username) }
    if (result === 'busy') return { kind: 'refuse', reply: BUSY, reason: 'busy', detail: 'too many passwords to hash' }
    return { kind: 'refuse', reply: unauthorized, reason: 'bad_credentials' }
  }

  function authFor(username: string): Auth {
    return { type: 'basic', route: name, subject: username, id: identityId(`basic:${realm}`, username) }
  }

  async function authenticateLater(
    { username, password }: BasicCredentials,
    pending: () => CheckResult | Promise<CheckResult>,
  ): Promise<Verdict> {
    try {
      return judge(username, await pending())
    } catch (error) {
      // A verify function's error may quote what it was given, as those of databases do.
      const detail = password === '' ? messageOf(error) : messageOf(error).replaceAll(password, '[password]')
      return { kind: 'refuse', reply: NOT_READY, reason: 'check_failed', detail, error }
    }
  }

  /** The failure to prepare after which it is too early to try again; a clock that is set back does not prolong that. */
  function freshFailure() {
    if (failure === undefined || preparing !== undefined) return undefined
    const ageMs = clock.now() - failure.at
    return ageMs >= 0 && ageMs < RETRY_MS ? failure : undefined
  }

  return {
    async ready() {
      if (checker === undefined) await prepare()
    },
    authenticate(request, { authorization }) {
      if (authorization === undefined) return { kind: 'refuse', reply: unauthorized, reason: 'no_credentials' }
      const credentials = parseBasicCredentials(authorization)
      if (credentials === undefined) return { kind: 'refuse', reply: unauthorized, reason: 'malformed' }
      const { username, password } = credentials
      if (checker === undefined) {
        const failed = freshFailure()
        if (failed !== undefined) {
          const { error } = failed
          return { kind: 'refuse', reply: NOT_READY, reason: 'check_failed', detail: messageOf(error), error }
        }
        return authenticateLater(credentials, async () => (await prepare()).check(username, password, request))
      }
      const result = checker.check(username, password, request)
      return typeof result === 'object' ? authenticateLater(credentials, () => result) : judge(username, result)
    },
  }
}

/** What passwords are checked with: read at once, since it is prepared later and the configuration may have changed by then. */
function copyOf(auth: BasicAuth) {
  const { verify, htpasswd, cacheSeconds = 60, users = [auth as BasicUser] } = auth
  return {
    verify,
    htpasswd: structuredClone(htpasswd),
    cacheSeconds,
    users: users.map(({ username, password, passwordHash }) => ({
      username,
      hashed: passwordHash !== undefined,
      secret: structuredClone(passwordHash ?? password ?? ''),
    })),
  }
}

async function makeChecker(
  { verify, htpasswd, cacheSeconds, users: configured }: ReturnType<typeof copyOf>,
  settings: BasicRouteSettings,
): Promise<PasswordChecker> {
  const { at, secrets, clock, limiter } = settings
  if (verify !== undefined) return createVerifyChecker(verify)
  const options = { cacheSeconds, clock, limiter }
  if (htpasswd !== undefined) {
    const text = await resolveSecret(htpasswd, secrets)
    return under(`${at}.htpasswd`, () => createPasswordChecker({ ...options, users: parseHtpasswd(text) }))
  }
  const texts = await Promise.all(
    configured.map(async ({ username, hashed, secret }) => ({
      username,
      hashed,
      text: await resolveSecret(secret, secrets),
    })),
  )
  return under(at, () => {
    const users = texts.map(({ username, hashed, text }) =>
      hashed ? { username, hash: parsePasswordHash(text) } : { username, password: text },
    )
    return createPasswordChecker({ ...options, users })
  })
}

/** Says where in the guard's configuration a problem lies that turned up in a looked-up secret. */
function under<Result>(at: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(
      error.problems.map(({ path, message }) => ({ path: path === '' ? at : `${at}: ${path}`, message })),
    )
  }
}
