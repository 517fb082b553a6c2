/**
 * Server-sent events (HTML standard, Server-sent events), read from chunks that may
 * end anywhere. Only what belongs to `data` is held back until its event is whole:
 * a comment that keeps a connection open, or a field in front, goes on at once.
 */

/** A piece of a stream, in order: put together, the bytes of all pieces are the stream. */
export type SsePiece =
  /** Lines without data. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | SseEvent
  /** An event or a line is longer than the limit. Nothing comes after it. */
  | { readonly kind: 'too_long' }

/** An event that has data, from its first `data` line to its end. */
export interface SseEvent {
  readonly kind: 'event'
  /** As it came, the empty line that ends it included. */
  readonly raw: Uint8Array
  /** `message` unless an `event` field says something else. */
  readonly type: string
  /** The values of its `data` fields, with a line feed between them. */
  readonly data: Uint8Array
  /** False at the end of a stream that breaks off: a client that keeps to the standard drops such an event. */
  readonly complete: boolean
  /** What is in `raw` beside the data, and how its lines end. */
  readonly rest: Uint8Array
  readonly lineEnd: '\n' | '\r\n' | '\r'
}

/** Takes a stream apart. */
export interface SseReader {
  push(chunk: Uint8Array): SsePiece[]
  /** The stream has ended; what is left. */
  end(): SsePiece[]
}

/** Fields of an event to be sent. */
export interface SseFields {
  readonly data: string | Uint8Array
  readonly type?: string
  readonly id?: string
  /** Milliseconds. */
  readonly retry?: number
}

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const DATA = Buffer.from('data')
const EVENT = Buffer.from('event')
const NEW_LINE = Buffer.from('\n')
const BYTE_ORDER_MARK = Buffer.from('\ufeff')
const EMPTY = Buffer.alloc(0)

/** @param maxEventBytes - how much of one event, or of one line, is held at most */
export function createSseReader(maxEventBytes: number): SseReader {
  return new Reader(maxEventBytes)
}

/**
 * An event as bytes.
 *
 * @throws TypeError for a line end in `type` or `id`, or a NUL in `id`
 */
export function writeSseEvent({ data, type, id, retry }: SseFields): Uint8Array {
  if (type !== undefined && /[\r\n]/.test(type)) throw new TypeError('the type of an event must be one line')
  if (id !== undefined && /[\r\n\0]/.test(id)) throw new TypeError('the id of an event must be one line without NUL')
  const fields = [
    ...(type === undefined ? [] : [`event: ${type}\n`]),
    ...(id === undefined ? [] : [`id: ${id}\n`]),
    ...(retry === undefined ? [] : [`retry: ${retry}\n`]),
  ]
  return Buffer.concat([Buffer.from(fields.join('')), dataLines(Buffer.from(data), '\n'), NEW_LINE])
}

/** An event with other data and all else as it was. */
export function replaceData({ rest, lineEnd }: SseEvent, data: Uint8Array): Uint8Array {
  // A CR would make one line end of itself and a LF behind it, and the event would not end.
  const end = lineEnd === '\r' && rest[0] === LF ? '\n' : lineEnd
  return Buffer.concat([dataLines(data, end), rest])
}

/** Bytes that are put together piece by piece: upstreams may send single ones, so pieces are not kept as such. */
class Bytes {
  length = 0
  #buffer = EMPTY

  append(part: Uint8Array): void {
    const length = this.length + part.length
    if (length > this.#buffer.length) {
      // Two more, for the line end that mostly comes next.
      const larger = Buffer.allocUnsafe(Math.max(length + 2, 2 * this.#buffer.length))
      larger.set(this.#buffer.subarray(0, this.length))
      this.#buffer = larger
    }
    this.#buffer.set(part, this.length)
    this.length = length
  }

  get last(): number | undefined {
    return this.length === 0 ? undefined : this.#buffer[this.length - 1]
  }

  /** All of them; there are none after that. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.length)
    this.#buffer = EMPTY
    this.length = 0
    return taken
  }
}

class Reader implements SseReader {
  readonly #maxEventBytes: number
  #dead = false
  /** Whether no line has come yet, and perhaps a byte order mark. */
  #first = true
  /** A line that has not ended. */
  readonly #line = new Bytes()
  /** Whether the last byte was a CR, to which a LF belongs. */
  #afterCr = false
  /** Whether the line before this one was data. */
  #dataWasLast = false
  /** Of the event that is being read. */
  #type = 'message'
  #hasData = false
  #lineEnd: SseEvent['lineEnd'] = '\n'
  readonly #raw = new Bytes()
  readonly #data = new Bytes()
  readonly #rest = new Bytes()

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes
  }

  push(chunk: Uint8Array): SsePiece[] {
    const pieces: SsePiece[] = []
    if (this.#dead || chunk.length === 0) return pieces
    let at = 0
    if (this.#afterCr) {
      this.#afterCr = false
      if (chunk[0] === LF) {
        at = 1
        this.#endOfCrLf(chunk.subarray(0, 1), pieces)
      }
    }
    let cr = chunk.indexOf(CR, at)
    while (at < chunk.length && !this.#dead) {
      if (cr !== -1 && cr < at) cr = chunk.indexOf(CR, at)
      const lf = (cr === -1 ? chunk : chunk.subarray(0, cr)).indexOf(LF, at)
      const end = lf === -1 ? cr : lf
      if (end === -1) break
      const behind = end === cr && chunk[end + 1] === LF ? end + 2 : end + 1
      this.#afterCr = end === cr && behind === end + 1 && behind === chunk.length
      this.#line.append(chunk.subarray(at, end))
      this.#endLine(chunk.subarray(end, behind), pieces)
      at = behind
    }
    if (this.#dead) return pieces
    this.#line.append(chunk.subarray(at))
    this.#checkLength(this.#line.length, pieces)
    return pieces
  }

  end(): SsePiece[] {
    const pieces: SsePiece[] = []
    if (this.#dead) return pieces
    if (this.#line.length > 0) this.#endLine(EMPTY, pieces)
    if (this.#hasData && !this.#dead) pieces.push(this.#event(false))
    this.#dead = true
    return pieces
  }

  /** The line is whole; `mark` is what ends it. */
  #endLine(mark: Uint8Array, pieces: SsePiece[]): void {
    this.#checkLength(this.#line.length, pieces)
    if (this.#dead) return
    const length = this.#line.length
    this.#line.append(mark)
    const whole = this.#line.take()
    const line = whole.subarray(0, length)
    const content = this.#first && startsWith(line, BYTE_ORDER_MARK) ? line.subarray(3) : line
    this.#first = false

    if (content.length === 0 && mark.length > 0) {
      this.#other(whole, pieces)
      if (this.#hasData) pieces.push(this.#event(true))
      this.#type = 'message'
      return
    }
    const data = fieldValue(content, DATA)
    if (data === undefined) {
      const type = fieldValue(content, EVENT)
      if (type !== undefined) this.#type = type.length === 0 ? 'message' : Buffer.from(type).toString('utf8')
      this.#other(whole, pieces)
      return
    }
    if (this.#hasData) this.#data.append(NEW_LINE)
    else this.#lineEnd = mark.length === 2 ? '\r\n' : mark[0] === CR ? '\r' : '\n'
    this.#hasData = true
    this.#dataWasLast = true
    this.#data.append(data)
    this.#raw.append(whole)
  }

  /** Bytes that are no data: they go on, unless data came before them in this event. */
  #other(bytes: Uint8Array, pieces: SsePiece[]): void {
    const betweenIsData = this.#dataWasLast
    this.#dataWasLast = false
    if (this.#hasData) {
      // Two line ends that become one where the data between them is taken out.
      if (betweenIsData && this.#rest.last === CR && bytes[0] === LF) this.#rest.append(NEW_LINE)
      this.#rest.append(bytes)
      this.#raw.append(bytes)
    } else pieces.push({ kind: 'bytes', bytes })
  }

  /** The LF of a line end that two chunks share: a part of what it ends. */
  #endOfCrLf(bytes: Uint8Array, pieces: SsePiece[]): void {
    if (this.#dataWasLast && this.#hasData) this.#raw.append(bytes)
    else this.#other(bytes, pieces)
  }

  #event(complete: boolean): SseEvent {
    this.#hasData = false
    return {
      kind: 'event',
      raw: this.#raw.take(),
      type: this.#type,
      data: this.#data.take(),
      complete,
      rest: this.#rest.take(),
      lineEnd: this.#lineEnd,
    }
  }

  #checkLength(more: number, pieces: SsePiece[]): void {
    if (this.#raw.length + more <= this.#maxEventBytes) return
    this.#dead = true
    for (const held of [this.#line, this.#raw, this.#data, this.#rest]) held.take()
    pieces.push({ kind: 'too_long' })
  }
}

/** The value of a line, if it is of the field: one space behind the colon is not part of it. */
function fieldValue(line: Uint8Array, field: Uint8Array): Uint8Array | undefined {
  if (!startsWith(line, field)) return undefined
  if (line.length === field.length) return EMPTY
  if (line[field.length] !== COLON) return undefined
  return line.subarray(field.length + (line[field.length + 1] === SPACE ? 2 : 1))
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, index) => bytes[index] === byte)
}

function dataLines(data: Uint8Array, lineEnd: string): Uint8Array {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8')
  return Buffer.from(
    text
      .split(/\r\n|\r|\n/)
      .map((line) => `data: ${line}${lineEnd}`)
      .join(''),
  )
}
