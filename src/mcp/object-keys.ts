/**
 * The keys of one object, as a reader comes by them: no two may be equal or look
 * alike. They are compared as bytes while they are few and plain, which spares
 * making texts of them; the first that is not changes over to folded texts.
 */
import { foldKey, isPlainKey } from '../match/fold-key.ts'
import type { JsonReader } from './json-reader.ts'

/** An object whose keys are looked at. */
export interface ObjectKind {
  /** Said in refusals: `params`. */
  readonly name: string
  /** Keys with a meaning, by their length in bytes, and by their folded form. */
  readonly knownByLength: readonly (readonly KnownKey[] | undefined)[]
  readonly knownByFold: ReadonlyMap<string, string>
}

interface KnownKey {
  readonly text: string
  readonly bytes: Uint8Array
}

/** Thrown by {@link ObjectKeys}, and caught in this room. */
export class KeyRefusal extends Error {
  readonly reason: 'duplicate_key' | 'lookalike_key' | 'long_keys'

  constructor(reason: KeyRefusal['reason'], message: string) {
    super(message)
    this.name = 'KeyRefusal'
    this.reason = reason
  }
}

/**
 * Describes an object.
 *
 * @param known - keys with a meaning, in visible ASCII; another that looks like one of them is refused, also alone
 */
export function objectKind(name: string, known: readonly string[]): ObjectKind {
  const knownByLength: KnownKey[][] = []
  for (const text of known) {
    const ofLength = knownByLength[text.length] ?? []
    ofLength.push({ text, bytes: Buffer.from(text) })
    knownByLength[text.length] = ofLength
  }
  return { name, knownByLength, knownByFold: new Map(known.map((key) => [foldKey(key), key])) }
}

/** What may still be spent on folding the keys of a body; shared by all of its objects. */
export interface FoldingLeft {
  units: number
}

/**
 * The most that is spent on the keys of one body, each at the square of its length: that is what putting combining characters
 * in order takes (Unicode §3.11), so that one key of 200 kB would hold up everybody for five seconds. Ten thousand keys of forty
 * characters, or one of four thousand.
 */
export const MAX_FOLDING = 2 ** 24

const MAX_PLAIN_KEYS = 16
const [QUOTE, BACKSLASH] = [0x22, 0x5c]

/** Visible ASCII in lower case. 0 for all other bytes, and for what a string in JSON cannot have as it is. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte <= 0x20 || byte >= 0x7f || byte === QUOTE || byte === BACKSLASH) return 0
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
})

/** See the top of the file. */
export class ObjectKeys {
  readonly #reader: JsonReader
  readonly #kind: ObjectKind
  /** Whether keys that look alike are told apart. */
  readonly #exact: boolean
  readonly #folding: FoldingLeft
  /** Where the keys so far begin and end, in turn, as long as all are plain. */
  readonly #plain: number[] = []
  /** What comes after. */
  #folded: Map<string, string> | undefined

  constructor(reader: JsonReader, kind: ObjectKind, exact: boolean, folding: FoldingLeft) {
    this.#reader = reader
    this.#kind = kind
    this.#exact = exact
    this.#folding = folding
  }

  /**
   * Takes the key in a range, quotes included. Which key with a meaning it is, if any.
   *
   * @throws KeyRefusal
   */
  add(start: number, end: number): string | undefined {
    if (this.#folded === undefined) {
      if (this.#plain.length < 2 * MAX_PLAIN_KEYS && isPlain(this.#reader.bytes, start + 1, end - 1)) {
        return this.#addPlain(start + 1, end - 1)
      }
      this.#folded = new Map()
      for (let index = 0; index < this.#plain.length; index += 2) {
        const from = this.#plain[index] as number
        const key = this.#reader.textOf(from - 1, (this.#plain[index + 1] as number) + 1)
        this.#folded.set(this.#formOf(key), key)
      }
    }
    return this.#addFolded(this.#reader.textOf(start, end), this.#folded)
  }

  #addPlain(start: number, end: number): string | undefined {
    const { bytes } = this.#reader
    const plain = this.#plain
    const length = end - start
    for (let index = 0; index < plain.length; index += 2) {
      const from = plain[index] as number
      if ((plain[index + 1] as number) - from !== length) continue
      if (isSame(bytes, start, bytes, from, length)) this.#refuse(start, end, undefined)
      if (!this.#exact && looksSame(bytes, start, bytes, from, length)) {
        this.#refuse(start, end, this.#reader.textOf(from - 1, from + length + 1))
      }
    }
    plain.push(start, end)
    for (const known of this.#kind.knownByLength[length] ?? []) {
      if (!looksSame(bytes, start, known.bytes, 0, length)) continue
      if (isSame(bytes, start, known.bytes, 0, length)) return known.text
      this.#refuse(start, end, known.text)
    }
    return undefined
  }

  #addFolded(key: string, folded: Map<string, string>): string | undefined {
    const form = this.#formOf(key)
    const before = folded.get(form)
    if (before !== undefined) refuse(this.#kind, key, before)
    const known = this.#kind.knownByFold.get(form)
    if (known !== undefined && known !== key) refuse(this.#kind, key, known)
    folded.set(form, key)
    return known
  }

  #formOf(key: string): string {
    if (this.#exact) return key
    if (!isPlainKey(key)) this.#folding.units -= key.length ** 2
    if (this.#folding.units >= 0) return foldKey(key)
    throw new KeyRefusal('long_keys', `${this.#kind.name} has keys beyond ASCII that are too long to be compared`)
  }

  #refuse(start: number, end: number, other: string | undefined): never {
    const key = this.#reader.textOf(start - 1, end + 1)
    refuse(this.#kind, key, other ?? key)
  }
}

function refuse({ name }: ObjectKind, key: string, other: string): never {
  if (key === other) throw new KeyRefusal('duplicate_key', `${name} has the key ${quoted(key)} twice`)
  throw new KeyRefusal('lookalike_key', `${name} has the key ${quoted(key)}, which looks like ${quoted(other)}`)
}

const MAX_QUOTED = 60

/** A key as JSON in ASCII, so that what does not show can be seen, and not at any length. */
function quoted(key: string): string {
  const text = JSON.stringify(key.length > MAX_QUOTED ? `${key.slice(0, MAX_QUOTED)}...` : key)
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (LOWER[bytes[at] as number] === 0) return false
  return true
}

function isSame(left: Uint8Array, leftStart: number, right: Uint8Array, rightStart: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (left[leftStart + index] !== right[rightStart + index]) return false
  }
  return true
}

function looksSame(
  left: Uint8Array,
  leftStart: number,
  right: Uint8Array,
  rightStart: number,
  length: number,
): boolean {
  for (let index = 0; index < length; index++) {
    if (LOWER[left[leftStart + index] as number] !== LOWER[right[rightStart + index] as number]) return false
  }
  return true
}
