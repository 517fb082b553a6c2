/** What a client's operations throw: errors of one kind, which repeat nothing that was secret in the request. */
import { messageOf, SallyportError } from '../core/errors.ts'
import { RedeemError } from '../store/redeem-error.ts'
import { AuthorizationError } from './authorization-error.ts'
import { withoutSecrets } from './presentable.ts'

/**
 * Runs `operation` with a list of what must not be repeated, which it adds to. What it throws comes out as `Kind`, with
 * causes only where they are errors of our own.
 */
export async function reportingAs<T>(
  Kind: typeof AuthorizationError | typeof RedeemError,
  sent: readonly string[],
  operation: (secrets: string[]) => Promise<T>,
): Promise<T> {
  const secrets = [...sent]
  try {
    return await operation(secrets)
  } catch (error) {
    if (error instanceof Kind) throw error
    const message = withoutSecrets(messageOf(error), secrets)
    const options = error instanceof SallyportError ? { cause: error } : {}
    if (Kind === AuthorizationError) throw new AuthorizationError('unavailable', message, options)
    // A refusal of something else on the way says nothing of the refresh token, but more of the same will not help.
    const rejected = error instanceof AuthorizationError && error.kind !== 'unavailable'
    throw new RedeemError(rejected ? 'rejected' : 'transient', message, options)
  }
}

/** What `promise` resolves with, if that is before `signal` aborts. @throws RedeemError `transient` */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let stop = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new RedeemError('transient', 'given up'))
    signal.addEventListener('abort', stop, { once: true })
  })
  if (signal.aborted) stop()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
