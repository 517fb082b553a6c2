/**
 * Checks a user name and a password against configured users. Does the same work whether the user exists or not, and
 * computes a slow hash once for equal credentials, a few at a time.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, systemClock } from '../core/clock.ts'
import { ConfigError, type ConfigProblem } from '../core/errors.ts'
import { passwordProblem, usernameProblem } from './credentials.ts'
import type { PasswordHash } from './hash-format.ts'
import { createKeyedDigest } from './keyed-digest.ts'
import { createSuccessCache } from './success-cache.ts'
import { createWorkLimiter, type WorkLimiter } from './work-limiter.ts'

/** Whether the credentials are good; `'busy'` when too many checks wait already: answer 503 and let the client retry. */
export type CheckResult = boolean | 'busy'

/** Decides whether a user name and a password belong together. */
export interface PasswordChecker {
  /**
   * Loads the packages that hashes need. Call it before the first request.
   *
   * @throws DependencyError (`ERR_DEPENDENCY`) naming the package to install.
   */
  load(): Promise<void>
  /**
   * Checks credentials as `parseBasicCredentials` returns them (both parts in Unicode normal form C). Answers at once
   * where it can; rejects when the check itself failed, which says nothing about the credentials.
   *
   * @param asker - a slow check that nobody waits for any more, once there is room for it, is `'busy'`
   */
  check(username: string, password: string, asker?: Asker): CheckResult | Promise<CheckResult>
}

/** Who asks, such as a request: looked at only where the check has to wait. */
export interface Asker {
  readonly gone?: { readonly aborted: boolean }
}

/** A check under way. */
interface Flight {
  readonly answer: Promise<CheckResult>
  readonly askers: (Asker | undefined)[]
}

/** Somebody who may come in. */
export type BasicUser =
  | { readonly username: string; readonly password: string }
  | { readonly username: string; readonly hash: PasswordHash }

/** Settings of {@link createPasswordChecker}. */
export interface PasswordCheckerOptions {
  readonly users: readonly BasicUser[]
  /** How long a successful check of a hash is remembered; 60 unless given, 0 for not at all. */
  readonly cacheSeconds?: number
  /**
   * How many hashes are computed at once; 2 unless given. Hashes run on Node's four threads, which name lookups and
   * files need too, and each takes its memory (64 MiB for `hashPassword`'s).
   */
  readonly maxConcurrent?: number
  /** How many checks may wait for that before the answer is `'busy'`; 100 unless given. */
  readonly maxQueued?: number
  /** A limiter shared with other checkers, instead of `maxConcurrent` and `maxQueued`. */
  readonly limiter?: WorkLimiter
  readonly clock?: Clock
}

/** What a user is checked against: the keyed digest of name and password, or the hash. */
type Entry = { readonly digest: Buffer; readonly hash?: never } | { readonly hash: PasswordHash }

/**
 * A checker for a list of users. Plain passwords and remembered successes are answered synchronously.
 *
 * @throws ConfigError (`ERR_CONFIG`) listing every user that could never log in or is there twice, with paths such
 * as `users[1].username`.
 */
export function createPasswordChecker(options: PasswordCheckerOptions): PasswordChecker {
  const problems = optionProblems(options)
  if (problems.length > 0) throw new ConfigError(problems)
  const { users, cacheSeconds = 60, maxConcurrent = 2, maxQueued = 100, clock = systemClock } = options
  const limiter = options.limiter ?? createWorkLimiter({ maxConcurrent, maxQueued })
  const successes = createSuccessCache(cacheSeconds, clock)
  const flights = new Map<string, Flight>()
  const digestOf = createKeyedDigest()
  const entries = new Map(users.map((user) => [user.username.normalize('NFC'), toEntry(user)]))
  const standInFor = createStandIns([...entries.values()])

  function toEntry(user: BasicUser): Entry {
    if ('hash' in user) return { hash: user.hash }
    return { digest: digestOf(user.username.normalize('NFC'), user.password.normalize('NFC')) }
  }

  function checkHash(
    id: string,
    { hash, known }: { readonly hash: PasswordHash; readonly known: boolean },
    password: string,
    asker: Asker | undefined,
  ): CheckResult | Promise<CheckResult> {
    const before = flights.get(id)
    if (before !== undefined) {
      before.askers.push(asker)
      return before.answer
    }
    const askers = [asker]
    const verify = async () => {
      const accepted = (await hash.verify(password)) === true && known
      if (accepted) successes.add(id)
      return accepted
    }
    // Or a hundred requests, given up as soon as they are sent, would keep everybody waiting for as many hashes.
    const answer = limiter.run(verify, () => askers.some((each) => each?.gone?.aborted !== true))
    if (answer === 'busy') return 'busy'
    const flight = { answer: answer.finally(() => flights.delete(id)), askers }
    flights.set(id, flight)
    return flight.answer
  }

  return {
    async load() {
      await Promise.all([...entries.values()].map(({ hash }) => hash?.load()))
    },
    check(username, password, asker) {
      const digest = digestOf(username, password)
      const id = digest.toString('latin1')
      if (successes.has(id)) return true
      // Found for everybody, so that an unknown user does not take longer by it either.
      const standIn = standInFor(username)
      const own = entries.get(username)
      const entry = own ?? standIn
      if (entry.hash !== undefined)
        return checkHash(id, { hash: entry.hash, known: own !== undefined }, password, asker)
      return timingSafeEqual(digest, entry.digest) && own !== undefined
    },
  }
}

/**
 * A checker that asks a function of the user's own. Only `true` lets somebody in, whatever else JavaScript code may
 * return. What the function throws becomes a rejection.
 */
export function createVerifyChecker(
  verify: (username: string, password: string) => boolean | Promise<boolean>,
): PasswordChecker {
  return {
    load: async () => {},
    check(username, password) {
      try {
        const answer = verify(username, password)
        return typeof answer === 'boolean' ? answer : Promise.resolve(answer).then((value) => value === true)
      } catch (error) {
        return Promise.reject(error)
      }
    },
  }
}

/**
 * Whom to check instead of a user that does not exist: for one name always the same entry, so that the name takes as
 * long as some fixed user's, and nobody outside can tell whose.
 */
function createStandIns(entries: readonly Entry[]): (username: string) => Entry {
  const nobody: Entry = { digest: randomBytes(32) }
  if (entries.every(({ hash }) => hash === undefined)) return () => nobody
  const digestOf = createKeyedDigest()
  return (username) => entries[digestOf(username, '').readUInt32BE() % entries.length] ?? nobody
}

function optionProblems(options: PasswordCheckerOptions): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const seen = new Map<string, number>()
  if (options.users.length === 0) problems.push({ path: 'users', message: 'has nobody in it' })
  for (const [index, user] of options.users.entries()) {
    const username = user.username.normalize('NFC')
    const earlier = seen.get(username)
    const nameProblem = earlier === undefined ? usernameProblem(username) : `is the same as users[${earlier}].username`
    if (nameProblem !== undefined) problems.push({ path: `users[${index}].username`, message: nameProblem })
    seen.set(username, earlier ?? index)
    const secretProblem = 'hash' in user ? undefined : passwordProblem(user.password)
    if (secretProblem !== undefined) problems.push({ path: `users[${index}].password`, message: secretProblem })
  }
  const { cacheSeconds = 60, maxConcurrent = 2, maxQueued = 100 } = options
  if (!(cacheSeconds >= 0)) problems.push({ path: 'cacheSeconds', message: 'must be a number of seconds, or 0' })
  if (!(maxConcurrent >= 1)) problems.push({ path: 'maxConcurrent', message: 'must be at least 1' })
  if (!(maxQueued >= 0)) problems.push({ path: 'maxQueued', message: 'must be 0 or more' })
  return problems
}
