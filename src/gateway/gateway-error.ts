/** Errors of whoever asks the gateway for something in code. Their messages are meant to be shown to the person who asked. */
import { SallyportError } from '../core/errors.ts'

/** What cannot be done, by its code. */
export type GatewayErrorCode =
  /** They may not use the server, or are not whom they say they act for. */
  | 'ERR_ACCESS'
  /** There is no such server, or none that can be connected. */
  | 'ERR_UNKNOWN_SERVER'
  /** There is no such virtual account. */
  | 'ERR_UNKNOWN_VIRTUAL_ACCOUNT'
  /** Nothing usable is known of a person: they have not signed in here, or not for too long. */
  | 'ERR_UNKNOWN_PERSON'
  /** Nobody is named: an id is empty or missing, or it is not an object at all. */
  | 'ERR_SUBJECT'
  /** The credentials are no good. */
  | 'ERR_UNAUTHENTICATED'
  /** Something that is needed (store, identity provider) cannot be reached. */
  | 'ERR_UNAVAILABLE'

/** Something that the host application asked for cannot be had (`code` says why). */
export class GatewayError extends SallyportError {
  declare readonly code: GatewayErrorCode

  constructor(code: GatewayErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
