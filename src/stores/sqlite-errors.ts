/** What SQLite's errors mean to the store; each package says it in its own way. */
import { messageOf, SallyportError, StoreError } from '../core/errors.ts'

/** Primary result codes: https://www.sqlite.org/rescode.html */
const CODES = {
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_READONLY: 8,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_NOTADB: 26,
} as const

const ADVICE: Readonly<Record<number, string>> = {
  [CODES.SQLITE_READONLY]: 'the file cannot be written',
  [CODES.SQLITE_CORRUPT]: 'the file is damaged',
  [CODES.SQLITE_FULL]: 'the disk is full',
  [CODES.SQLITE_CANTOPEN]: 'the file cannot be opened; its folder must be there and writable',
  [CODES.SQLITE_NOTADB]: 'the file is no SQLite database, or is damaged',
}

/** Whether another connection is at it right now, and nothing has been done. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error)
  return code === CODES.SQLITE_BUSY || code === CODES.SQLITE_LOCKED
}

/** What was thrown, as the store throws it. */
export function storeError(path: string, error: unknown): SallyportError {
  if (error instanceof SallyportError) return error
  const advice = ADVICE[primaryCode(error) ?? -1]
  const message = advice === undefined ? messageOf(error) : `${advice} (${messageOf(error)})`
  return new StoreError(`SQLite, ${path}: ${message}`, { cause: error })
}

/** The code without what SQLite adds to it: `node:sqlite` has numbers, `better-sqlite3` names, `libsql` either. */
function primaryCode(error: unknown): number | undefined {
  const { errcode, rawCode, code } = (typeof error === 'object' && error !== null ? error : {}) as Record<
    string,
    unknown
  >
  const number = errcode ?? rawCode
  if (typeof number === 'number') return number & 0xff
  if (typeof code !== 'string') return undefined
  return Object.entries(CODES).find(([name]) => code === name || code.startsWith(`${name}_`))?.[1]
}
