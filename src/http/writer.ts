/**
 * Writes answers. One writer serves every adapter, so that a reply reaches the
 * client in the same way through Express, Koa, Fastify and node:http.
 */
import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { messageOf } from '../core/errors.ts'
import { warn } from '../core/warnings.ts'
import { keptPrivate } from './cache-control.ts'
import { isClosed, isQueued, onceClosed } from './closed.ts'
import type { Reply, ReplyHeaders } from './gate.ts'

/** Headers by name, as frameworks keep them. */
type InheritedHeaders = Readonly<Record<string, OutgoingHttpHeader | undefined>>

/** Fields of which an answer can have several, from several parts of an application. */
const ADDITIVE = new Set(['set-cookie', 'vary'])
/** Fields that belong to a body, so that a framework's must not outlive the body it was meant for. */
const OF_THE_BODY = [
  'content-length',
  'content-encoding',
  'content-type',
  'etag',
  'last-modified',
  'trailer',
  'transfer-encoding',
]
/** Fields that are the connection's to set: Node cannot send some of them at all, and one that it sends says what is not so. */
const OF_THE_CONNECTION = new Set(['keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'])
/** Those that HTTP/1.1 has a use for: the end of a connection, and what a 426 asks for. HTTP/2 has none (RFC 9113 §8.2.2). */
const OF_HTTP_1 = new Set(['connection', 'upgrade'])
/** RFC 9113 §7. */
const INTERNAL_ERROR = 2
/** Statuses whose answers have no body (RFC 9110 §6.4.1). */
const BODYLESS = new Set([204, 304])

/**
 * Sends `reply`. Headers go out at once, also when the body is a stream that stays silent for a while. A stream
 * is sent with backpressure, destroyed when the client goes away, and its failure breaks off the answer, so that the
 * client sees that it is incomplete. `inherited` are headers that the framework keeps apart from the response (Fastify).
 * Never throws: what middleware in front has made of the response may not let the reply be sent, and nobody is there to catch that.
 */
export function writeReply(response: ServerResponse, reply: Reply, inherited?: InheritedHeaders): void {
  try {
    write(response, reply, inherited)
  } catch (error) {
    if (reply.body instanceof Readable) reply.body.destroy()
    warn('SALLYPORT_ANSWER', `an answer could not be written: ${messageOf(error)}`)
    giveUp(response)
  }
}

/**
 * Reads what is left of a body that nobody reads. For HTTP/1 Node does so itself. In HTTP/2 it would stay in the memory of the session
 * until that is full, and Node refuses every further stream of everybody on it.
 */
function readAway(request: IncomingMessage): void {
  if (request.listenerCount('data') === 0 && request.listenerCount('readable') === 0) request.resume()
}

/** A bare 500 in place of an answer that could not be sent; where that cannot be sent either, the connection ends. */
function giveUp(response: ServerResponse): void {
  try {
    if (response.headersSent) breakOff(response)
    else {
      for (const name of response.getHeaderNames()) response.removeHeader(name)
      // What the failed answer was to be decides no more about how long this one is.
      response.shouldKeepAlive = false
      response.statusCode = 500
      response.end()
    }
  } catch {
    endConnection(response)
  }
}

/** Of an HTTP/2 response that is only destroyed, a client believes that it is whole. */
function breakOff(response: ServerResponse): void {
  const { stream } = response as { readonly stream?: { close(code: number): void } }
  if (stream === undefined) response.destroy()
  else stream.close(INTERNAL_ERROR)
}

/** Also for what only looks like a response. */
function endConnection(response: Partial<Pick<ServerResponse, 'destroy' | 'req'>>): void {
  try {
    if (typeof response.destroy === 'function') response.destroy()
    else response.req?.socket.destroy()
  } catch {
    // Nothing is left to end.
  }
}

function write(response: ServerResponse, reply: Reply, inherited: InheritedHeaders | undefined): void {
  const { body } = reply
  const stream = body instanceof Readable ? body : undefined
  if (response.headersSent || isClosed(response.req, response)) {
    stream?.destroy()
    // Begun by something in front, which has left the rest to others: none of them will end it now.
    if (response.headersSent && !response.writableEnded) breakOff(response)
    return
  }
  // Before the answer ends, since Node closes the stream then. One that is a stream may be made of what the request still sends.
  if (response.req.httpVersionMajor > 1) {
    if (stream === undefined || response.req.method === 'HEAD' || BODYLESS.has(reply.status)) readAway(response.req)
    else stream.once('end', () => readAway(response.req))
  }
  // A framework's reason phrase is that of the answer it had in mind. HTTP/2 has none.
  if (response.req.httpVersionMajor === 1 && response.statusMessage) response.statusMessage = ''
  if (stream === undefined && inherited === undefined && isUntouched(response) && writeAtOnce(response, reply)) return
  response.statusCode = reply.status
  for (const [name, value] of Object.entries(inherited ?? {})) {
    if (value !== undefined && !isOfConnection(name, response)) response.setHeader(name, value)
  }
  // Only what is there: Node remembers a removed Transfer-Encoding, and would end a stream by closing the connection,
  // so that one which breaks off looks complete.
  for (const name of OF_THE_BODY) if (response.hasHeader(name)) response.removeHeader(name)
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    if (isOfConnection(name, response)) continue
    if (ADDITIVE.has(name.toLowerCase())) addHeader(response, name, value)
    else response.setHeader(name, typeof value === 'string' ? value : [...value])
  }

  if (stream !== undefined) {
    if (String(response.getHeader('content-type')).startsWith('text/event-stream')) keepUnbuffered(response)
    if (response.req.method === 'HEAD' || BODYLESS.has(reply.status)) {
      stream.destroy()
      response.end()
      return
    }
    response.flushHeaders()
    onceClosed(response.req, response, () => stream.destroy())
    pipeline(stream.readableObjectMode ? Readable.from(onlyBytes(stream)) : stream, response, (error) => {
      // A failure has destroyed the response, and with it the connection, unless it was not yet its turn.
      if (error && isQueued(response)) response.req.socket.destroy()
    })
    return
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : (body as Uint8Array | undefined)
  const bodyless = BODYLESS.has(reply.status)
  if (!bodyless) response.setHeader('content-length', bytes?.byteLength ?? 0)
  if (bytes === undefined || bodyless || response.req.method === 'HEAD') response.end()
  else response.end(bytes)
}

/** What a stream of objects yields, as long as it can be sent: a response throws at anything else, at nobody who could catch it. */
async function* onlyBytes(stream: AsyncIterable<unknown>): AsyncGenerator<string | Uint8Array> {
  for await (const piece of stream) {
    if (typeof piece !== 'string' && !(piece instanceof Uint8Array))
      throw new TypeError('a body of neither text nor bytes')
    yield piece
  }
}

/**
 * How a body is cut into pieces, say, is the connection's to say (RFC 9112 §6.1): a reply that says so itself would get a length as
 * well, and what has both is two messages to some readers (§6.3).
 */
function isOfConnection(name: string, response: ServerResponse): boolean {
  const field = name.toLowerCase()
  return OF_THE_CONNECTION.has(field) || (OF_HTTP_1.has(field) && response.req.httpVersionMajor !== 1)
}

/** Whether nobody has set a header yet. */
function isUntouched(response: ServerResponse): boolean {
  return response.getHeaderNames().length === 0
}

/**
 * Sends a whole answer with one `writeHead`, which costs a third of setting its headers one by one. `false`, and nothing is
 * sent, where they would not come to the same: a length of its own, or names that differ in case only.
 */
function writeAtOnce(response: ServerResponse, { status, headers = {}, body }: Reply): boolean {
  const fields: Record<string, OutgoingHttpHeader> = {}
  for (const name of Object.keys(headers)) {
    if (name !== name.toLowerCase() || name === 'content-length' || isOfConnection(name, response)) return false
    fields[name] = headers[name] as OutgoingHttpHeader
  }
  const text = typeof body === 'string' ? Buffer.from(body) : (body as Uint8Array | undefined)
  const bodyless = BODYLESS.has(status)
  if (!bodyless) fields['content-length'] = text?.byteLength ?? 0
  response.writeHead(status, fields)
  if (text === undefined || bodyless || response.req.method === 'HEAD') response.end()
  else response.end(text)
  return true
}

/** Compression middleware and nginx would collect an event stream before they send it. */
function keepUnbuffered(response: ServerResponse): void {
  const control = String(response.getHeader('cache-control') ?? 'no-cache')
  if (!/\bno-transform\b/.test(control)) response.setHeader('cache-control', `${control}, no-transform`)
  response.setHeader('x-accel-buffering', 'no')
}

/**
 * Adds `headers` to whatever the application is going to send, without replacing any of its own: they are put in
 * when the head is written, after the application's last `setHeader`. A field that can stand there only once, such as
 * `Cache-Control`, is put in where the application has none. With a cookie, the application's is made private.
 */
export function addHeadersOnSend(response: ServerResponse, headers: ReplyHeaders): void {
  const writeHead = response.writeHead
  response.writeHead = function withAddedHeaders(this: ServerResponse, status: number, ...rest: unknown[]) {
    // As Node itself reads them: wrappers of other middleware hand on a reason that is none.
    const given = typeof rest[0] === 'string' ? rest[1] : (rest[1] ?? rest[0])
    if (typeof given === 'object' && given !== null) setGiven(response, given)
    // Only now, since headers that cannot be sent make the application's error handler write the head instead.
    response.writeHead = writeHead
    for (const [name, value] of Object.entries(headers)) {
      if (ADDITIVE.has(name.toLowerCase()) || response.getHeader(name) === undefined) addHeader(response, name, value)
      if (name.toLowerCase() === 'set-cookie') keepPrivate(response)
    }
    if (typeof rest[0] === 'string') response.statusMessage = rest[0]
    return writeHead.call(response, status)
  } as typeof writeHead
}

/** `Set-Cookie` does not keep caches off (RFC 9111 §7.3): a shared one would hand one person's session to the next. */
function keepPrivate(response: ServerResponse): void {
  const control = response.getHeader('cache-control')
  if (control !== undefined) response.setHeader('cache-control', keptPrivate(String(control)))
}

/** The headers argument of `writeHead`: an object, or names and values in turn. */
function setGiven(response: ServerResponse, given: object): void {
  if (!Array.isArray(given)) {
    for (const [name, value] of Object.entries(given)) if (value !== undefined) response.setHeader(name, value)
    return
  }
  const pairs: [string, OutgoingHttpHeader][] = Array.isArray(given[0])
    ? given
    : Array.from({ length: given.length / 2 }, (_, index) => [given[index * 2], given[index * 2 + 1]])
  for (const [name] of pairs) response.removeHeader(name)
  for (const [name, value] of pairs) addHeader(response, name, typeof value === 'number' ? String(value) : value)
}

function addHeader(response: ServerResponse, name: string, value: string | readonly string[]): void {
  const present = response.getHeader(name)
  const before = present === undefined ? [] : Array.isArray(present) ? present : [String(present)]
  const all = [...before, ...(typeof value === 'string' ? [value] : value)]
  response.setHeader(name, all.length === 1 ? (all[0] ?? '') : all)
}
