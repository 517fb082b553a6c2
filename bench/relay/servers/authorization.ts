/**
 * The authorization server of the upstream, as far as the gateway needs one: everybody consents at once, and the nth
 * code brings the nth token.
 */
import { createServer } from 'node:http'
import { contextFromParent, serve } from '../../lib/child.ts'
import { upstreamToken } from '../context.ts'

contextFromParent()
let redeemed = 0

const server = createServer((req, res) => {
  const url = new URL(req.url ?? '/', `http://${req.headers.host}`)
  if (url.pathname === '/authorize') {
    const back = new URL(url.searchParams.get('redirect_uri') ?? '')
    back.searchParams.set('code', 'code')
    back.searchParams.set('state', url.searchParams.get('state') ?? '')
    res.writeHead(302, { location: back.href }).end()
    return
  }
  req.resume()
  const tokens = {
    access_token: upstreamToken(redeemed++),
    token_type: 'Bearer',
    expires_in: 86_400,
    refresh_token: `refresh-${redeemed}`,
  }
  res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(tokens))
})
serve(server)
