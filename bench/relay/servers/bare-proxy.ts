/**
 * A reverse proxy and nothing else, as quick as it can be made: undici's lowest interface, small bodies sent on in one
 * piece, answers as they come with backpressure, hop-by-hop fields left out.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, type Dispatcher } from 'undici'
import { contextFromParent, serve } from '../../lib/child.ts'
import type { Context } from '../context.ts'
import { endToEnd } from '../end-to-end.ts'

const { upstream } = contextFromParent<Context>()
const agent = new Agent({ pipelining: 1, headersTimeout: 60_000, bodyTimeout: 0 })
const SMALL_BYTES = 64 * 1024

serve(
  createServer((req, res) => {
    const length = Number(
      req.headers['content-length'] ?? (req.headers['transfer-encoding'] === undefined ? 0 : Infinity),
    )
    if (length === 0) forward(req, res, null)
    else if (length > SMALL_BYTES) forward(req, res, req)
    else {
      const chunks: Buffer[] = []
      req.on('data', (chunk: Buffer) => chunks.push(chunk))
      req.on('end', () => forward(req, res, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    }
  }),
)

function forward(req: IncomingMessage, res: ServerResponse, body: Buffer | IncomingMessage | null): void {
  let controller: Dispatcher.DispatchController | undefined
  res.on('close', () => {
    if (!res.writableFinished) controller?.abort(new Error('the client has gone'))
  })
  res.on('drain', () => controller?.resume())
  agent.dispatch(
    {
      origin: upstream,
      path: req.url ?? '/',
      method: req.method as Dispatcher.HttpMethod,
      headers: endToEnd(req.headers),
      body,
    },
    {
      onRequestStart(started) {
        controller = started
      },
      onResponseStart(_controller, status, headers) {
        res.writeHead(status, endToEnd(headers))
        // A silent stream has to begin.
        if (headers['content-length'] === undefined) res.flushHeaders()
      },
      onResponseData(started, chunk) {
        if (!res.write(chunk)) started.pause()
      },
      onResponseEnd() {
        res.end()
      },
      onResponseError() {
        if (res.headersSent) res.destroy()
        else res.writeHead(502).end()
      },
    },
  )
}
