/** What the formats of hashed passwords have in common: their interface, the base64 of PHC strings, bounds on cost. */
import { ConfigError } from '../core/errors.ts'

/** A hashed password, ready to check passwords against. Does not show the hash. */
export interface PasswordHash {
  /**
   * Loads the package that the format needs, if any. Call it before the first request, so that a missing package
   * is found at start; `verify` calls it otherwise.
   *
   * @throws DependencyError (`ERR_DEPENDENCY`) naming the package to install.
   */
  load(): Promise<void>
  /**
   * Whether this is the password; give it in Unicode normal form C, as `parseBasicCredentials` returns it. Takes tens
   * to hundreds of milliseconds by design. Rejects when that cannot be found out, never for a wrong password.
   */
  verify(password: string): Promise<boolean>
}

/** The most memory that one check may use: hashes come from files, and a typo in a cost must not take the machine down. */
const maxMemoryBytes = 2 ** 30

/** The most memory that one check may pass over: five to fifteen seconds, as libsodium's costliest preset does. */
const maxWorkBytes = 2 ** 32

/** The error for a hash that cannot be used. `path` is empty: whoever knows where the hash came from adds it. */
export function hashError(message: string): ConfigError {
  return new ConfigError([{ path: '', message }])
}

/** The error for a hash that is of the named format but not whole. Does not repeat the hash. */
export function damagedHash(format: string): ConfigError {
  return hashError(`the ${format} hash is damaged or cut short; copy it again, in quotes if a shell sees its "$"`)
}

/** @throws ConfigError when a check would use more memory or time than any sound setting does. */
export function refuseAbsurdCost(format: string, memoryBytes: number, passes: number): void {
  if (memoryBytes <= maxMemoryBytes && memoryBytes * passes <= maxWorkBytes) return
  throw hashError(
    `the ${format} hash asks for ${Math.ceil(memoryBytes / 2 ** 20)} MiB of memory, ${passes} times over, for every check; ` +
      'at most 1 GiB, and 4 GiB in all, are accepted: make a new hash at a lower cost',
  )
}

/** The bytes of base64 without padding, as PHC strings have it; `undefined` when it is not canonical or its length is out of bounds. */
export function decodePhcBase64(text: string | undefined, minBytes: number, maxBytes: number): Buffer | undefined {
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  const fits = bytes.length >= minBytes && bytes.length <= maxBytes
  return fits && encodePhcBase64(bytes) === text ? bytes : undefined
}

/** Base64 without padding (PHC string format, "B64"). */
export function encodePhcBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
