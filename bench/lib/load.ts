/**
 * An HTTP/1.1 load generator on bare sockets, so that the client costs less than any server it drives: prebuilt request
 * bytes, keep-alive, no pipelining, answers counted by their length or by the end of their last chunk. Every answer must
 * be a 200.
 */
import { connect, type Socket } from 'node:net'

/** What one slice of load brought. */
export interface Slice {
  readonly requests: number
  readonly seconds: number
  /** How long each answer took, in milliseconds. */
  readonly latenciesMs: readonly number[]
  /** How much of the time the load generator had something to do; `undefined` where its CPU time says so. */
  readonly busy: number | undefined
}

export interface LoadOptions {
  /** Every answer must have these bytes in it. */
  readonly expected?: Buffer
  /**
   * Whether the load generator stays awake while it drives the server. Waking up a process that sleeps is the business of
   * whoever writes to it, so that each answer to a client that has gone to sleep costs the server some microseconds: the
   * more, the longer the server takes. Only where nothing else of the run needs the core.
   */
  readonly awake?: boolean
}

export interface Load {
  /** Drives the server for this long, and comes back when the last answer is in. */
  run(durationMs: number): Promise<Slice>
  /** Requests that were answered since the load was opened. */
  answered(): number
  close(): void
}

interface Connection {
  readonly socket: Socket
  /** Bytes of an answer that came in pieces. */
  pending: Buffer | undefined
  sentAt: number
}

const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n')

/** Opens the connections; `requests` are used in turn. */
export async function openLoad(
  port: number,
  requests: readonly Buffer[],
  connections: number,
  { expected, awake = false }: LoadOptions = {},
): Promise<Load> {
  let nextRequest = 0
  let answered = 0
  let total = 0
  let latenciesMs: number[] = []
  let deadline = 0
  let busy = 0
  /** Of the first answer; most are as long, and need no look at their heads. */
  let usualBytes = 0
  let finish: (() => void) | undefined
  let fail: ((error: Error) => void) | undefined
  let closing = false
  let idleMs = 0
  const all: Connection[] = []

  const send = (connection: Connection, now: number): void => {
    connection.sentAt = now
    connection.socket.write(requests[nextRequest]!)
    nextRequest = nextRequest + 1 === requests.length ? 0 : nextRequest + 1
  }

  const broken = (message: string): void => {
    if (!closing) fail?.(new Error(`port ${port}: ${message}`))
  }

  const received = (connection: Connection, chunk: Buffer): void => {
    const bytes = connection.pending === undefined ? chunk : Buffer.concat([connection.pending, chunk])
    if (bytes.length !== usualBytes && !isComplete(bytes)) {
      connection.pending = Buffer.from(bytes)
      return
    }
    if (usualBytes === 0) usualBytes = bytes.length
    // "HTTP/1.1 200": all answers of one server are equally long, since a date is, unless some come in chunks.
    const ok = bytes[9] === 0x32 && bytes[10] === 0x30 && bytes[11] === 0x30
    if (!ok || (expected === undefined ? bytes.length !== usualBytes : !bytes.includes(expected))) {
      broken(`unexpected answer: ${bytes.toString('latin1').slice(0, 2000)}`)
      return
    }
    connection.pending = undefined
    answered += 1
    total += 1
    const now = performance.now()
    latenciesMs.push(now - connection.sentAt)
    if (now < deadline) send(connection, now)
    else if (--busy === 0) finish?.()
  }

  /** Goes round the event loop without a rest until the last answer is in. */
  const stayAwake = (turnedAt: number, answeredThen: number): void => {
    if (busy === 0) return
    const now = performance.now()
    if (answered === answeredThen) idleMs += now - turnedAt
    const answeredNow = answered
    setImmediate(() => stayAwake(now, answeredNow))
  }

  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const connection: Connection = {
        socket: connect({
          port,
          host: '127.0.0.1',
          noDelay: true,
          onread: {
            buffer: Buffer.allocUnsafe(16 * 1024),
            callback: (length, buffer) => {
              received(connection, Buffer.from(buffer.buffer, buffer.byteOffset, length))
              return true
            },
          },
        }),
        pending: undefined,
        sentAt: 0,
      }
      all.push(connection)
      connection.socket.once('connect', resolve)
      connection.socket.once('error', (error) => {
        reject(error)
        broken(error.message)
      })
      connection.socket.once('close', () => broken('connection closed'))
    })

  await Promise.all(Array.from({ length: connections }, open))

  return {
    run: (durationMs) =>
      new Promise((resolve, reject) => {
        answered = 0
        latenciesMs = []
        busy = all.length
        idleMs = 0
        const start = performance.now()
        deadline = start + durationMs
        finish = () => {
          const elapsedMs = performance.now() - start
          const share = awake ? 1 - idleMs / elapsedMs : undefined
          resolve({ requests: answered, seconds: elapsedMs / 1000, latenciesMs, busy: share })
        }
        fail = reject
        for (const connection of all) send(connection, performance.now())
        if (awake) stayAwake(start, 0)
      }),
    answered: () => total,
    close: () => {
      closing = true
      for (const { socket } of all) socket.destroy()
    },
  }
}

/** By its length, or its last chunk (RFC 9112 §7.1). */
function isComplete(bytes: Buffer): boolean {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return false
  const head = bytes.toString('latin1', 0, headEnd)
  const contentLength = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (contentLength !== null) return bytes.length >= headEnd + 4 + Number(contentLength[1])
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)
  throw new Error(`the load generator needs answers with a Content-Length or in chunks: ${head}`)
}
