/** Looks into answers for JSON-RPC responses, where something has to be known of them beyond their bytes. */
import { isJsonObject, type JsonObject } from './messages.ts'
import { createSseReader } from './sse.ts'

/** The object that some bytes say; `undefined` where they say none. */
export function jsonObjectIn(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The last response in a whole answer: what comes before it in an event stream are other messages. */
export function lastResponseIn(bytes: Uint8Array, type: 'json' | 'events'): JsonObject | undefined {
  if (type === 'json') return jsonObjectIn(bytes)
  const pieces = createSseReader(bytes.length).push(bytes)
  const objects = pieces.map((piece) => (piece.kind === 'event' ? jsonObjectIn(piece.data) : undefined))
  return objects.findLast((object) => object !== undefined && !Object.hasOwn(object, 'method'))
}

/** The JSON-RPC error that some bytes are, with nothing else in it; `undefined` where they are none. */
export function errorIn(bytes: Uint8Array): JsonObject | undefined {
  const object = jsonObjectIn(bytes)
  const isError =
    object !== undefined && object.jsonrpc === '2.0' && isJsonObject(object.error) && !Object.hasOwn(object, 'result')
  return isError ? object : undefined
}
