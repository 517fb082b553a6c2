/** The reverse proxy that undici's documentation leads to: `Agent.stream` with the request as body and the response as sink. */
import { createServer, type ServerResponse } from 'node:http'
import { Agent, type Dispatcher } from 'undici'
import { contextFromParent, serve } from '../../lib/child.ts'
import type { Context } from '../context.ts'
import { endToEnd } from '../end-to-end.ts'

const { upstream } = contextFromParent<Context>()
const agent = new Agent({ pipelining: 1, headersTimeout: 60_000, bodyTimeout: 0 })

serve(
  createServer((req, res) => {
    const { 'content-length': length, 'transfer-encoding': coding } = req.headers
    agent.stream(
      {
        origin: upstream,
        path: req.url ?? '/',
        method: req.method as Dispatcher.HttpMethod,
        headers: endToEnd(req.headers),
        body: length === undefined && coding === undefined ? null : req,
        opaque: res,
      },
      ({ statusCode, headers, opaque }) => {
        const answer = opaque as ServerResponse
        answer.writeHead(statusCode, endToEnd(headers))
        if (headers['content-length'] === undefined) answer.flushHeaders()
        return answer
      },
      (error) => {
        if (error === null) return
        if (res.headersSent) res.destroy()
        else res.writeHead(502).end()
      },
    )
  }),
)
