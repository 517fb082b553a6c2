/** What is known of a client that has gone away: events are told of it afterwards. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { headOf, NodeRequest } from '../../src/http/node-request.ts'
import { normalise } from '../../src/http/normalise.ts'

test.each(['HTTP/1.1', 'HTTP/2'])('%s: its address', async (version) => {
  const server = version === 'HTTP/2' ? createHttp2Server() : createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const arrived = once(server, 'request')
  const { port } = server.address() as AddressInfo
  const leave = version === 'HTTP/2' ? askHttp2(port) : ask(port)
  const [message, response] = await arrived
  const request = new NodeRequest(message, response, headOf(message), message)
  const closed = once(response, 'close')
  leave()
  await closed
  expect(request.peer.address).toBe('127.0.0.1')
  expect(normalise(request)).toMatchObject({ clientAddress: '127.0.0.1' })
})

function ask(port: number): () => void {
  const socket = connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: app.example.com\r\n\r\n')
  return () => socket.destroy()
}

function askHttp2(port: number): () => void {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  session.request({ ':path': '/' }).on('error', () => {})
  return () => session.destroy()
}
