/** WebSockets behind the same guard: a refused upgrade never reaches the handler. `npm install ws`, then `ADMIN_PASSWORD=pass npx tsx examples/websocket.ts` */
import { createServer } from 'node:http'
import { createGuard } from 'sallyport'
import { authOf, guardUpgrade, sallyport } from 'sallyport/node'
import { WebSocketServer } from 'ws'

const guard = createGuard({
  integrations: { corp: { issuer: process.env.ISSUER ?? 'https://login.example.com/', audience: 'orders-api' } },
  routes: [
    { path: '/healthz', auth: { type: 'none' } },
    { path: '/admin', auth: { type: 'basic', username: 'hello', password: { secret: 'env:ADMIN_PASSWORD' } } },
    { path: '/chat', auth: { type: 'jwt', integration: 'corp' } },
  ],
})

const webSockets = new WebSocketServer({ noServer: true })
webSockets.on('connection', (socket, req) => socket.send(`hello ${authOf(req)?.subject}`))

const server = createServer(sallyport(guard)((_req, res) => res.end('ok')))
server.on(
  'upgrade',
  guardUpgrade(guard, (req, socket, head) =>
    webSockets.handleUpgrade(req, socket, head, (client) => webSockets.emit('connection', client, req)),
  ),
)
server.listen(3000)
