/**
 * The body of a POST, as bytes: they go on to the upstream as they came. A body parser of the host application may have run first;
 * then the bytes are those that it kept, or have to be written anew.
 */
import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { GateRequest } from '../http/gate.ts'

/** What became of reading a body. */
export type ReadBody =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'refused'
      readonly status: 400 | 413 | 415
      readonly reason: BodyProblem
      readonly message: string
    }
  /** Somebody else has read it and kept nothing: the host application is put together wrongly. */
  | { readonly kind: 'consumed'; readonly detail: string }
  /** The client has gone. */
  | { readonly kind: 'aborted' }

/** A short stable word for what is wrong. */
export type BodyProblem = 'content_type' | 'content_encoding' | 'no_body' | 'too_large'

const JSON_TYPE = /^application\/json[ \t]*(?:;|$)/i
const EMPTY = new Uint8Array(0)

/** Reads the body of `request`, no more than `maxBytes`. */
export function readRequestBody(request: GateRequest, maxBytes: number): ReadBody | Promise<ReadBody> {
  const { headers, body } = request
  // 2025-03-26 and later, Sending Messages. A page of another origin cannot send it without asking first (CORS).
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) {
    return refused(415, 'content_type', 'Content-Type must be application/json')
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity' && body.kind === 'stream') {
    return refused(415, 'content_encoding', 'a compressed body is not taken')
  }
  if (body.kind === 'none') return refused(400, 'no_body', 'there is no message')
  if (body.kind === 'parsed') {
    const bytes = body.raw ?? bytesOf(body.value)
    if (bytes === undefined) return { kind: 'consumed', detail: 'a body parser left something that is no JSON' }
    return bytes.byteLength > maxBytes ? tooLarge(maxBytes) : { kind: 'bytes', bytes }
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) return tooLarge(maxBytes)
  const { stream } = body
  const { destroyed, readableEnded, readableLength, errored } = stream
  // A client that goes away has its request destroyed with an error, whatever of it was still to be read.
  if (destroyed && !readableEnded && (errored || readableLength > 0)) return { kind: 'aborted' }
  // HTTP/2 lets a request that was reset end as if it had been read.
  if ((destroyed || readableEnded) && (request.gone ?? request.signal).aborted) return { kind: 'aborted' }
  if (destroyed || readableEnded) {
    return { kind: 'consumed', detail: 'something that ran first has read the body, and left neither body nor rawBody' }
  }
  return readAtOnce(stream, maxBytes) ?? readStream(stream, maxBytes)
}

/** A body that has come with its head, as nearly all do; `undefined` for all others. To read one by its events takes several times as long. */
function readAtOnce(stream: Readable, maxBytes: number): ReadBody | undefined {
  // Only there does `complete` say that all of it is here.
  if (!(stream instanceof IncomingMessage && stream.complete)) return undefined
  const { readableFlowing, readableEncoding, readableLength } = stream
  // Whoever listens already, or has set an encoding, reads it in another way.
  const isUntouched = readableFlowing === null && readableEncoding === null
  if (!isUntouched || readableLength === 0 || readableLength > maxBytes) return undefined
  const bytes: unknown = stream.read()
  return bytes instanceof Uint8Array ? { kind: 'bytes', bytes } : undefined
}

/** Of a body that has been parsed, in the form that a parser leaves it in. Numbers beyond 2^53 are lost by then. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string') return Buffer.from(value)
  const text: unknown = JSON.stringify(value)
  return typeof text === 'string' ? Buffer.from(text) : undefined
}

function readStream(stream: Readable, maxBytes: number): Promise<ReadBody> {
  return new Promise((resolve) => {
    let first: Uint8Array | undefined
    let more: Uint8Array[] | undefined
    let length = 0
    const onData = (read: Uint8Array | string) => {
      // Somebody has set an encoding.
      const chunk = typeof read === 'string' ? Buffer.from(read, stream.readableEncoding ?? 'utf8') : read
      length += chunk.byteLength
      if (length > maxBytes) {
        finish(tooLarge(maxBytes))
        // What still comes is thrown away, so that the client can read the answer.
        stream.off('data', onData).resume()
      } else if (first === undefined) first = chunk
      else if (more === undefined) more = [first, chunk]
      else more.push(chunk)
    }
    let isOver = false
    // What comes after the first result is nothing new; to resolve a promise twice costs Node more than all of this.
    const finish = (result: ReadBody) => {
      if (!isOver) resolve(result)
      isOver = true
    }
    // Nearly all messages come in one piece.
    const onEnd = () => finish({ kind: 'bytes', bytes: more === undefined ? (first ?? EMPTY) : Buffer.concat(more) })
    const onGone = () => finish({ kind: 'aborted' })
    // They stay, and go with the stream.
    stream.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone)
    // Somebody may have paused it until it is their turn.
    if (stream.isPaused()) stream.resume()
  })
}

function tooLarge(maxBytes: number): ReadBody {
  return refused(413, 'too_large', `a message has at most ${maxBytes} bytes`)
}

function refused(status: 400 | 413 | 415, reason: BodyProblem, message: string): ReadBody {
  return { kind: 'refused', status, reason, message }
}
