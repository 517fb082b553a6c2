/** A decision function of the user's own. */
import type { AccessDecision, Wanted } from '../access/decision.ts'
import type { Caller } from '../identity/caller.ts'

/** What is asked. */
export interface AccessQuestion {
  /** Who asks. */
  readonly caller: Caller
  /** What grants can call the caller by. */
  readonly principals: readonly string[]
  /** `group/server`. */
  readonly server: string
  /**
   * `connect` for any use of the server at all; then each tool, prompt and resource that a request names. `manage` and `admin` are
   * asked where a grant gives that role, and never given without one.
   */
  readonly wanted: Wanted
  /** Whether it is only about showing something in a list. There are no arguments then, and the grants allow what they would with some. */
  readonly listing: boolean
  /** What the grants say. */
  readonly granted: AccessDecision
}

/** Decides in place of the grants, or after them; roles beyond `use` it can only take away. */
export type Decide = (question: AccessQuestion) => boolean | Promise<boolean>
