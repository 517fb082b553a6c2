/**
 * An HTTP/1.1 load generator on bare sockets, so that the client costs less than any server it drives: prebuilt request
 * bytes, keep-alive, no pipelining, answers counted by their length. Every answer must be a 200.
 */
import { connect, type Socket } from 'node:net'

/** What one slice of load brought. */
export interface Slice {
  readonly requests: number
  readonly seconds: number
}

export interface Load {
  /** Drives the server for this long, and comes back when the last answer is in. */
  run(durationMs: number): Promise<Slice>
  close(): void
}

interface Connection {
  readonly socket: Socket
  /** Bytes of an answer that came in pieces. */
  pending: Buffer | undefined
}

/** Opens the connections; `requests` are used in turn. */
export async function openLoad(port: number, requests: readonly Buffer[], connections: number): Promise<Load> {
  let nextRequest = 0
  let answered = 0
  let deadline = 0
  let busy = 0
  let expectedLength = 0
  let finish: (() => void) | undefined
  let fail: ((error: Error) => void) | undefined
  let closing = false
  const all: Connection[] = []

  const send = (connection: Connection): void => {
    connection.socket.write(requests[nextRequest]!)
    nextRequest = nextRequest + 1 === requests.length ? 0 : nextRequest + 1
  }

  const broken = (message: string): void => {
    if (!closing) fail?.(new Error(`port ${port}: ${message}`))
  }

  const received = (connection: Connection, chunk: Buffer): void => {
    const bytes = connection.pending === undefined ? chunk : Buffer.concat([connection.pending, chunk])
    if (expectedLength === 0) expectedLength = answerLength(bytes)
    if (expectedLength === 0 || bytes.length < expectedLength) {
      connection.pending = Buffer.from(bytes)
      return
    }
    // "HTTP/1.1 200": all answers of one server are equally long, since a date is.
    const ok = bytes[9] === 0x32 && bytes[10] === 0x30 && bytes[11] === 0x30
    if (!ok || bytes.length !== expectedLength) {
      broken(`unexpected answer: ${bytes.toString('latin1').slice(0, 300)}`)
      return
    }
    connection.pending = undefined
    answered += 1
    if (performance.now() < deadline) send(connection)
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
        busy = all.length
        const start = performance.now()
        deadline = start + durationMs
        finish = () => resolve({ requests: answered, seconds: (performance.now() - start) / 1000 })
        fail = reject
        for (const connection of all) send(connection)
      }),
    close: () => {
      closing = true
      for (const { socket } of all) socket.destroy()
    },
  }
}

/** The length of head and body together, or 0 while the head is incomplete. */
function answerLength(bytes: Buffer): number {
  const text = bytes.toString('latin1')
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return 0
  const contentLength = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd))
  if (contentLength === null) throw new Error(`the load generator needs answers with a Content-Length: ${text}`)
  return headEnd + 4 + Number(contentLength[1])
}
