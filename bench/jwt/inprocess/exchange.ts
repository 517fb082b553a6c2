/**
 * Requests without a network: real `IncomingMessage` and `ServerResponse` objects with fresh strings, as the HTTP parser
 * makes them. A string that was used before has its hash and is cheaper to look up; a server never sees one.
 */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { GateRequest } from 'sallyport'
import { sallyport } from 'sallyport/node'

export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse<IncomingMessage> & { req: IncomingMessage }
}

/** The undocumented method that the HTTP parser hands the header lines to. */
interface ParsedByNode {
  _addHeaderLines(lines: string[], count: number): void
}

/** A request as bytes. */
export interface Template {
  readonly target: Buffer
  readonly rawHeaders: readonly Buffer[]
}

export function template(target: string, headers: readonly (readonly [string, string])[]): Template {
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
  return { target: bytes(target), rawHeaders: headers.flat().map(bytes) }
}

const socket = Object.defineProperties(new Socket(), {
  remoteAddress: { value: '127.0.0.1' },
  localPort: { value: 8080 },
})

export function makeExchange({ target, rawHeaders }: Template): Exchange {
  const req = new IncomingMessage(socket)
  req.method = 'GET'
  req.httpVersion = '1.1'
  req.httpVersionMajor = 1
  req.httpVersionMinor = 1
  req.url = target.toString('latin1')
  // What Node's parser calls; `headers` is made from these when somebody first asks, and that is part of what is measured.
  const strings = rawHeaders.map((bytes) => bytes.toString('latin1'))
  ;(req as unknown as ParsedByNode)._addHeaderLines(strings, strings.length)
  return { req, res: new ServerResponse(req) }
}

let captured: GateRequest[] = []
const capture = sallyport({
  handle: (request) => {
    captured.push(request)
    return { kind: 'skip' }
  },
  ready: async () => {},
  close: async () => {},
})(() => {})

/** The `GateRequest`s that the node adapter makes of exchanges, at the end of the turn that they come in. */
export async function gateRequests(exchanges: readonly Exchange[]): Promise<readonly GateRequest[]> {
  captured = []
  for (const { req, res } of exchanges) capture(req, res)
  await new Promise((resolve) => setImmediate(resolve))
  if (captured.length !== exchanges.length) throw new Error('the adapter did not ask the gate')
  return captured
}

const neverAborted = new AbortController().signal

/**
 * A gate request without Node's own objects, which no gate has to make and which would fill the processor's caches and the
 * heap beside what is measured.
 */
export function bareRequest({ target, rawHeaders }: Template): GateRequest {
  const lines = rawHeaders.map((bytes) => bytes.toString('latin1'))
  const headers: Record<string, string> = {}
  for (let index = 0; index < lines.length; index += 2) headers[lines[index]!.toLowerCase()] = lines[index + 1]!
  return {
    method: 'GET',
    target: target.toString('latin1'),
    headers,
    rawHeaders: lines,
    peer: { address: '127.0.0.1', encrypted: false },
    localPort: 8080,
    body: { kind: 'none' },
    signal: neverAborted,
    host: undefined,
    kind: 'http',
  }
}
