/**
 * `GateRequest` over Node's own request and response. Every adapter ends here.
 * What costs something is computed when it is first asked for.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type Closable, isComplete } from './closed.ts'
import type { AbortSource, GateRequest, RequestBody } from './gate.ts'
import { Gone } from './gone.ts'
import { isLost } from './transport.ts'

/** Where a framework leaves the body that it has parsed. */
export interface BodyHolder {
  readonly body?: unknown
  readonly rawBody?: unknown
}

/** What nearly every gate looks at, and so is read at once. */
export interface Head {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
}

/** A request that an Express or Connect application may have handed on: it keeps what the client asked for. */
type MountedMessage = IncomingMessage & { readonly originalUrl?: string }

/** The head of `message`. `target` is what the client asked for, where the framework around the gate has rewritten `url`. */
export function headOf(message: MountedMessage, target: string = message.url ?? ''): Head {
  return { method: message.method ?? 'GET', target: message.originalUrl ?? target, rawHeaders: message.rawHeaders }
}

/** Whether Node has handed `message` to listeners of `upgrade`: so it marks those, whatever the others ask for. */
export function isUpgrade(message: IncomingMessage & { readonly upgrade?: unknown }): boolean {
  return message.upgrade === true
}

/** A {@link GateRequest} for a request that Node's http, https or http2 (compatibility) server has parsed. */
export class NodeRequest implements GateRequest {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly host: unknown
  readonly localPort: number
  /** Whether it could not be seen any more whom it is from, and on which port: then there is nothing to decide by. */
  readonly isLost: boolean
  readonly #message: IncomingMessage
  readonly #answer: Closable
  readonly #bodyHolder: BodyHolder | undefined
  readonly #kind: 'upgrade' | undefined
  readonly #socket: Socket & { readonly encrypted?: boolean }
  readonly #address: string
  readonly #encrypted: boolean
  #holds = false
  /** Whether it listens for errors of the socket. */
  #heeds = false
  #gone: Gone | undefined
  #signal: AbortSignal | undefined

  constructor(
    message: IncomingMessage,
    answer: Closable,
    { method, target, rawHeaders }: Head,
    host: unknown,
    bodyHolder?: BodyHolder,
    kind?: 'upgrade',
  ) {
    this.method = method
    this.target = target
    // What makes requests out of something else (serverless-http) may leave the list empty: without a host, other routes would match.
    this.rawHeaders = (rawHeaders?.length ?? 0) > 0 ? rawHeaders : linesOf(message.headers)
    this.host = host
    this.#message = message
    this.#answer = answer
    this.#bodyHolder = bodyHolder
    this.#kind = kind
    this.#socket = message.socket
    // At once: of who has gone away by the time that a gate asks, the socket knows none of it any more.
    const address = this.#socket?.remoteAddress
    const port = this.#socket?.localPort
    this.#address = address ?? ''
    this.localPort = port ?? 0
    this.#encrypted = this.#socket?.encrypted === true
    this.isLost = (address === undefined || port === undefined) && isLost(message, answer)
  }

  /** Not by what it came through: plugins send upgrades through a framework's hooks too (`@fastify/websocket`). */
  get kind(): 'http' | 'upgrade' {
    return this.#kind ?? (isUpgrade(this.#message) ? 'upgrade' : 'http')
  }

  get headers(): IncomingHttpHeaders {
    return this.#message.headers
  }

  get peer(): GateRequest['peer'] {
    return { address: this.#address, encrypted: this.#encrypted }
  }

  /** Whether the client has gone away without its answer. Asked for every request, of what is quick to look at also behind Express. */
  get isGone(): boolean {
    return this.#socket?.destroyed === true && !isComplete(this.#answer)
  }

  /**
   * Until {@link release}: keeps back a body that flows already, since something in front listens to it, and what came while a gate
   * decides would be lost for the application. To the socket of an upgrade nobody else may listen: an unheard error, such as a reset
   * by the client, would end the process.
   */
  hold(): void {
    if (isUpgrade(this.#message)) {
      this.#heeds = true
      this.#socket.on('error', ignore)
    }
    if (this.method === 'GET' || this.#message.readableFlowing !== true || this.#message.readableEnded) return
    this.#message.pause()
    this.#holds = true
  }

  release(): void {
    if (this.#heeds && !this.#socket.destroyed) this.#socket.off('error', ignore)
    this.#releaseBody()
  }

  #releaseBody(): void {
    if (this.#holds) this.#message.resume()
    this.#holds = false
  }

  get body(): RequestBody {
    // Asked first, since some parsers leave an empty object where there was no body.
    if (this.kind === 'upgrade' || !hasContent(this.#message)) return { kind: 'none' }
    const { body: value, rawBody: raw } = this.#bodyHolder ?? {}
    if (value === undefined || isLeftAlone(this.#message, value)) {
      this.#releaseBody()
      return { kind: 'stream', stream: this.#message }
    }
    if (raw instanceof Uint8Array) return { kind: 'parsed', value, raw }
    // koa-bodyparser keeps a text.
    return typeof raw === 'string' ? { kind: 'parsed', value, raw: Buffer.from(raw) } : { kind: 'parsed', value }
  }

  get gone(): AbortSource {
    this.#gone ??= new Gone(this.#message, this.#answer)
    return this.#gone
  }

  get signal(): AbortSignal {
    this.#signal ??= signalOf(this.gone)
    return this.#signal
  }
}

/** Names and values in turn. */
function linesOf(headers: IncomingHttpHeaders): string[] {
  const lines: string[] = []
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (Array.isArray(value)) for (const line of value) lines.push(name, String(line))
    else if (value !== undefined && value !== null) lines.push(name, String(value))
  }
  return lines
}

/** Body parsers of Express 4 and Koa leave an empty object also where the body is none of theirs, and has not been read. */
function isLeftAlone({ readableEnded, destroyed }: IncomingMessage, value: unknown): boolean {
  if (readableEnded || destroyed || typeof value !== 'object' || value === null) return false
  return !(value instanceof Uint8Array) && Object.keys(value).length === 0
}

/** RFC 9112 §6.3: a header says so. In HTTP/2 content may come unannounced, and the end of the stream says that there is none. */
function hasContent(message: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = message.headers
  if (length !== undefined || encoding !== undefined) return encoding !== undefined || length !== '0'
  const { stream } = message as { stream?: { endAfterHeaders?: boolean } }
  return message.httpVersionMajor > 1 && stream?.endAfterHeaders === false
}

function signalOf(gone: AbortSource): AbortSignal {
  if (gone.aborted) return AbortSignal.abort()
  const controller = new AbortController()
  gone.addEventListener('abort', () => controller.abort())
  return controller.signal
}

function ignore(): void {}
