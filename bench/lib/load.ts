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

/** Opens the connections; `requests` are used in turn. With `expected`, every answer must have these bytes in it. */
export async function openLoad(
  port: number,
  requests: readonly Buffer[],
  connections: number,
  expected?: Buffer,
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
        const start = performance.now()
        deadline = start + durationMs
        finish = () => resolve({ requests: answered, seconds: (performance.now() - start) / 1000, latenciesMs })
        fail = reject
        for (const connection of all) send(connection, performance.now())
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
