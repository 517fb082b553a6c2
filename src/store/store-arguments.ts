/** What stores are made with. A variable that is not set, or an option under another name, must be heard where the store is made. */
import { suggest } from '../core/suggest.ts'

/**
 * Refuses nothing where a place or a client has to be, and options that the store does not have.
 *
 * @throws TypeError
 */
export function checkStoreArguments(
  store: string,
  wanted: string,
  place: unknown,
  options: object,
  known: readonly string[],
): void {
  if (typeof place !== 'string' && (typeof place !== 'object' || place === null)) {
    const got = place === undefined ? 'undefined: is the environment variable set?' : `a ${typeof place}`
    throw new TypeError(`${store}() needs ${wanted}, and got ${place === null ? 'null' : got}`)
  }
  // Clients of databases take it for a server on this machine.
  if (place === '') throw new TypeError(`${store}() needs ${wanted}, and got '': is the environment variable set?`)
  const [unknown] = Object.keys(options).filter((name) => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`${store}() has no option "${unknown}"${suggest(unknown, known)}`)
}
