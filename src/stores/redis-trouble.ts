/**
 * What the last try to connect has failed with: a time-out alone tells nobody of a
 * wrong name, certificate or password.
 */
import { messageOf } from '../core/errors.ts'
import { property } from '../core/property.ts'

/** Remembers the last error of a connection that is not ready. */
export interface Trouble {
  readonly remember: (error: unknown) => void
  readonly forget: () => void
  /** For people. */
  readonly last: () => string | undefined
}

/** See the top of the file. */
export function createTrouble(): Trouble {
  let last: string | undefined
  return {
    remember(error) {
      last = troubleOf(error)
    },
    forget() {
      last = undefined
    },
    last: () => last,
  }
}

/** An error of a connection in a few words, `ECONNREFUSED 127.0.0.1:6379`, without what was sent: that has passwords. */
export function troubleOf(error: unknown): string {
  // Of a name with several addresses, and of a cluster with several nodes, one tells enough.
  const [first] = Array.isArray(property(error, 'errors')) ? Object(property(error, 'errors')) : []
  const inner = first ?? property(error, 'lastNodeError')
  if (inner instanceof Error) return troubleOf(inner)
  const code = property(error, 'code')
  if (typeof code === 'string') {
    const host = property(error, 'address') ?? property(error, 'hostname')
    const port = property(error, 'port')
    return host === undefined ? code : `${code} ${host}${port === undefined ? '' : `:${port}`}`
  }
  // A server that does not know HELLO repeats its arguments.
  return messageOf(error)
    .replace(/,?\s*with args beginning with.*$/is, '')
    .slice(0, 200)
}
