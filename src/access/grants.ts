/** Who may use what, as plain data. There is no rule that takes away: what no grant gives is denied. */
import type { ClaimValue } from '../jwt/claim-rules.ts'

/** What somebody may do with a server. Each role includes those before it. */
export type Role = 'use' | 'manage' | 'admin'

/**
 * Gives whoever is named in `to` something on each server named in `on`. Grants add up, and nothing is given but by them.
 *
 * ```ts
 * { to: 'group:corp/engineering', on: 'dev/*' }
 * { to: 'virtual-account:ci', on: 'data/hub', tools: ['search_*'], arguments: { dataset: ['public/*'] } }
 * ```
 *
 * In patterns only `*` is special and stands for any run of characters, none included. It stands for none of more than 1,024
 * characters, and for no control characters. Upper and lower case differ.
 */
export interface Grant {
  /**
   * Who; any one is enough. The integration is always written out; names may have stars.
   *
   * | form | who that is |
   * | --- | --- |
   * | `user:corp/ann@example.com`, `user:corp/*@example.com` | whose e-mail address `corp` has verified |
   * | `user:corp/00u1abcd` | whom `corp` calls that. In a subject, `@` is written `%40` and `%` is `%25`: no subject passes for an address |
   * | `user:corp/*` | everybody of `corp` |
   * | `group:corp/engineering` | members of that group at `corp` |
   * | `virtual-account:ci` | that virtual account |
   * | `group:virtual-account/batch` | virtual accounts in that group of theirs |
   * | `external-identity:acme` | whose token meets the rules of that external identity |
   * | `anonymous` | everybody, with or without credentials |
   */
  readonly to: string | readonly string[]
  /** Ids of servers or virtual servers, or patterns of them: `dev/github`, `dev/*`. */
  readonly on: string | readonly string[]
  /**
   * `use` by default: to connect, with all tools, prompts and resources unless some are named. `manage` and `admin` include
   * that, and cannot be narrowed down to tools, prompts or resources.
   */
  readonly role?: Role
  /** Tools, by name or pattern. A grant that names tools, prompts or resources gives those, the connection, and nothing else. */
  readonly tools?: readonly string[]
  /** Prompts, by name or pattern. */
  readonly prompts?: readonly string[]
  /**
   * Resources, by URI or pattern. A URI with a step up in it (`/../`, encoded or not) is matched by no pattern but `*`, so that
   * `file:///public/*` stays in there.
   */
  readonly resources?: readonly string[]
  /**
   * Accepted values of arguments of the tools named here; other grants on the same tool are not bound by them. Every argument
   * listed must be there with an accepted value, and where it is a list, with nothing else in it; an empty list is refused.
   * A dot leads into a nested object, `filter.dataset`; a dot in the name itself is written `\.`. Patterns as for resources.
   */
  readonly arguments?: Readonly<Record<string, readonly ClaimValue[]>>
}
