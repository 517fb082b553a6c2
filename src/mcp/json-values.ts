/** Finds values in JSON as bytes, so that they can be put elsewhere as they were sent. */
import { type JsonLimits, JsonReader, OPEN_BRACE } from './json-reader.ts'

const LIMITS: JsonLimits = { maxDepth: 512, maxNumberBytes: 1024 * 1024 }

/** The bytes of the value at `path`; `undefined` where there is none. Of two members of one name, the last. @throws JsonReadError */
export function valueBytes(bytes: Uint8Array, path: readonly string[]): Uint8Array | undefined {
  const reader = new JsonReader(bytes, LIMITS)
  return find(reader, path, 1)
}

/** The bytes of every member of an object, in one pass; none of what is no object. Of two of one name, the last. @throws JsonReadError */
export function memberBytes(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const reader = new JsonReader(bytes, LIMITS)
  const members = new Map<string, Uint8Array>()
  if (reader.next() !== OPEN_BRACE) return members
  reader.object(1, (from, to) => {
    const key = reader.textOf(from, to)
    reader.next()
    const start = reader.at
    reader.skipValue(2)
    members.set(key, reader.bytes.subarray(start, reader.at))
  })
  return members
}

function find(reader: JsonReader, path: readonly string[], depth: number): Uint8Array | undefined {
  const [key, ...rest] = path
  const open = reader.next()
  const start = reader.at
  if (key === undefined || open !== OPEN_BRACE) {
    reader.skipValue(depth)
    return key === undefined ? reader.bytes.subarray(start, reader.at) : undefined
  }
  let found: Uint8Array | undefined
  reader.object(depth, (from, to) => {
    if (reader.textOf(from, to) === key) found = find(reader, rest, depth + 1)
    else reader.skipValue(depth + 1)
  })
  return found
}
