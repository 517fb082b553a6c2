/**
 * The first look at a message, before policy reads it: is it JSON to every parser,
 * and does it have one reading? `{"name":"ok","Name":"evil"}` passes a check of
 * `name` and calls `evil` on a server that matches keys without regard to case
 * (CVE-2026-27896). The bytes go on as they are, so what is not certain is refused.
 */
import { isUtf8 } from 'node:buffer'
import {
  type ByteRange,
  type JsonFault,
  type JsonLimits,
  JsonReadError,
  JsonReader,
  OPEN_BRACE,
  OPEN_BRACKET,
} from './json-reader.ts'
import { type FoldingLeft, KeyRefusal, MAX_FOLDING, ObjectKeys, type ObjectKind, objectKind } from './object-keys.ts'

/** What a message may be like. */
export interface ScanLimits extends JsonLimits {
  /** Messages in one batch. */
  readonly maxMessages: number
  /**
   * Whether keys of `params.arguments` that differ only in case and the like are two keys, for tools whose parameters do.
   * Grants on argument values are not safe then: some servers read `Dataset` where we read `dataset`.
   */
  readonly exactArguments: boolean
  /**
   * Whether keys that are equal are refused at any depth of `params.arguments`, for grants on values inside of objects
   * (`filter.dataset`): the first of two counts for some readers, the last for others. They are not by default.
   */
  readonly deepArguments?: boolean
}

/** What there is rarely a reason to change. As many keys and values as are read, compared and parsed in some 30 milliseconds. */
export const DEFAULT_SCAN_LIMITS: ScanLimits = {
  maxDepth: 64,
  maxNumberBytes: 256,
  maxKeys: 20_000,
  maxValues: 200_000,
  maxMessages: 100,
  exactArguments: false,
}

/** Why a message is refused. */
export type ScanReason =
  | JsonFault
  /** Bytes that are no UTF-8 (RFC 8259 §8.1). */
  | 'not_utf8'
  /** A byte order mark, which some parsers skip and some refuse. */
  | 'byte_order_mark'
  /** A key twice in one object: the first counts for some, the last for others. */
  | 'duplicate_key'
  /** A key that is one with another, or with one that has a meaning, to some readers. */
  | 'lookalike_key'
  /** Keys beyond ASCII that take too long to be compared (see `MAX_FOLDING`). */
  | 'long_keys'
  /** A batch of more than `maxMessages`. */
  | 'too_many_messages'

/** What the scan found. */
export type ScanResult =
  | {
      readonly kind: 'ok'
      readonly batch: boolean
      /** Where each message is; one, unless it is a batch. Nothing says yet that it is an object. */
      readonly messages: readonly ByteRange[]
    }
  /** `detail` is for whoever sent it. */
  | { readonly kind: 'refused'; readonly reason: ScanReason; readonly detail: string }

const ENVELOPE = objectKind('the message', ['jsonrpc', 'id', 'method', 'params', 'result', 'error'])
/** Those that decisions hang on, and those that begin or end something. */
const PARAMS = objectKind('params', [
  ...['_meta', 'name', 'arguments', 'uri', 'ref', 'argument', 'context', 'notifications', 'cursor', 'level'],
  ...['protocolVersion', 'capabilities', 'clientInfo', 'requestId', 'requestState', 'inputResponses', 'task', 'taskId'],
])
/** Objects in `params` that decisions hang on. */
const INNER = new Map([
  [
    '_meta',
    objectKind('params._meta', [
      ...['io.modelcontextprotocol/protocolVersion', 'io.modelcontextprotocol/clientCapabilities'],
      ...['io.modelcontextprotocol/clientInfo', 'io.modelcontextprotocol/logLevel', 'progressToken'],
    ]),
  ],
  ['arguments', objectKind('params.arguments', [])],
  ['ref', objectKind('params.ref', ['type', 'name', 'uri'])],
  ['notifications', objectKind('params.notifications', ['resourceSubscriptions'])],
])
/** The others: nothing in them is looked at, so that two keys that look alike do no harm. */
const OTHER = objectKind('an object in params', [])

/**
 * Reads one message or a batch of them, and refuses what has more than one reading: keys that are equal or look alike
 * in the envelope, in `params`, and in `_meta`, `arguments`, `ref` and `notifications` there; keys that are equal in
 * any other object in `params`, and where `deepArguments` says so in all that is inside of `arguments`. What it accepts,
 * `JSON.parse` accepts too.
 *
 * ```ts
 * scanMessage(Buffer.from('{"jsonrpc":"2.0","method":"ping","Method":"tools/call"}'))
 * // { kind: 'refused', reason: 'lookalike_key', detail: 'the message has the key "Method", which looks like "method"' }
 * ```
 */
export function scanMessage(bytes: Uint8Array, limits: ScanLimits = DEFAULT_SCAN_LIMITS): ScanResult {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return { kind: 'refused', reason: 'byte_order_mark', detail: 'begins with a byte order mark' }
  }
  if (!isUtf8(bytes)) return { kind: 'refused', reason: 'not_utf8', detail: 'is not UTF-8' }
  try {
    return new Scan(bytes, limits).run()
  } catch (error) {
    if (error instanceof TooManyMessages) return { kind: 'refused', reason: 'too_many_messages', detail: error.message }
    if (error instanceof KeyRefusal) return { kind: 'refused', reason: error.reason, detail: error.message }
    if (error instanceof JsonReadError) return { kind: 'refused', reason: error.fault, detail: error.message }
    throw error
  }
}

class TooManyMessages extends Error {}

class Scan {
  readonly #reader: JsonReader
  readonly #limits: ScanLimits
  readonly #messages: ByteRange[] = []
  readonly #folding: FoldingLeft = { units: MAX_FOLDING }

  constructor(bytes: Uint8Array, limits: ScanLimits) {
    this.#reader = new JsonReader(bytes, limits)
    this.#limits = limits
  }

  run(): ScanResult {
    const batch = this.#reader.next() === OPEN_BRACKET
    if (batch) this.#reader.array(1, () => this.#message(2))
    else this.#message(1)
    this.#reader.end()
    return { kind: 'ok', batch, messages: this.#messages }
  }

  #message(depth: number): void {
    const reader = this.#reader
    const { maxMessages } = this.#limits
    if (this.#messages.length === maxMessages) throw new TooManyMessages(`a batch of more than ${maxMessages} messages`)
    const start = reader.at
    if (reader.next() !== OPEN_BRACE) reader.skipValue(depth)
    else {
      const keys = this.#keysOf(ENVELOPE, false)
      for (let more = reader.enter(depth); more; more = reader.nextMember()) {
        const key = keys.add(reader.keyStart, reader.keyEnd)
        if (key === 'params' && reader.next() === OPEN_BRACE) this.#params(depth + 1)
        else reader.skipValue(depth + 1)
      }
    }
    this.#messages.push({ start, end: reader.at })
  }

  #params(depth: number): void {
    const reader = this.#reader
    const keys = this.#keysOf(PARAMS, false)
    for (let more = reader.enter(depth); more; more = reader.nextMember()) {
      const key = keys.add(reader.keyStart, reader.keyEnd)
      const deep = this.#limits.deepArguments === true && key === 'arguments'
      if (reader.next() === OPEN_BRACE) this.#inner(depth + 1, key, deep)
      else this.#value(depth + 1, deep)
    }
  }

  /** An object in `params`. */
  #inner(depth: number, name: string | undefined, deep: boolean): void {
    const reader = this.#reader
    const kind = name === undefined ? undefined : INNER.get(name)
    const exact = kind === undefined || (name === 'arguments' && this.#limits.exactArguments)
    const keys = this.#keysOf(kind ?? OTHER, exact)
    for (let more = reader.enter(depth); more; more = reader.nextMember()) {
      keys.add(reader.keyStart, reader.keyEnd)
      this.#value(depth + 1, deep)
    }
  }

  /** Goes past a value; a `deep` one has no object with two equal keys in it. As deep as `maxDepth`, so that it can call itself. */
  #value(depth: number, deep: boolean): void {
    const reader = this.#reader
    const first = deep ? reader.next() : undefined
    if (first === OPEN_BRACE) this.#inner(depth, undefined, true)
    else if (first === OPEN_BRACKET) reader.array(depth, () => this.#value(depth + 1, true))
    else reader.skipValue(depth)
  }

  #keysOf(kind: ObjectKind, exact: boolean): ObjectKeys {
    return new ObjectKeys(this.#reader, kind, exact, this.#folding)
  }
}
