/** Records that do not open or cannot be read: for those who can do without them, and must not fail for good by one. */
import { SealError } from '../core/errors.ts'
import { warn } from '../core/warnings.ts'
import { everyRecord } from './every-record.ts'
import { type Key, keyText, type Page, type PageRequest, type TokenStore } from './token-store.ts'

/** A record does not open (`ERR_SEAL`). A key that is missing altogether is another error, and has no such version. */
export class UnopenedRecord extends SealError {
  /** Its own: whoever writes records whole can write over it, and over nothing that has come in its place. */
  readonly version: string

  constructor(message: string, version: string, options?: ErrorOptions) {
    super(message, options)
    this.version = version
  }
}

/** Some records of a page do not open (`ERR_SEAL`). A key that is missing altogether is another error, and has no such page. */
export class UnopenedRecords extends SealError {
  /** The page without them. */
  readonly page: Page
  readonly keys: readonly Key[]

  constructor(message: string, page: Page, keys: readonly Key[], options?: ErrorOptions) {
    super(message, options)
    this.page = page
    this.keys = keys
  }
}

/** What of a page opens; `lost` is told of the rest. */
export async function readable(reading: Promise<Page>, lost: (error: UnopenedRecords) => void): Promise<Page> {
  try {
    return await reading
  } catch (error) {
    if (!(error instanceof UnopenedRecords)) throw error
    lost(error)
    return error.page
  }
}

/** As `everyRecord`; what does not open comes too, without its value. */
export async function* everyKey(
  list: (page: PageRequest) => Promise<Page>,
): AsyncGenerator<{ readonly key: Key; readonly value?: Uint8Array }> {
  const unopened: Key[] = []
  yield* everyRecord((page) => readable(list(page), ({ keys }) => unopened.push(...keys)))
  for (const key of unopened) yield { key }
}

/** A record that is there, though perhaps nobody can read it. */
export interface Replaceable<Value> {
  /** `undefined` where it does not open, or makes no sense. */
  readonly value: Value | undefined
  readonly version: string
}

/**
 * A record that is written whole; `undefined` where there is none. `lost` is told of one that nobody can read, and never of what is in it.
 *
 * @param decode - what is in it; `undefined` for what makes no sense
 */
export async function readReplaceable<Value>(
  store: Pick<TokenStore, 'get'>,
  key: Key,
  decode: (value: Uint8Array) => Value | undefined,
  lost: (problem: { readonly message: string }) => void = () => {},
): Promise<Replaceable<Value> | undefined> {
  try {
    const found = await store.get(key)
    if (found === undefined) return undefined
    const value = decode(found.value)
    if (value === undefined) lost(unreadable(key))
    return { value, version: found.version }
  } catch (error) {
    if (!(error instanceof UnopenedRecord)) throw error
    lost(error)
    return { value: undefined, version: error.version }
  }
}

/** The object in a record of JSON; `undefined` where there is none. */
export function objectIn<Value extends object>(value: Uint8Array): Partial<Value> | undefined {
  try {
    const found: unknown = JSON.parse(Buffer.from(value).toString('utf8'))
    return typeof found === 'object' && found !== null ? found : undefined
  } catch {
    return undefined
  }
}

/** What is said of a record that opens and makes no sense. */
export function unreadable(key: Key): { readonly message: string } {
  return { message: `the record ${keyText(key)} cannot be read` }
}

/** Warns of the first record that nobody can read: only the operator can do anything about it. `what` becomes of such records. */
export function warnOnce(what: string): (problem: { readonly message: string }) => void {
  let isWarned = false
  return ({ message }) => {
    if (!isWarned) warn('SALLYPORT_GATEWAY', `${what}: ${message}`)
    isWarned = true
  }
}

/** Takes a record that does not open for one that is not there, where nothing depends on it but what is shown. */
export function unlessSealed(error: unknown): undefined {
  if (!(error instanceof SealError)) throw error
}
