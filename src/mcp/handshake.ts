/**
 * The answer to `initialize`, which begins a session (legacy eras, Lifecycle and Session Management). The id that a client gets
 * is always ours, also where the upstream has none; so the answer is read up to the revision that it settles on.
 */
import { LEGACY_REVISIONS, type LegacyRevision } from './eras.ts'
import { isJsonObject, type JsonObject, type RequestId } from './messages.ts'
import { jsonObjectIn } from './response-in.ts'
import { createSseReader } from './sse.ts'

/** What an upstream says to `initialize`. */
export type Handshake =
  | { readonly kind: 'settled'; readonly revision: LegacyRevision }
  /** It refuses: no session begins. */
  | { readonly kind: 'error' }
  /** `detail` is for the operator. */
  | { readonly kind: 'nonsense'; readonly detail: string }

/** Reads the answer to `initialize` of this id. */
export function readHandshake(bytes: Uint8Array, id: RequestId): Handshake {
  const response = jsonObjectIn(bytes)
  return response === undefined
    ? { kind: 'nonsense', detail: 'the answer to initialize is no JSON-RPC response' }
    : handshakeOf(response, id)
}

/** Looks for the answer to `initialize` in an event stream, in which other messages may come before it. */
export interface HandshakeReader {
  /** Takes a chunk; the handshake once it has come. */
  push(chunk: Uint8Array): Handshake | undefined
}

/** @param maxEventBytes - the length of one event; a longer one is nonsense */
export function createHandshakeReader(id: RequestId, maxEventBytes: number): HandshakeReader {
  const reader = createSseReader(maxEventBytes)
  return {
    push(chunk) {
      for (const piece of reader.push(chunk)) {
        if (piece.kind === 'too_long') {
          return { kind: 'nonsense', detail: `an event of more than ${maxEventBytes} bytes in answer to initialize` }
        }
        if (piece.kind !== 'event') continue
        const message = jsonObjectIn(piece.data)
        if (message === undefined || Object.hasOwn(message, 'method')) continue
        if (message.id === id || isJsonObject(message.error)) return handshakeOf(message, id)
      }
      return undefined
    },
  }
}

function handshakeOf(response: JsonObject, id: RequestId): Handshake {
  if (isJsonObject(response.error)) return { kind: 'error' }
  if (response.id !== id || !isJsonObject(response.result)) {
    return { kind: 'nonsense', detail: 'the answer to initialize is for another request, or has no result' }
  }
  const said = response.result.protocolVersion
  const revision = LEGACY_REVISIONS.find((each) => each === said)
  if (revision !== undefined) return { kind: 'settled', revision }
  const shown = JSON.stringify(said)?.slice(0, 40)
  return { kind: 'nonsense', detail: `initialize settled on ${shown}, which is no revision with a handshake` }
}
