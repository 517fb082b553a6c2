/**
 * The messages in an upstream's answer, one after the other, whether it came as JSON or as an event stream. Each is kept as its
 * bytes beside what was read from it. Nothing is read ahead, so that whoever is slow to take them slows the upstream down.
 */
import { isUtf8 } from 'node:buffer'
import type { Readable } from 'node:stream'
import type { UpstreamAnswer } from '../net/exchange.ts'
import { type ByteRange, JsonReadError, JsonReader, OPEN_BRACKET } from './json-reader.ts'
import { ANSWER_LIMITS } from './list-filter.ts'
import { isJsonObject, type JsonObject, type RequestId } from './messages.ts'
import { readWhole } from './relay-body.ts'
import { createSseReader, type SseEvent, type SsePiece } from './sse.ts'

/** One message of an upstream. */
export type UpstreamMessage =
  | {
      readonly kind: 'response'
      /** `undefined` for an error whose request the upstream could not read. */
      readonly id: RequestId | undefined
      readonly bytes: Uint8Array
      readonly value: JsonObject
    }
  | {
      readonly kind: 'request'
      readonly id: RequestId
      readonly method: string
      readonly bytes: Uint8Array
      readonly value: JsonObject
    }
  | { readonly kind: 'notification'; readonly method: string; readonly bytes: Uint8Array; readonly value: JsonObject }

/** Thrown while messages are read. `detail` is for the operator. */
export class UpstreamReadError extends Error {
  readonly fault: 'too_large' | 'timeout' | 'broken' | 'nonsense'

  constructor(fault: UpstreamReadError['fault'], detail: string) {
    super(detail)
    this.name = 'UpstreamReadError'
    this.fault = fault
  }
}

/** What `make` makes of the bytes of a message: JSON for sure, but maybe nested deeper than what is read. @throws UpstreamReadError */
export function ofUpstream<Made>(make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof JsonReadError)) throw error
    throw new UpstreamReadError('nonsense', `a message that cannot be read: ${error.message}`)
  }
}

/** What reading has failed with, as a reason. */
export function faultReason({ fault }: UpstreamReadError): 'too_large' | 'timeout' | 'nonsense' | 'unreachable' {
  return fault === 'broken' ? 'unreachable' : fault
}

/** Bounds. */
export interface MessageLimits {
  /** Of a whole JSON answer, or of one event. */
  readonly maxAnswerBytes: number
  /** Of a JSON answer, from its headers on, in milliseconds; 0 for no limit. */
  readonly answerMs: number
}

/** What a stream says beside its messages: where it can be gone on with (2025-03-26 and later, Resumability). */
export interface StreamMark {
  lastEventId: string | undefined
  /** Milliseconds. */
  retryMs: number | undefined
}

/** The messages of a JSON answer. @throws UpstreamReadError */
export async function* jsonMessages(answer: UpstreamAnswer, limits: MessageLimits): AsyncGenerator<UpstreamMessage> {
  const whole = await readWhole(answer, limits)
  if (whole.kind === 'fault') throw new UpstreamReadError(whole.fault, `the answer could not be read: ${whole.fault}`)
  yield* messagesIn(whole.bytes)
}

/** The messages of an event stream. Ends where that does. @throws UpstreamReadError */
export async function* eventMessages(
  body: Uint8Array | Readable,
  { maxAnswerBytes }: MessageLimits,
  mark: StreamMark = { lastEventId: undefined, retryMs: undefined },
): AsyncGenerator<UpstreamMessage> {
  const reader = createSseReader(maxAnswerBytes)
  const read: EventId = { id: mark.lastEventId, afterCr: false }
  try {
    for await (const chunk of body instanceof Uint8Array ? [body] : (body as AsyncIterable<Uint8Array>)) {
      for (const piece of reader.push(chunk)) yield* messagesOfPiece(piece, mark, read)
    }
  } catch (error) {
    if (error instanceof UpstreamReadError) throw error
    throw new UpstreamReadError('broken', 'the stream broke off')
  }
}

/** The id that has been read last; it counts once its event is whole (HTML standard, Server-sent events). */
interface EventId {
  id: string | undefined
  /** Whether the bytes before ended with a CR, to which a LF belongs. */
  afterCr: boolean
}

function* messagesOfPiece(piece: SsePiece, mark: StreamMark, read: EventId): Generator<UpstreamMessage> {
  if (piece.kind === 'too_long') throw new UpstreamReadError('too_large', 'an event is longer than what is read')
  const bytes = piece.kind === 'event' ? piece.rest : piece.bytes
  readFields(bytes, mark, read)
  // Gone on from the id of an event that broke off, a stream would never bring that event.
  if (piece.kind === 'event' || isEmptyLine(bytes, read)) mark.lastEventId = read.id
  read.afterCr = bytes.at(-1) === CR
  if (piece.kind === 'event' && isForReaders(piece)) yield* messagesIn(piece.data)
}

const LF = 0x0a
const CR = 0x0d

/** Bytes without data come line by line; the LF of a line end that two chunks share comes alone. */
function isEmptyLine([first]: Uint8Array, { afterCr }: EventId): boolean {
  return first === CR || (first === LF && !afterCr)
}

/** Events without data carry an id only, and those of another type are for nobody who reads messages. */
function isForReaders({ data, type, complete }: SseEvent): boolean {
  return complete && type === 'message' && data.some((byte) => byte > 0x20)
}

const MAX_EVENT_ID = 1024

function readFields(bytes: Uint8Array, mark: StreamMark, read: EventId): void {
  if (bytes.length < 3) return
  for (const line of Buffer.from(bytes)
    .toString('utf8')
    .split(/\r\n|\r|\n/)) {
    const [, field, value = ''] = /^(id|retry)(?:: ?(.*))?$/.exec(line) ?? []
    // It goes back in a header field.
    if (field === 'id' && value.length <= MAX_EVENT_ID && /^[ -~]*$/.test(value)) read.id = value || undefined
    if (field === 'retry' && /^\d{1,9}$/.test(value)) mark.retryMs = Number(value)
  }
}

/** The messages that some bytes say: one, or a batch of them (2025-03-26). @throws UpstreamReadError */
export function messagesIn(bytes: Uint8Array): UpstreamMessage[] {
  if (!isUtf8(bytes)) throw new UpstreamReadError('nonsense', 'it is not UTF-8')
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
    const value: unknown = JSON.parse(text)
    if (!Array.isArray(value)) return [messageOf(value, bytes)]
    return elementsOf(bytes).map(({ start, end }, index) => messageOf(value[index], bytes.subarray(start, end)))
  } catch (error) {
    if (error instanceof UpstreamReadError) throw error
    if (error instanceof SyntaxError || error instanceof JsonReadError) {
      throw new UpstreamReadError('nonsense', 'it is not JSON')
    }
    throw error
  }
}

function elementsOf(bytes: Uint8Array): ByteRange[] {
  const reader = new JsonReader(bytes, ANSWER_LIMITS)
  const ranges: ByteRange[] = []
  if (reader.next() !== OPEN_BRACKET) return ranges
  reader.array(1, () => {
    const start = reader.at
    reader.skipValue(2)
    ranges.push({ start, end: reader.at })
  })
  return ranges
}

function messageOf(value: unknown, bytes: Uint8Array): UpstreamMessage {
  if (!isJsonObject(value)) throw new UpstreamReadError('nonsense', 'a message that is no object')
  const { id, method } = value
  const ownId = typeof id === 'string' || Number.isSafeInteger(id) ? (id as RequestId) : undefined
  if (typeof method === 'string') {
    if (ownId !== undefined) return { kind: 'request', id: ownId, method, bytes, value }
    return { kind: 'notification', method, bytes, value }
  }
  if (!isJsonObject(value.result) && !isJsonObject(value.error)) {
    throw new UpstreamReadError('nonsense', 'a message that is neither request, notification nor response')
  }
  return { kind: 'response', id: ownId, bytes, value }
}
