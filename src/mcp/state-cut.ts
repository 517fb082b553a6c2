/**
 * Cuts our own part of a retry out of a message before it goes on (2026-07-28, Multi Round-Trip Requests): `requestState` and
 * the responses to what we asked. Done on the bytes, so that all else stays as it was sent.
 */
import { type ByteRange, type JsonLimits, JsonReadError, JsonReader, OPEN_BRACE } from './json-reader.ts'

/** What is ours in a message. */
export interface OwnParts {
  /** Whether `params.requestState` is. */
  readonly state: boolean
  /** Whether a key of `params.inputResponses` is. */
  readonly isOwnKey: (key: string) => boolean
}

/** Keys of the input requests that `authorizationSignal` makes. */
const OWN_KEY = /^authorization-\d+$/

/** Whether a key of `inputResponses` answers what we asked. */
export function isOwnInput(key: string): boolean {
  return OWN_KEY.test(key)
}

/**
 * A message without what is ours. `inputResponses` goes too where nothing is left in it.
 *
 * @param bytes - one message that `scanMessage` has accepted
 * @throws TypeError for what it would not
 */
export function withoutOwnParts(bytes: Uint8Array, own: OwnParts): Uint8Array {
  try {
    return new Cutter(bytes, own).run()
  } catch (error) {
    if (error instanceof JsonReadError) throw new TypeError('the message has not been scanned', { cause: error })
    throw error
  }
}

/** The scan has been stricter. */
const LIMITS: JsonLimits = { maxDepth: 512, maxNumberBytes: 1024 * 1024 }

/** A member of an object: its bytes, from the key to the end of the value. */
interface Member extends ByteRange {
  readonly key: string
  /** The value goes with these pieces cut out; all of the member where it is `true`. */
  readonly cut: boolean | readonly ByteRange[]
}

class Cutter {
  readonly #reader: JsonReader
  readonly #own: OwnParts

  constructor(bytes: Uint8Array, own: OwnParts) {
    this.#reader = new JsonReader(bytes, LIMITS)
    this.#own = own
  }

  run(): Uint8Array {
    const cuts = this.#object(1, (key) => (key === 'params' ? this.#params() : this.#skip(2)))
    const { bytes } = this.#reader
    if (cuts.ranges.length === 0) return bytes
    const pieces: Uint8Array[] = []
    let at = 0
    for (const range of cuts.ranges) {
      pieces.push(bytes.subarray(at, range.start))
      at = range.end
    }
    pieces.push(bytes.subarray(at))
    return Buffer.concat(pieces)
  }

  #params(): Member['cut'] {
    return this.#object(2, (key) => {
      if (key === 'requestState') {
        this.#reader.skipValue(3)
        return this.#own.state
      }
      return key === 'inputResponses' ? this.#responses() : this.#skip(3)
    }).ranges
  }

  #responses(): Member['cut'] {
    const { ranges, all } = this.#object(3, (key) => {
      this.#reader.skipValue(4)
      return this.#own.isOwnKey(key)
    })
    return all || ranges
  }

  #skip(depth: number): false {
    this.#reader.skipValue(depth)
    return false
  }

  /** Goes past a value; what has to be cut out of it if it is an object, and whether that is every member. */
  #object(depth: number, visit: (key: string) => Member['cut']): { ranges: ByteRange[]; all: boolean } {
    if (this.#reader.next() !== OPEN_BRACE) {
      this.#reader.skipValue(depth)
      return { ranges: [], all: false }
    }
    const inside = this.#reader.at + 1
    const members: Member[] = []
    this.#reader.object(depth, (start, end) => {
      const key = this.#reader.textOf(start, end)
      const cut = visit(key)
      members.push({ key, start, end: this.#reader.at, cut })
    })
    return { ranges: rangesOf(members, inside), all: members.length > 0 && members.every(({ cut }) => cut === true) }
  }
}

/** Each member that goes takes a comma with it: the one in front, or while none stays in front, the one behind. */
function rangesOf(members: readonly Member[], inside: number): ByteRange[] {
  const ranges: ByteRange[] = []
  let behindKept: number | undefined
  for (const [index, { start, end, cut }] of members.entries()) {
    if (cut === true) {
      const next = members[index + 1]
      if (behindKept !== undefined) ranges.push({ start: behindKept, end })
      else ranges.push({ start: index === 0 ? inside : start, end: next?.start ?? end })
      if (behindKept !== undefined) behindKept = end
      continue
    }
    if (cut !== false) for (const range of cut) ranges.push(range)
    behindKept = end
  }
  return ranges
}
