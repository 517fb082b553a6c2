/**
 * Reads JSON (RFC 8259) as bytes: where its values begin and end, without making
 * them. As strict as `JSON.parse`, so that both agree on where a string ends; on
 * that rests what is decided about a message before anybody parses it.
 */

/** How much of JSON is read. */
export interface JsonLimits {
  /** Objects and arrays inside one another; the outermost is 1. */
  readonly maxDepth: number
  /** Bytes of one number. */
  readonly maxNumberBytes: number
  /**
   * Members of all objects together; any number by default. Objects are the dearest part of JSON to whoever makes them of it: a
   * microsecond for each key that has not been there before.
   */
  readonly maxKeys?: number
  /** Values of all kinds together; any number by default. */
  readonly maxValues?: number
}

/** A piece of the bytes; `end` is behind its last byte. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** What is wrong with the bytes. */
export type JsonFault = 'not_json' | 'too_deep' | 'long_number' | 'too_many_keys' | 'too_many_values'

/** Thrown by {@link JsonReader}, and caught in this room. */
export class JsonReadError extends Error {
  readonly fault: JsonFault

  constructor(fault: JsonFault, message: string) {
    super(message)
    this.name = 'JsonReadError'
    this.fault = fault
  }
}

/** Begins an object. */
export const OPEN_BRACE = 0x7b
/** Begins an array. */
export const OPEN_BRACKET = 0x5b
/** Begins a string. */
export const QUOTE = 0x22
const BACKSLASH = 0x5c
const CLOSE_BRACE = 0x7d
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const COMMA = 0x2c
const MINUS = 0x2d
const SPACE = 0x20
const LETTER_E = 0x65

/** A table of the bytes that `matches` holds for. */
function bytesThat(matches: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (matches(byte) ? 1 : 0))
}
/** Bytes that stand for themselves in a string: all but the quote, the backslash and controls (RFC 8259 §7). */
const PLAIN = bytesThat((byte) => byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH)
/** What may stand behind a backslash, save `u`. */
const ESCAPED = bytesThat((byte) => '"\\/bfnrt'.includes(String.fromCharCode(byte)))
const HEX = bytesThat((byte) => /[0-9a-f]/i.test(String.fromCharCode(byte)))
const DIGIT = bytesThat((byte) => byte >= 0x30 && byte <= 0x39)

/** The same bytes with the methods of a `Buffer`, which those of a request have already. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A position in the bytes that moves past one thing after the other. Methods throw {@link JsonReadError}. */
export class JsonReader {
  /** Where it stands. */
  at = 0
  /** Where {@link enter} or {@link nextMember} has found the key of the member, quotes included; until it goes on from the value. */
  keyStart = 0
  keyEnd = 0
  readonly bytes: Buffer
  readonly #limits: JsonLimits
  readonly #maxKeys: number
  readonly #maxValues: number
  #keys = 0
  #values = 0
  /** For what is open, by depth: 1 where it is an object. */
  readonly #open: number[] = []

  constructor(bytes: Uint8Array, limits: JsonLimits) {
    this.bytes = asBuffer(bytes)
    this.#limits = limits
    this.#maxKeys = limits.maxKeys ?? Number.POSITIVE_INFINITY
    this.#maxValues = limits.maxValues ?? Number.POSITIVE_INFINITY
  }

  /** Goes past white space. The byte that stands there; `undefined` at the end. */
  next(): number | undefined {
    this.at = skipSpace(this.bytes, this.at)
    return this.bytes[this.at]
  }

  /** Goes past the value that comes next, `depth` being its own if it is an object or an array. */
  skipValue(depth: number): void {
    const { bytes } = this
    const open = this.#open
    const outside = depth - 1
    let inside = outside
    let at = this.at
    for (;;) {
      at = skipSpace(bytes, at)
      const byte = bytes[at] as number
      this.#countValue()
      if (byte === QUOTE) at = endOfString(bytes, at)
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        inside++
        this.#checkDepth(inside)
        open[inside] = byte === OPEN_BRACE ? 1 : 0
        at = skipSpace(bytes, at + 1)
        const isEmpty = bytes[at] === (byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)
        if (!isEmpty) {
          if (byte === OPEN_BRACE) at = this.#endOfKey(at)
          continue
        }
        inside--
        at++
      } else if (byte === MINUS || DIGIT[byte] === 1) at = this.#endOfNumber(at)
      else at = endOfWord(bytes, at)

      // Behind a value: out of everything that ends here, and on to the next value.
      for (;;) {
        if (inside === outside) {
          this.at = at
          return
        }
        at = skipSpace(bytes, at)
        const behind = bytes[at]
        if (behind === COMMA) {
          at = open[inside] === 1 ? this.#endOfKey(skipSpace(bytes, at + 1)) : at + 1
          break
        }
        if (behind !== (open[inside] === 1 ? CLOSE_BRACE : CLOSE_BRACKET)) fail('expected a comma or an end', at)
        inside--
        at++
      }
    }
  }

  /**
   * Goes into the object that it stands at, to the value of its first member; `false` where it has none, and it is past it then.
   *
   * ```ts
   * for (let more = reader.enter(depth); more; more = reader.nextMember()) reader.skipValue(depth + 1)
   * ```
   */
  enter(depth: number): boolean {
    this.#checkDepth(depth)
    this.#countValue()
    this.at++
    if (this.next() !== CLOSE_BRACE) return this.#member()
    this.at++
    return false
  }

  /** From behind the value of one member to that of the next; `false` where it was the last, and it is past the object then. */
  nextMember(): boolean {
    const byte = this.next()
    this.at++
    if (byte === COMMA) return this.#member()
    if (byte !== CLOSE_BRACE) fail('expected a comma or the end of the object', this.at - 1)
    return false
  }

  /**
   * Goes past the object that it stands at. `visit` is called at each value with the range of its key, quotes included,
   * and must go past the value.
   */
  object(depth: number, visit: (keyStart: number, keyEnd: number) => void): void {
    for (let more = this.enter(depth); more; more = this.nextMember()) visit(this.keyStart, this.keyEnd)
  }

  /** Goes past the array that it stands at. `visit` is called at each element and must go past it. */
  array(depth: number, visit: () => void): void {
    this.#checkDepth(depth)
    this.#countValue()
    this.at++
    if (this.next() === CLOSE_BRACKET) {
      this.at++
      return
    }
    for (;;) {
      this.next()
      visit()
      const byte = this.next()
      this.at++
      if (byte === CLOSE_BRACKET) return
      if (byte !== COMMA) fail('expected a comma or the end of the array', this.at - 1)
    }
  }

  /** What the string in a range says. Half surrogate pairs stay what they are, as with `JSON.parse`. */
  textOf(start: number, end: number): string {
    const text = this.bytes.toString('utf8', start, end)
    return text.includes('\\') ? JSON.parse(text) : text.slice(1, -1)
  }

  /** There must be nothing but white space any more. */
  end(): void {
    if (this.next() !== undefined) fail('something behind the end', this.at)
  }

  #checkDepth(depth: number): void {
    const { maxDepth } = this.#limits
    if (depth > maxDepth) throw new JsonReadError('too_deep', `more than ${maxDepth} levels of objects and arrays`)
  }

  #countKey(): void {
    if (++this.#keys > this.#maxKeys) {
      throw new JsonReadError('too_many_keys', `has more than ${this.#maxKeys} keys in its objects`)
    }
  }

  #countValue(): void {
    if (++this.#values > this.#maxValues) {
      throw new JsonReadError('too_many_values', `has more than ${this.#maxValues} values`)
    }
  }

  /** Goes past the key that comes next, and to its value. */
  #member(): true {
    const { bytes } = this
    this.keyStart = skipSpace(bytes, this.at)
    this.at = skipSpace(bytes, this.#endOfKey(this.keyStart))
    return true
  }

  /** Where the value of the member begins whose key is at `at`, or the space before it. */
  #endOfKey(at: number): number {
    const { bytes } = this
    if (bytes[at] !== QUOTE) fail('expected a key', at)
    const end = endOfString(bytes, at)
    const colon = skipSpace(bytes, end)
    if (bytes[colon] !== COLON) fail('expected a colon', colon)
    this.#countKey()
    this.keyEnd = end
    return colon + 1
  }

  #endOfNumber(start: number): number {
    const end = endOfNumber(this.bytes, start)
    const { maxNumberBytes } = this.#limits
    if (end - start <= maxNumberBytes) return end
    throw new JsonReadError('long_number', `a number of more than ${maxNumberBytes} characters at byte ${start}`)
  }
}

function fail(message: string, at: number): never {
  throw new JsonReadError('not_json', `${message} at byte ${at}`)
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    const byte = bytes[at] as number
    // At the end it is undefined, which is none of them.
    if (byte > SPACE || (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return at
    at++
  }
}

function endOfString(bytes: Uint8Array, start: number): number {
  const { length } = bytes
  const inFours = length - 3
  let at = start + 1
  for (;;) {
    // Four at a time: twice as fast as one by one.
    while (
      at < inFours &&
      ((PLAIN[bytes[at] as number] as number) &
        (PLAIN[bytes[at + 1] as number] as number) &
        (PLAIN[bytes[at + 2] as number] as number) &
        (PLAIN[bytes[at + 3] as number] as number)) ===
        1
    ) {
      at += 4
    }
    while (at < length && PLAIN[bytes[at] as number] === 1) at++
    const byte = at < length ? bytes[at] : undefined
    if (byte === QUOTE) return at + 1
    if (byte !== BACKSLASH) fail(byte === undefined ? 'a string without an end' : 'a control character in a string', at)
    at = endOfEscape(bytes, at)
  }
}

function endOfEscape(bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1] ?? 0
  if (ESCAPED[letter] === 1) return at + 2
  const isUnicode =
    letter === 0x75 &&
    HEX[bytes[at + 2] ?? 0] === 1 &&
    HEX[bytes[at + 3] ?? 0] === 1 &&
    HEX[bytes[at + 4] ?? 0] === 1 &&
    HEX[bytes[at + 5] ?? 0] === 1
  if (!isUnicode) fail('an escape that JSON does not have', at)
  return at + 6
}

/** RFC 8259 §6. */
function endOfNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start
  if (bytes[at] === 0x30) at++
  else at = endOfDigits(bytes, at)
  if (bytes[at] === 0x2e) at = endOfDigits(bytes, at + 1)
  const exponent = bytes[at]
  if (exponent !== LETTER_E && exponent !== 0x45) return at
  const sign = bytes[at + 1]
  return endOfDigits(bytes, sign === 0x2b || sign === MINUS ? at + 2 : at + 1)
}

function endOfDigits(bytes: Uint8Array, start: number): number {
  const { length } = bytes
  let at = start
  while (at < length && DIGIT[bytes[at] as number] === 1) at++
  if (at === start) fail('expected a digit', at)
  return at
}

function endOfWord(bytes: Uint8Array, at: number): number {
  const isNull = bytes[at] === 0x6e && bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c
  const isTrue = bytes[at] === 0x74 && bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === LETTER_E
  if (isNull || isTrue) return at + 4
  const isFalse = bytes[at] === 0x66 && bytes[at + 1] === 0x61 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x73
  return isFalse && bytes[at + 4] === LETTER_E ? at + 5 : fail('expected a value', at)
}
