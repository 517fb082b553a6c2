/**
 * From bytes to checked JSON-RPC messages (JSON-RPC 2.0, MCP's Messages). The bytes
 * are kept beside what was read from them: they are what goes on to the upstream.
 */
import { shortened } from '../core/shortened.ts'
import { GatewayCode, JsonRpcCode } from './error-codes.ts'
import { asBuffer, type ByteRange } from './json-reader.ts'
import { DEFAULT_SCAN_LIMITS, type ScanLimits, type ScanReason, scanMessage } from './key-scan.ts'

/** A JSON object that has been parsed. Ask `Object.hasOwn` before reading a key that a client chose. */
export type JsonObject = { readonly [key: string]: unknown }

/** MCP allows texts and integers, never `null`. */
export type RequestId = string | number

/** Asks for an answer. */
export interface RequestMessage {
  readonly kind: 'request'
  readonly id: RequestId
  readonly method: string
  readonly params: JsonObject | undefined
  /** The message as it was sent. */
  readonly raw: Uint8Array
}

/** Gets no answer. */
export interface NotificationMessage {
  readonly kind: 'notification'
  readonly method: string
  readonly params: JsonObject | undefined
  readonly raw: Uint8Array
}

/** Answers a request of the server (up to 2025-11-25). An error may have no id. */
export interface ResponseMessage {
  readonly kind: 'response'
  readonly id: RequestId | undefined
  readonly raw: Uint8Array
}

/** One message of a body. */
export type Message = RequestMessage | NotificationMessage | ResponseMessage

/** What a body holds: one message, or a batch of either requests and notifications or responses. */
export interface MessageBody {
  readonly kind: 'messages'
  readonly batch: boolean
  /** Never empty. */
  readonly messages: readonly Message[]
}

/** A JSON-RPC error response. Without an id where that of the request could not be read (MCP; JSON-RPC has `null`). */
export interface ErrorResponse {
  readonly jsonrpc: '2.0'
  readonly id?: RequestId
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** A JSON-RPC response with a result. */
export interface ResultResponse {
  readonly jsonrpc: '2.0'
  readonly id: RequestId
  readonly result: JsonObject
}

/** The answer to what cannot be gone on with. */
export interface MessageProblem {
  readonly kind: 'problem'
  /** The HTTP status. */
  readonly status: number
  readonly response: ErrorResponse
}

/** Whether a body is the request that begins a session (up to 2025-11-25, Lifecycle). */
export function isInitialize({ messages, batch }: Pick<MessageBody, 'messages' | 'batch'>): boolean {
  const [message] = messages
  return !batch && message?.kind === 'request' && message.method === 'initialize'
}

/** An error response; `id` is that of the request, `undefined` where it could not be read. */
export function errorResponse(id: RequestId | undefined, code: number, message: string, data?: unknown): ErrorResponse {
  const error = data === undefined ? { code, message } : { code, message, data }
  return id === undefined ? { jsonrpc: '2.0', error } : { jsonrpc: '2.0', id, error }
}

/** A response with a result. */
export function resultResponse(id: RequestId, result: JsonObject): ResultResponse {
  return { jsonrpc: '2.0', id, result }
}

/** An error response with the HTTP status that it is sent with. */
export function messageProblem(
  status: number,
  id: RequestId | undefined,
  code: number,
  message: string,
  data?: unknown,
): MessageProblem {
  return { kind: 'problem', status, response: errorResponse(id, code, message, data) }
}

/**
 * Reads the body of a POST. What has more than one reading is refused (see {@link scanMessage}), and so is what no
 * revision allows. Integer ids must be safe (RFC 8259 §6), since an answer of ours could not name them otherwise.
 *
 * Problems: -32700 for what is not JSON, else -32600, both with HTTP 400; 4130 with HTTP 413 for more keys or values than `limits`.
 */
export function parseMessages(
  bytes: Uint8Array,
  limits: ScanLimits = DEFAULT_SCAN_LIMITS,
): MessageBody | MessageProblem {
  const scanned = scanMessage(bytes, limits)
  if (scanned.kind === 'refused') {
    if (TOO_LARGE.has(scanned.reason)) {
      return messageProblem(413, undefined, GatewayCode.TOO_LARGE, `The message ${scanned.detail}`)
    }
    return NOT_JSON.has(scanned.reason)
      ? messageProblem(400, undefined, JsonRpcCode.PARSE_ERROR, `Parse error: ${scanned.detail}`)
      : messageProblem(400, undefined, JsonRpcCode.INVALID_REQUEST, `Invalid Request: ${scanned.detail}`)
  }
  const body: unknown = JSON.parse(asBuffer(bytes).toString('utf8'))
  if (!scanned.batch) {
    const [range] = scanned.messages
    const message = readMessage(body, range === undefined ? bytes : cut(bytes, range))
    return message.kind === 'problem' ? message : { kind: 'messages', batch: false, messages: [message] }
  }
  const values: readonly unknown[] = Array.isArray(body) ? body : []
  const messages: Message[] = []
  for (const [index, range] of scanned.messages.entries()) {
    const message = readMessage(values[index], cut(bytes, range))
    if (message.kind === 'problem') return message
    messages.push(message)
  }
  return batchProblem(messages) ?? { kind: 'messages', batch: true, messages }
}

/** Nearly always the bytes are the message, and a view of them all would cost as much as reading its keys. */
function cut(bytes: Uint8Array, { start, end }: ByteRange): Uint8Array {
  return start === 0 && end === bytes.byteLength ? bytes : bytes.subarray(start, end)
}

const TOO_LARGE: ReadonlySet<ScanReason> = new Set(['too_many_keys', 'too_many_values'])
const NOT_JSON: ReadonlySet<ScanReason> = new Set(['not_json', 'not_utf8', 'byte_order_mark'])

function readMessage(value: unknown, raw: Uint8Array): Message | MessageProblem {
  if (!isJsonObject(value)) return invalid(undefined, 'a message is an object')
  const { id, method, params } = value
  const ownId = isRequestId(id) ? id : undefined
  if (value.jsonrpc !== '2.0') return invalid(ownId, 'jsonrpc must be "2.0"')
  const answers = Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error')
  if (!Object.hasOwn(value, 'method')) {
    return answers ? readResponse(value, raw) : invalid(ownId, 'there is no method, nor a result or an error')
  }
  if (answers) return invalid(ownId, 'a message has a method, or a result or an error, and not both')
  if (typeof method !== 'string' || method === '') return invalid(ownId, 'the method must be a text')
  if (params !== undefined && !isJsonObject(params)) return invalid(ownId, 'params must be an object')
  if (ownId !== undefined) return { kind: 'request', id: ownId, method, params, raw }
  if (Object.hasOwn(value, 'id')) return invalid(undefined, 'the id must be a text or a safe integer')
  // Some servers carry out a request also without an id, where nobody would see what came of it.
  if (REQUEST.test(method)) return invalid(undefined, `${shortened(method, 100)} is a request, which has an id`)
  return { kind: 'notification', method, params, raw }
}

/** The requests that clients of any revision make. */
const REQUEST =
  /^(?:initialize|ping|server\/discover|(?:tools|prompts|resources|resources\/templates)\/list|tools\/call|prompts\/get|resources\/(?:read|subscribe|unsubscribe)|completion\/complete|logging\/setLevel|subscriptions\/listen|tasks\/\w+)$/

function readResponse(value: JsonObject, raw: Uint8Array): ResponseMessage | MessageProblem {
  const { id, result, error } = value
  const isError = Object.hasOwn(value, 'error')
  if (isError && Object.hasOwn(value, 'result'))
    return invalid(undefined, 'a response has a result or an error, not both')
  if (isError ? !isErrorObject(error) : !isJsonObject(result)) {
    return invalid(undefined, `the ${isError ? 'error' : 'result'} is not as it must be`)
  }
  if (isRequestId(id)) return { kind: 'response', id, raw }
  // JSON-RPC 2.0 §5: null where the id could not be read; later revisions of MCP leave it out.
  if (isError && (id === undefined || id === null)) return { kind: 'response', id: undefined, raw }
  return invalid(undefined, 'the id must be a text or a safe integer')
}

/** 2025-03-26, Transports: a batch is of requests and notifications, or of responses. */
function batchProblem(messages: readonly Message[]): MessageProblem | undefined {
  if (messages.length === 0) return invalid(undefined, 'a batch must not be empty')
  const responses = messages.filter(({ kind }) => kind === 'response').length
  if (responses > 0 && responses < messages.length)
    return invalid(undefined, 'a batch has responses and other messages')
  const ids = new Set<RequestId>()
  for (const message of messages) {
    if (message.kind !== 'request') continue
    if (ids.has(message.id)) return invalid(undefined, 'a batch has two requests of one id')
    ids.add(message.id)
  }
  return undefined
}

function invalid(id: RequestId | undefined, detail: string): MessageProblem {
  return messageProblem(400, id, JsonRpcCode.INVALID_REQUEST, `Invalid Request: ${detail}`)
}

/** Whether a value is an object of JSON, which a list is not. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

function isErrorObject(value: unknown): boolean {
  return isJsonObject(value) && Number.isInteger(value.code) && typeof value.message === 'string'
}
