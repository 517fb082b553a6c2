/** http-proxy with an agent that keeps connections alive; without one it opens a connection for each request. */
import { Agent, createServer, ServerResponse } from 'node:http'
import httpProxy from 'http-proxy'
import { contextFromParent, serve } from '../../lib/child.ts'
import type { Context } from '../context.ts'

const { upstream } = contextFromParent<Context>()
const proxy = httpProxy.createProxyServer({ target: upstream, agent: new Agent({ keepAlive: true }) })
proxy.on('error', (_error, _req, res) => {
  if (res instanceof ServerResponse && !res.headersSent) res.writeHead(502).end()
  else res.destroy()
})
serve(createServer((req, res) => proxy.web(req, res)))
