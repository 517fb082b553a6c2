/** One page of a member's list: its entries as bytes, where the next page is, and how long it may be kept. */
import { isUtf8 } from 'node:buffer'
import { foldKey } from '../../match/fold-key.ts'
import { JsonReadError, JsonReader, OPEN_BRACE, OPEN_BRACKET, QUOTE } from '../json-reader.ts'
import { ANSWER_LIMITS, type ListName } from '../list-filter.ts'
import type { JsonObject } from '../messages.ts'
import { nameProblem } from '../targets.ts'
import type { ListEntry } from './merge.ts'

/** See the top of the file. */
export interface ListPage {
  readonly entries: readonly ListEntry[]
  readonly nextCursor: string | undefined
  /** 2026-07-28; milliseconds. */
  readonly ttlMs: number | undefined
  /** Entries without one name that everybody would read in them. */
  readonly nameless: number
}

/** What an entry is called by. */
export const ENTRY_NAME: Readonly<Record<ListName, 'name' | 'uri' | 'uriTemplate'>> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resourceTemplates: 'uriTemplate',
}

/**
 * Reads the result of a list request.
 *
 * @param bytes - the response
 * @param result - what it says, parsed
 * @returns `undefined` where there is no such list in it
 */
export function readListPage(bytes: Uint8Array, result: JsonObject, list: ListName): ListPage | undefined {
  if (!Array.isArray(result[list]) || !isUtf8(bytes)) return undefined
  const { nextCursor, ttlMs } = result
  try {
    const { entries, nameless } = entriesOf(new JsonReader(bytes, ANSWER_LIMITS), list)
    return {
      entries,
      nameless,
      nextCursor: typeof nextCursor === 'string' && nextCursor !== '' ? nextCursor : undefined,
      ttlMs: typeof ttlMs === 'number' && ttlMs >= 0 && Number.isFinite(ttlMs) ? ttlMs : undefined,
    }
  } catch (error) {
    if (error instanceof JsonReadError) return undefined
    throw error
  }
}

function entriesOf(reader: JsonReader, list: ListName): { entries: ListEntry[]; nameless: number } {
  let entries: ListEntry[] = []
  let nameless = 0
  members(reader, 1, (key) => {
    if (key !== 'result') return false
    members(reader, 2, (inner) => {
      if (inner !== list || reader.next() !== OPEN_BRACKET) return false
      // Of two lists of one name the last is what was parsed.
      entries = []
      nameless = 0
      reader.array(3, () => {
        const start = reader.at
        const found = nameOf(reader, list)
        if (found === undefined) nameless++
        else {
          const { name, at } = found
          const nameAt = [at[0] - start, at[1] - start] as const
          entries.push({ original: name, bytes: reader.bytes.subarray(start, reader.at), nameAt })
        }
      })
      return true
    })
    return true
  })
  return { entries, nameless }
}

/** Goes past an entry; its name, where there is exactly one that could be read as such. */
function nameOf(reader: JsonReader, list: ListName): { name: string; at: readonly [number, number] } | undefined {
  const wanted = ENTRY_NAME[list]
  let name: string | undefined
  let at: readonly [number, number] = [0, 0]
  let readings = 0
  members(reader, 4, (key) => {
    if (foldKey(key) !== foldKey(wanted)) return false
    const isText = reader.next() === QUOTE
    const from = reader.at
    reader.skipValue(5)
    readings++
    if (key === wanted && isText) {
      name = reader.textOf(from, reader.at)
      at = [from, reader.at]
    }
    return true
  })
  return readings === 1 && name !== undefined && nameProblem(name) === undefined ? { name, at } : undefined
}

/** Goes past a value and, if it is an object, through its members: `visit` says whether it has gone past one itself. */
function members(reader: JsonReader, depth: number, visit: (key: string) => boolean): void {
  if (reader.next() !== OPEN_BRACE) reader.skipValue(depth)
  else {
    reader.object(depth, (start, end) => {
      if (!visit(reader.textOf(start, end))) reader.skipValue(depth + 1)
    })
  }
}
