/**
 * An HTTP/1.1 client over a bare socket. It sends exactly the bytes it is given
 * and shows exactly the answer that came: `fetch` normalises URLs, joins headers,
 * hides framing, and cannot pipeline.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** The head of an answer. */
export interface RawHead {
  readonly status: number
  readonly reason: string
  /** Names in lower case; several lines of one name joined by `, `, save for `set-cookie` (see {@link RawHead.lines}). */
  readonly headers: Readonly<Record<string, string>>
  /** Every value of a header, line by line. */
  lines(name: string): string[]
}

/** A whole answer. */
export interface RawAnswer extends RawHead {
  readonly body: Buffer
  text(): string
  json(): unknown
}

/** What to send. `target` goes out as it is. */
export interface RawRequest {
  readonly method?: string
  readonly target?: string
  /** Lines in order, or names and values. `Host` is added when it is missing, `Content-Length` for a body. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[]
  readonly body?: string | Uint8Array
}

/** The connection ended or broke while more was expected. */
export class ConnectionEnded extends Error {}

/** One connection. Answers are read in the order in which they come. */
export class RawConnection {
  readonly socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #ended = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#wake?.()
    })
    socket.on('end', () => this.#finish())
    socket.on('close', () => this.#finish())
    socket.on('error', (error) => {
      this.#failure = error
      this.#finish()
    })
  }

  #finish(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** Sends a request. */
  send(request: RawRequest = {}): void {
    this.socket.write(requestBytes(request))
  }

  /** Sends bytes as they are. */
  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Sends a request and reads the answer to it. */
  ask(request: RawRequest = {}): Promise<RawAnswer> {
    this.send(request)
    return this.answer(request.method)
  }

  /** Reads the head of the next answer, leaving out `100 Continue` and the like. */
  async head(): Promise<RawHead> {
    const text = (await this.#take((bytes) => endOf(bytes, '\r\n\r\n'))).toString('latin1')
    const head = parseHead(text)
    return head.status >= 100 && head.status < 200 && head.status !== 101 ? this.head() : head
  }

  /** Reads the next answer. */
  async answer(method = 'GET'): Promise<RawAnswer> {
    const head = await this.head()
    const body = await this.#body(head, method)
    const text = () => body.toString('utf8')
    return { ...head, body, text, json: () => JSON.parse(text()) }
  }

  /** Reads one piece of a body in chunked coding; `undefined` at its end. */
  async chunk(): Promise<Buffer | undefined> {
    const line = (await this.#take((bytes) => endOf(bytes, '\r\n'))).toString('latin1')
    const size = Number.parseInt(line, 16)
    if (Number.isNaN(size)) throw new Error(`not the size of a chunk: ${JSON.stringify(line)}`)
    const bytes = await this.#take((received) => (received.length >= size + 2 ? size + 2 : -1))
    return size === 0 ? undefined : bytes.subarray(0, size)
  }

  /** Reads up to and with `mark`. */
  async until(mark: string): Promise<string> {
    return (await this.#take((bytes) => endOf(bytes, mark))).toString('utf8')
  }

  /** Bytes that came and that nobody has read yet. */
  get unread(): number {
    return this.#received.length
  }

  /** Resolves once the server has ended or broken the connection, with the bytes that were still unread. */
  async rest(): Promise<Buffer> {
    return this.#take(() => (this.#ended ? this.#received.length : -1), true)
  }

  /** Closes the connection at once. */
  async close(): Promise<void> {
    if (this.socket.destroyed) return
    const closed = once(this.socket, 'close')
    this.socket.destroy()
    await closed
  }

  async #body(head: RawHead, method: string): Promise<Buffer> {
    if (method === 'HEAD' || head.status === 101 || head.status === 204 || head.status === 304) return Buffer.alloc(0)
    if (head.headers['transfer-encoding'] === 'chunked') {
      const chunks: Buffer[] = []
      for (let chunk = await this.chunk(); chunk !== undefined; chunk = await this.chunk()) chunks.push(chunk)
      return Buffer.concat(chunks)
    }
    const length = head.headers['content-length']
    if (length === undefined) return this.rest()
    return this.#take((bytes) => (bytes.length >= Number(length) ? Number(length) : -1))
  }

  /** Waits until `find` says how many bytes to take. */
  async #take(find: (bytes: Buffer) => number, endIsFine = false): Promise<Buffer> {
    for (;;) {
      const length = find(this.#received)
      if (length !== -1) {
        const taken = this.#received.subarray(0, length)
        this.#received = this.#received.subarray(length)
        return taken
      }
      if (this.#ended && !endIsFine) {
        const left = JSON.stringify(this.#received.toString('latin1').slice(0, 200))
        throw new ConnectionEnded(
          `the connection ended${this.#failure ? ` (${this.#failure.message})` : ''} at ${left}`,
        )
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Opens a connection to `port` of this machine. */
export async function connectRaw(
  port: number,
  options: { tls?: boolean; allowHalfOpen?: boolean } = {},
): Promise<RawConnection> {
  const { tls = false, allowHalfOpen = false } = options
  const socket = tls
    ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    : connect({ port, host: '127.0.0.1', allowHalfOpen })
  const connection = new RawConnection(socket)
  await once(socket, tls ? 'secureConnect' : 'connect')
  return connection
}

/** One request on a connection of its own. */
export async function askRaw(port: number, request: RawRequest = {}): Promise<RawAnswer> {
  const connection = await connectRaw(port)
  try {
    return await connection.ask(request)
  } finally {
    await connection.close()
  }
}

/** The bytes of a request. */
export function requestBytes({ method = 'GET', target = '/', headers = [], body }: RawRequest): Buffer {
  const lines: (readonly [string, string])[] = Array.isArray(headers) ? [...headers] : Object.entries(headers)
  const has = (wanted: string) => lines.some(([name]) => name.toLowerCase() === wanted)
  if (!has('host')) lines.unshift(['Host', 'app.example.com'])
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (bytes !== undefined && !has('content-length') && !has('transfer-encoding')) {
    lines.push(['Content-Length', String(bytes.byteLength)])
  }
  const head = `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes ?? Buffer.alloc(0)])
}

function parseHead(text: string): RawHead {
  const [statusLine = '', ...rest] = text.split('\r\n').slice(0, -2)
  const [, status, reason = ''] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(statusLine) ?? []
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`)
  const pairs = rest.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  const lines = (name: string) => pairs.flatMap(([key, value]) => (key === name ? [value] : []))
  return {
    status: Number(status),
    reason,
    headers: Object.fromEntries(pairs.map(([name]) => [name, lines(name).join(', ')])),
    lines,
  }
}

function endOf(bytes: Buffer, mark: string): number {
  const index = bytes.indexOf(mark, 0, 'latin1')
  return index === -1 ? -1 : index + mark.length
}
