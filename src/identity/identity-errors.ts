/** Errors of whoever manages API keys and virtual accounts. Their messages are meant to be shown to the person who asked. */
import { SallyportError } from '../core/errors.ts'

/** An API key cannot be made (`ERR_API_KEY`). */
export class ApiKeyError extends SallyportError {
  /**
   * `name`: it is not a good one; `expiry`: neither is the time; `option`: there is none of that name; `limit`: the owner has as
   * many keys as they may have.
   */
  readonly reason: 'name' | 'expiry' | 'option' | 'limit'

  constructor(reason: ApiKeyError['reason'], message: string) {
    super('ERR_API_KEY', message)
    this.reason = reason
  }
}

/** A virtual account cannot be made or deleted (`ERR_VIRTUAL_ACCOUNT`). */
export class VirtualAccountError extends SallyportError {
  /** `exists`: the name is taken; `configured`: the account is in the configuration, where it must be changed. */
  readonly reason: 'exists' | 'configured'

  constructor(reason: VirtualAccountError['reason'], message: string) {
    super('ERR_VIRTUAL_ACCOUNT', message)
    this.reason = reason
  }
}
