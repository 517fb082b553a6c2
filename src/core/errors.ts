/**
 * The errors that sallyport throws at programmers. What goes wrong with a
 * request is never thrown: it is a value (an `Outcome`) that becomes an answer.
 */

/** Base class of every error that sallyport throws. `code` is stable, `message` is not. */
export class SallyportError extends Error {
  /**
   * Stable, for a `switch`: `ERR_CONFIG`, `ERR_SECRET`, `ERR_FETCH`, `ERR_DEPENDENCY`, `ERR_NOT_READY`, `ERR_STORE` or `ERR_SEAL`;
   * of a gateway also `ERR_API_KEY`, `ERR_VIRTUAL_ACCOUNT`, and those of `GatewayError`.
   */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** One thing that is wrong in a configuration. */
export interface ConfigProblem {
  /** Where, as one would write it in code: `routes[2].auth.integration`. Empty for the whole. */
  readonly path: string
  /** What is wrong, and where possible what was meant. */
  readonly message: string
}

/** The configuration cannot be used (`ERR_CONFIG`). `problems` has every problem found, not just the first. */
export class ConfigError extends SallyportError {
  /** All that is wrong. */
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    super(
      'ERR_CONFIG',
      lines.length === 1 ? `${lines[0]}` : `${lines.length} problems in the configuration:\n  ${lines.join('\n  ')}`,
    )
    this.problems = problems
  }
}

/** A secret that a `{ secret: … }` reference names could not be looked up (`ERR_SECRET`). Never holds the secret. */
export class SecretError extends SallyportError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_SECRET', message, options)
  }
}

/** Something that must be fetched could not be: no answer, too late, too large, not what was expected (`ERR_FETCH`). */
export class FetchError extends SallyportError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FETCH', message, options)
  }
}

/** An optional package is needed and not installed (`ERR_DEPENDENCY`). The message names the package. */
export class DependencyError extends SallyportError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DEPENDENCY', message, options)
  }
}

/** A token store cannot be reached or failed (`ERR_STORE`). Whether the operation happened is not known. */
export class StoreError extends SallyportError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_STORE', message, options)
  }
}

/** Something sealed does not open: it was sealed with another key, for another place, or has been changed (`ERR_SEAL`). */
export class SealError extends SallyportError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_SEAL', message, options)
  }
}

/** Whether something that is needed is missing for now, or wrongly set up: the operator's to mend, and 503 to everybody else. */
export function isOutage(thrown: unknown): boolean {
  return [StoreError, SealError, SecretError, FetchError].some((kind) => thrown instanceof kind)
}

/** The text of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    return 'something that has no text' // such as Object.create(null)
  }
}
