/** htpasswd files, as Apache's `htpasswd -B` writes them: a user and a hashed password on each line. */
import { ConfigError, type ConfigProblem } from '../core/errors.ts'
import { usernameProblem } from './credentials.ts'
import type { PasswordHash } from './hash-format.ts'
import { parsePasswordHash } from './password-hash.ts'

/** One line of an htpasswd file. */
export interface HtpasswdUser {
  /** In Unicode normal form C. */
  readonly username: string
  readonly hash: PasswordHash
}

/**
 * The users of an htpasswd file, in its order. Lines are `user:hash`, with space around them ignored; empty lines and
 * lines that start with `#` are skipped. Line ends may be CRLF.
 *
 * @throws ConfigError (`ERR_CONFIG`) that lists every bad line, with `line 3` for a path: no colon, no user name, a
 * hash that `parsePasswordHash` refuses, a user that an earlier line has. Also when there are no users at all.
 */
export function parseHtpasswd(text: string): HtpasswdUser[] {
  const users: HtpasswdUser[] = []
  const problems: ConfigProblem[] = []
  const lineOf = new Map<string, number>()
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const path = `line ${index + 1}`
    const colon = line.indexOf(':')
    const username = line.slice(0, Math.max(colon, 0)).normalize('NFC')
    const problem = lineProblem(username, colon, lineOf.get(username))
    lineOf.set(username, lineOf.get(username) ?? index + 1)
    if (problem !== undefined) problems.push({ path, message: problem })
    else {
      try {
        users.push({ username, hash: parsePasswordHash(line.slice(colon + 1)) })
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        problems.push({ path, message: error.message })
      }
    }
  }
  if (users.length === 0 && problems.length === 0)
    problems.push({ path: '', message: 'the htpasswd file has no users' })
  if (problems.length > 0) throw new ConfigError(problems)
  return users
}

/** Never repeats the line: it may be a password that was pasted in. */
function lineProblem(username: string, colon: number, earlier: number | undefined): string | undefined {
  if (colon === -1) return 'expected user:hash'
  if (username === '') return 'no user name before the colon'
  if (earlier !== undefined) return `the user ${JSON.stringify(username)} is already on line ${earlier}`
  const problem = usernameProblem(username)
  return problem === undefined ? undefined : `the user name ${problem}`
}
