/**
 * One request to an upstream and its answer, on the lowest level that undici has: no promise, stream or copy is made that an
 * answer does not need. A short answer that is there at once comes as its bytes, all others as a stream with backpressure.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import { atEndOfTurn, type Waiting } from '../core/turn.ts'
import type { AbortSource } from '../http/gate.ts'
import type { Slots } from './slots.ts'
import type { Dated, Sweep } from './sweep.ts'
import { UpstreamError } from './upstream-error.ts'

/** An answer. */
export interface UpstreamAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /**
   * The bytes, where they are few and came at once: most answers of tools, which then cost no stream. Else a stream, which
   * whoever asked reads to its end or destroys. It fails where the upstream breaks off.
   */
  readonly body: Uint8Array | Readable
}

/** Requests whose answers are not whole yet. */
export type ExchangesUnderWay = Slots<Dated & { fail(error: UpstreamError): void }>

/** Requests to one server that were given up while they waited for a connection: undici holds what is left of them until one is free. */
export interface GivenUp {
  count: number
}

/** What a request is sent with. */
export interface ExchangeSettings {
  /**
   * From the request to the headers of its answer, whatever happens in between. undici counts it from when the request is
   * written, and anew with every interim response (RFC 9110 §15.2).
   */
  readonly headersMs: number
  /** Looks at those under way. */
  readonly sweep: Sweep
  readonly signal: AbortSource | undefined
  /** Where it is to be found until its answer is whole. */
  readonly underWay: ExchangesUnderWay
  readonly givenUp: GivenUp
}

/**
 * Sends a request.
 *
 * @param options - for this request alone: emptied where it is given up before it has a connection
 * @throws UpstreamError
 */
export function startExchange(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  settings: ExchangeSettings,
): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(resolve, reject, options, settings)
    if (!exchange.begin()) return
    try {
      dispatcher.dispatch(options, exchange)
    } catch (error) {
      exchange.end(error)
    }
    exchange.watch()
  })
}

/**
 * An answer that is said to be no longer is waited for: one that breaks off can then still be told from a whole one. Not for long: one
 * that takes its time goes on as a stream, whose reader has limits of their own.
 */
const SHORT_BYTES = 64 * 1024
const TIMEOUTS: readonly string[] = ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']
const EMPTY = new Uint8Array()
/** Of one or two kilobytes each. */
const MAX_GIVEN_UP = 10_000
const NO_FIELDS = {}
/** So long a time is kept by the sweep, a second late at most. */
const COARSE_MS = 10_000

/** A class, since undici calls it back by method and one is made for each request. */
class Exchange implements Dispatcher.DispatchHandler, Waiting {
  #resolve: (answer: UpstreamAnswer) => void
  #reject: (error: UpstreamError) => void
  /** Until it has a connection. */
  #options: Dispatcher.DispatchOptions | undefined
  /** Until it is over. */
  #settings: ExchangeSettings | undefined
  /** From when it is given up while it waits for a connection until it is its turn. */
  #givenUp: GivenUp | undefined
  #controller: Dispatcher.DispatchController | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #startedAt = performance.now()
  #slot = 0
  /** 0 until the headers of the answer are there. */
  #status = 0
  #headers: IncomingHttpHeaders = {}
  readonly #chunks: Buffer[] = []
  #body: Readable | undefined
  /** Whether the last byte of the answer has come, or nothing will come any more. */
  #over = false

  constructor(
    resolve: (answer: UpstreamAnswer) => void,
    reject: (error: UpstreamError) => void,
    options: Dispatcher.DispatchOptions,
    settings: ExchangeSettings,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#options = options
    this.#settings = settings
  }

  /** Listens to the signal; `false` where it has aborted already, or too many were given up that wait in front. */
  begin(): boolean {
    if (this.#settings === undefined) return false
    const { signal, underWay, givenUp } = this.#settings
    if (signal?.aborted || givenUp.count >= MAX_GIVEN_UP) {
      this.#reject(signal?.aborted ? gone() : new UpstreamError('unreachable', 'no connection has been free for long'))
      return false
    }
    signal?.addEventListener('abort', this.#onAbort)
    this.#slot = underWay.put(this)
    return true
  }

  /** Sets the deadline for the headers of the answer, and for the wait for a short one. */
  watch(): void {
    if (this.#settings === undefined || this.#body !== undefined) return
    const { headersMs, sweep } = this.#settings
    if (headersMs === 0 || headersMs >= COARSE_MS) sweep.begin()
    else this.#timer = setTimeout(() => this.endIfLate(Number.POSITIVE_INFINITY), headersMs)
  }

  endIfLate(now: number): void {
    if (this.#settings === undefined) return
    const { headersMs } = this.#settings
    if (this.#status !== 0) {
      if (this.#body === undefined) this.#stream()
    } else if (headersMs !== 0 && now - this.#startedAt >= headersMs) {
      this.fail(new UpstreamError('timeout', 'no answer in time'))
    }
  }

  /** Gives it up. */
  fail(error: unknown): void {
    if (this.#over) return
    if (this.#options !== undefined) this.#leaveQueued(this.#options)
    this.end(error)
  }

  /** undici lets go of what waits for a connection only when it has one: until then it holds as little of it as can be. */
  #leaveQueued(options: Dispatcher.DispatchOptions): void {
    options.body = null
    options.headers = NO_FIELDS
    this.#options = undefined
    this.#givenUp = this.#settings?.givenUp
    if (this.#givenUp !== undefined) this.#givenUp.count++
  }

  #leaveQueue(): void {
    this.#options = undefined
    if (this.#givenUp !== undefined) this.#givenUp.count--
    this.#givenUp = undefined
  }

  /** It has failed. */
  end(error: unknown): void {
    if (this.#over) return
    this.#finish()
    const failure = toUpstreamError(error)
    if (this.#body !== undefined) this.#body.destroy(failure)
    else {
      this.#reject(failure)
      // By way of these undici would hold the error, whose stack holds all that the caller has sent.
      this.#resolve = ignore
      this.#reject = ignore
    }
    // Nothing happens where it is the upstream that broke off.
    this.#controller?.abort(failure)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    this.#leaveQueue()
    // It was given up while it waited for a connection.
    if (this.#over) controller.abort(gone())
  }

  onRequestUpgrade(): void {
    this.fail(new UpstreamError('unreachable', 'the upstream switched to another protocol'))
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // 103 Early Hints and the like.
    if (status < 200 || this.#over) return
    this.#status = status
    this.#headers = headers
    const length = Number(headers['content-length'] ?? Number.NaN)
    if (length <= SHORT_BYTES) return
    clearTimeout(this.#timer)
    // What has come with the headers is handed over before any microtask runs.
    queueMicrotask(this.#stream)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body === undefined) this.#chunks.push(chunk)
    else if (!this.#body.push(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    if (this.#over) return
    this.#finish()
    if (this.#body !== undefined) this.#body.push(null)
    else atEndOfTurn(this)
  }

  /** Hands over what there is of the answer. */
  goOn(): void {
    const body = this.#body ?? (this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : (this.#chunks[0] ?? EMPTY))
    this.#resolve({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#leaveQueue()
    this.end(error)
  }

  readonly #onAbort = (): void => this.fail(gone())

  /** The answer goes on as a stream, unless it has been whole by now. */
  readonly #stream = (): void => {
    const controller = this.#controller
    if (this.#over || controller === undefined) return
    const body = new Readable({
      highWaterMark: SHORT_BYTES,
      read: () => controller.resume(),
      destroy: (error, callback) => {
        this.fail(error ?? gone())
        callback(error)
      },
    })
    // It may fail before anybody listens. Whoever comes later still sees that it has.
    body.on('error', () => {})
    this.#body = body
    let room = true
    for (const chunk of this.#chunks) room = body.push(chunk)
    if (!room) controller.pause()
    this.#chunks.length = 0
    atEndOfTurn(this)
  }

  #finish(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#settings?.signal?.removeEventListener('abort', this.#onAbort)
    this.#settings?.underWay.free(this.#slot)
    this.#settings = undefined
  }
}

function ignore(): void {}

function gone(): UpstreamError {
  return new UpstreamError('aborted', 'the caller has gone')
}

function toUpstreamError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && TIMEOUTS.includes(code)) {
    return new UpstreamError('timeout', 'no answer in time', { cause: error })
  }
  const reason = refusalOfProxy(error) ?? (typeof code === 'string' ? code : nameOf(error))
  return new UpstreamError('unreachable', `the connection to the upstream failed: ${reason}`, { cause: error })
}

function nameOf(error: unknown): string {
  return error instanceof errors.UndiciError ? error.name : 'it broke'
}

/** What a proxy says to a `CONNECT` that it does not carry out is only in the words of undici. */
function refusalOfProxy(error: unknown): string | undefined {
  if (!(error instanceof errors.RequestAbortedError)) return undefined
  const [, status] = /^Proxy response \((\d{3})\)/.exec(error.message) ?? []
  return status && `the proxy answers ${status}`
}
