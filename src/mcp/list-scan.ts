/**
 * Whether an answer may have a list in it, or the news of a resource, for callers from whom something is left out of lists. Any answer may: a request id that
 * a client uses twice brings the list for one request as the answer to the other. Hardly any does, so this has to be cheap: it goes
 * past values, and makes nothing of the keys that cannot be it.
 */
import { isUtf8 } from 'node:buffer'
import { foldKey } from '../match/fold-key.ts'
import { JsonReadError, JsonReader, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './json-reader.ts'
import { ALL_LISTS, ANSWER_LIMITS, RESOURCE_UPDATED } from './list-filter.ts'

/** `false` where no reader finds a list, nor that a resource has changed; `true` also for what cannot be read. */
export function mayHoldLists(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return true
  const reader = new JsonReader(bytes, ANSWER_LIMITS)
  try {
    let found = false
    if (reader.next() !== OPEN_BRACKET) found = hasList(reader, 1)
    else {
      reader.array(1, () => {
        if (hasList(reader, 2)) found = true
      })
    }
    reader.end()
    return found
  } catch (error) {
    if (error instanceof JsonReadError) return true
    throw error
  }
}

const RESULT = new Set(['result'])
const METHOD = new Set(['method'])
/** As it mostly is: a text need not be made of it. */
const RESULT_KEY = Buffer.from('"result"')
const LISTS = new Set([...ALL_LISTS].map(foldKey))

/** Goes past a message. */
function hasList(reader: JsonReader, depth: number): boolean {
  let found = false
  if (reader.next() !== OPEN_BRACE) reader.skipValue(depth)
  else {
    for (let more = reader.enter(depth); more; more = reader.nextMember()) {
      if (isResultKey(reader) || isKeyOf(reader, RESULT)) {
        if (reader.next() !== OPEN_BRACE) reader.skipValue(depth + 1)
        else if (hasListIn(reader, depth + 1)) found = true
      } else if (isKeyOf(reader, METHOD) && reader.next() === QUOTE) {
        const from = reader.at
        reader.skipValue(depth + 1)
        if (reader.textOf(from, reader.at) === RESOURCE_UPDATED) found = true
      } else reader.skipValue(depth + 1)
    }
  }
  return found
}

/** Goes past a result. */
function hasListIn(reader: JsonReader, depth: number): boolean {
  let found = false
  for (let more = reader.enter(depth); more; more = reader.nextMember()) {
    found ||= isKeyOf(reader, LISTS)
    reader.skipValue(depth + 1)
  }
  return found
}

function isResultKey({ bytes, keyStart, keyEnd }: JsonReader): boolean {
  if (keyEnd - keyStart !== RESULT_KEY.length) return false
  for (let at = 0; at < RESULT_KEY.length; at++) if (bytes[keyStart + at] !== RESULT_KEY[at]) return false
  return true
}

/** What the names begin with, in lower case. */
const INITIALS: readonly number[] = [...new Set([...RESULT, ...METHOD, ...LISTS].map((name) => name.charCodeAt(0)))]
/** Of ASCII in lower case. */
const [LETTER_A, LETTER_Z] = [0x61, 0x7a]
const LOWER_CASE = 0x20

/** Whether the key at hand is one of `names` to some reader. */
function isKeyOf(reader: JsonReader, names: ReadonlySet<string>): boolean {
  const { keyStart, keyEnd } = reader
  // Whatever is folded, a letter of ASCII in front stays it: most keys need not be made.
  const first = (reader.bytes[keyStart + 1] ?? 0) | LOWER_CASE
  if (first >= LETTER_A && first <= LETTER_Z && !INITIALS.includes(first)) return false
  return names.has(foldKey(reader.textOf(keyStart, keyEnd)))
}
