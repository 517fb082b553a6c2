/** node:http, bare or behind sallyport. */
import { createServer, type RequestListener } from 'node:http'
import { contextFromParent, serve } from '../../lib/child.ts'
import { type Context, guardConfig } from '../context.ts'

const context = contextFromParent<Context>()
const answer = JSON.stringify({ ok: true })
const handler: RequestListener = (_req, res) => {
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
  res.end(answer)
}

const variants: Readonly<Record<string, () => Promise<RequestListener>>> = {
  unprotected: async () => handler,
  sallyport: async () => {
    const { createGuard } = await import('sallyport')
    const { sallyport } = await import('sallyport/node')
    return sallyport(createGuard(guardConfig(context)))(handler)
  },
}

const listener = await variants[process.argv[2] ?? '']?.()
if (listener !== undefined) serve(createServer(listener))
