/**
 * `GateRequest` over Node's own request and response. Every adapter ends here.
 * What costs something is computed when it is first asked for.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { GateRequest, RequestBody } from './gate.ts'

/** Where a framework leaves the body that it has parsed. */
export interface BodyHolder {
  readonly body?: unknown
  readonly rawBody?: unknown
}

/** The parts of a server's answer that a request needs to know when the client has gone. */
type Closable = Pick<ServerResponse, 'once' | 'writableFinished' | 'destroyed'> | Readable

/** A {@link GateRequest} for a request that Node's http, https or http2 (compatibility) server has parsed. */
export class NodeRequest implements GateRequest {
  readonly method: string
  readonly target: string
  readonly kind: 'http' | 'upgrade'
  readonly host: unknown
  readonly #message: IncomingMessage
  readonly #answer: Closable
  readonly #bodyHolder: BodyHolder | undefined
  #signal: AbortSignal | undefined

  constructor(
    message: IncomingMessage,
    answer: Closable,
    target: string,
    host: unknown,
    bodyHolder?: BodyHolder,
    kind: 'http' | 'upgrade' = 'http',
  ) {
    this.method = message.method ?? 'GET'
    this.target = target
    this.kind = kind
    this.host = host
    this.#message = message
    this.#answer = answer
    this.#bodyHolder = bodyHolder
  }

  get headers(): IncomingHttpHeaders {
    return this.#message.headers
  }

  get rawHeaders(): readonly string[] {
    return this.#message.rawHeaders
  }

  get peer(): GateRequest['peer'] {
    const socket: Socket & { encrypted?: boolean } = this.#message.socket
    return { address: socket.remoteAddress ?? '', encrypted: socket.encrypted === true }
  }

  get localPort(): number {
    return this.#message.socket.localPort ?? 0
  }

  get body(): RequestBody {
    const holder = this.#bodyHolder
    if (holder?.body !== undefined) {
      const { body: value, rawBody: raw } = holder
      return raw instanceof Uint8Array ? { kind: 'parsed', value, raw } : { kind: 'parsed', value }
    }
    // RFC 9112 §6.3: a request has content when one of these two says so.
    const { 'content-length': length, 'transfer-encoding': encoding } = this.#message.headers
    if (this.kind === 'upgrade' || (encoding === undefined && (length === undefined || length === '0'))) {
      return { kind: 'none' }
    }
    return { kind: 'stream', stream: this.#message }
  }

  get signal(): AbortSignal {
    this.#signal ??= closeSignal(this.#answer)
    return this.#signal
  }
}

/** Aborts when `answer` closes before it was finished. The request's own `close` fires as soon as its body is read. */
function closeSignal(answer: Closable): AbortSignal {
  if (answer.destroyed) return AbortSignal.abort()
  const controller = new AbortController()
  answer.once('close', () => {
    if (!('writableFinished' in answer && answer.writableFinished)) controller.abort()
  })
  return controller.signal
}
